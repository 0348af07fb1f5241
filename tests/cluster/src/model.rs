//! What must be true: users, their sessions, and which of them have ended.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

/// How a session stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// Nobody has asked for its end.
    Lives,
    /// Its end was asked for, and nobody knows yet whether it was heard.
    Ending,
    /// Its end was acknowledged at this instant.
    Ended(Instant),
    /// The key of its tokens was retired at this instant: refused, and its client keeps its keys.
    Retired(Instant),
}

/// One login.
pub(crate) struct Session {
    /// Whose.
    pub(crate) user: usize,
    /// On which device.
    pub(crate) device: String,
    /// Its access tokens, the newest last. All of them live as long as it does.
    pub(crate) access: RefCell<Vec<Rc<str>>>,
    /// Its refresh token.
    pub(crate) refresh: RefCell<Option<String>>,
    /// How it stands.
    pub(crate) life: Cell<Life>,
}

impl Session {
    /// Its newest access token.
    pub(crate) fn token(&self) -> Rc<str> {
        self.access.borrow().last().cloned().unwrap_or_default()
    }

    /// Whether nobody has asked for its end.
    pub(crate) fn lives(&self) -> bool {
        self.life.get() == Life::Lives
    }
}

/// One account.
pub(crate) struct User {
    /// Its user id.
    pub(crate) id: String,
    /// Whether somebody acts for it just now: acts upon one user come one after another.
    pub(crate) busy: Cell<bool>,
    /// Until when it is left alone: a login token that is minted offline has to be younger than the
    /// last end of all sessions, by the clock of a node that may be ahead.
    pub(crate) rests: Cell<Option<Instant>>,
}

/// Everybody.
#[derive(Default)]
pub(crate) struct Model {
    /// The accounts.
    pub(crate) users: RefCell<Vec<Rc<User>>>,
    /// Sessions that live or are ending.
    pub(crate) open: RefCell<Vec<Rc<Session>>>,
    /// Sessions that have ended.
    pub(crate) over: RefCell<Vec<Rc<Session>>>,
}

impl Model {
    /// Adds a session that has begun.
    pub(crate) fn begin(&self, session: Session) -> Rc<Session> {
        let session = Rc::new(session);
        self.open.borrow_mut().push(session.clone());
        session
    }

    /// The end of these sessions was acknowledged, at `at`.
    pub(crate) fn end(&self, sessions: &[Rc<Session>], at: Instant) {
        for session in sessions {
            session.life.set(Life::Ended(at));
            self.over.borrow_mut().push(session.clone());
        }
        let open = |session: &Rc<Session>| matches!(session.life.get(), Life::Lives | Life::Ending);
        self.open.borrow_mut().retain(open);
    }

    /// The sessions of a user that have not ended.
    pub(crate) fn open_of(&self, user: usize) -> Vec<Rc<Session>> {
        self.open.borrow().iter().filter(|session| session.user == user).cloned().collect()
    }
}

/// Somebody acts for a user until this is dropped.
pub(crate) struct Turn(Rc<User>);

impl Turn {
    /// Takes the turn, if nobody has it and the user does not rest.
    pub(crate) fn take(user: &Rc<User>) -> Option<Self> {
        let rests = user.rests.get().is_some_and(|until| until > Instant::now());
        if rests || user.busy.replace(true) { None } else { Some(Self(user.clone())) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.busy.set(false);
    }
}
