//! Logins, refreshes and logouts, repeated until they are acknowledged.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::spawn_local;
use tokio::time::{sleep, sleep_until};

use crate::excuses::{Harm, Place};
use crate::http::{Answer, post};
use crate::mint::key_and_session;
use crate::model::{Life, Session, Turn, User};
use crate::reads::{self, BOUND};
use crate::world::{FULL, World};

pub(crate) const LOGIN: &str = "/_matrix/client/v3/login";
pub(crate) const REFRESH: &str = "/_matrix/client/v3/refresh";
pub(crate) const LOGOUT: &str = "/_matrix/client/v3/logout";
pub(crate) const LOGOUT_ALL: &str = "/_matrix/client/v3/logout/all";
/// How long an act is repeated: longer than any outage.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a user rests whose sessions have all been ended.
const REST: Duration = Duration::from_secs(6);
/// How many acts may be under way.
const AT_ONCE: usize = 48;
/// How long to look away when nothing is to be done.
const PAUSE: Duration = Duration::from_millis(20);
/// How many sessions are to live.
const LIVE: usize = 250;

/// One of the nodes that write, or the balancer; where the way of an end is measured, a node, so that
/// it is known which has heard of it by itself.
pub(crate) fn a_writer(world: &World) -> Place {
    match world.dice.below(if world.measures.get() { FULL } else { FULL + 2 }) {
        node if node < FULL => Place::Node(node),
        _ => Place::Front,
    }
}

/// Asks until there is an answer that is not our fault; tells too whether an earlier one was lost,
/// and who answered.
async fn insist(world: &World, path: &str, token: Option<&str>, body: &Value) -> Option<Insisted> {
    let body = body.to_string();
    let began = Instant::now();
    let mut place = a_writer(world);
    let mut lost = false;
    while began.elapsed() < PATIENCE {
        let asked = world.ask(place, Harm::Writes, post(path, token, &body)).await;
        if let Some(answer) = asked.answer {
            return Some(Insisted { answer, lost, place, at: asked.answered });
        }
        lost = true;
        sleep(Duration::from_millis(200)).await;
        place = Place::Front;
    }
    let sentence = "every act is acknowledged in the end";
    world.tally.holds(sentence, false, || path.to_owned());
    None
}

struct Insisted {
    answer: Answer,
    lost: bool,
    place: Place,
    at: Instant,
}

/// A new session from what an answer says.
pub(crate) fn session_of(user: usize, answer: &Answer) -> Session {
    Session {
        user,
        device: answer.member("device_id").unwrap_or_default(),
        access: RefCell::new(answer.member("access_token").map(Rc::from).into_iter().collect()),
        refresh: RefCell::new(answer.member("refresh_token")),
        life: Cell::new(Life::Lives),
    }
}

/// Holds what was minted to the rotation that is under way.
fn minted(world: &World, answer: &Answer) {
    let token = answer.member("access_token").unwrap_or_default();
    let key = key_and_session(&token).0;
    let sentence = "nobody mints with a key that some node does not hold yet";
    let early = world.too_new.borrow().as_ref() == Some(&key);
    world.tally.holds(sentence, !early, || key);
}

/// Logs a user in by a login token.
pub(crate) async fn login(world: &World, index: usize, user: &User) -> Option<Rc<Session>> {
    let token = world.mint.borrow().login(&user.id, None, &world.dice);
    let txn = format!("t{:x}", world.dice.next());
    let renews = world.dice.below(2) == 0;
    let body = json!({"type": "m.login.token", "token": token, "txn_id": txn,
        "refresh_token": renews});
    let done = insist(world, LOGIN, None, &body).await?;
    let sentence = if done.lost {
        "a login whose answer was lost is answered when it is repeated"
    } else {
        "a login token logs in"
    };
    world.tally.holds(sentence, done.answer.status == 200, || done.answer.shown());
    if done.answer.status != 200 {
        return None;
    }
    world.tally.count("done: logins");
    minted(world, &done.answer);
    Some(world.model.begin(session_of(index, &done.answer)))
}

/// Waits for somebody whom nobody acts for, and takes the turn.
pub(crate) async fn turn_of_somebody(world: &World) -> Acting {
    loop {
        if let Some((index, user)) = world.somebody()
            && let Some(turn) = Turn::take(&user)
        {
            return Acting { index, user, _turn: turn };
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// A user whom nobody else acts for as long as this is kept.
pub(crate) struct Acting {
    pub(crate) index: usize,
    pub(crate) user: Rc<User>,
    _turn: Turn,
}

impl Acting {
    /// Leaves the user alone for a while, because all sessions have been ended.
    pub(crate) fn rest(&self) {
        self.user.rests.set(Some(Instant::now() + REST));
    }
}

/// Logs a user in by password at a place, once.
pub(crate) async fn login_by_password(
    world: &World,
    place: Place,
    who: &Acting,
) -> Option<Rc<Session>> {
    let user = json!({"type": "m.id.user", "user": who.user.id});
    let body = json!({"type": "m.login.password", "identifier": user, "password": "wonderland"});
    let asked = world.ask(place, Harm::Writes, post(LOGIN, None, &body.to_string())).await;
    let answer = asked.answer?;
    (answer.status == 200).then(|| world.model.begin(session_of(who.index, &answer)))
}

/// Logs a user in at a place, once.
pub(crate) async fn login_at(world: &World, place: Place, who: &Acting) -> Option<Rc<Session>> {
    let token = world.mint.borrow().login(&who.user.id, None, &world.dice);
    let body = json!({"type": "m.login.token", "token": token, "refresh_token": true}).to_string();
    let asked = world.ask(place, Harm::Writes, post(LOGIN, None, &body)).await;
    let answer = asked.answer?;
    let sentence = "a login token logs in";
    world.tally.holds(sentence, answer.status == 200, || answer.shown());
    minted(world, &answer);
    (answer.status == 200).then(|| world.model.begin(session_of(who.index, &answer)))
}

/// Where an end is asked for, and the sessions that it ends: from now on nobody knows of them whether
/// they live.
fn to_end(world: &World, session: &Rc<Session>, all: bool) -> (&'static str, Vec<Rc<Session>>) {
    let (path, sessions) = if all {
        (LOGOUT_ALL, world.model.open_of(session.user))
    } else {
        (LOGOUT, vec![session.clone()])
    };
    for session in &sessions {
        session.life.set(Life::Ending);
    }
    (path, sessions)
}

/// Ends a session, or all of its user, at a place, once; tells whether that was acknowledged.
pub(crate) async fn logout_at(
    world: &World,
    place: Place,
    session: &Rc<Session>,
    all: bool,
) -> bool {
    let (path, sessions) = to_end(world, session, all);
    let token = session.token();
    let asked = world.ask(place, Harm::Writes, post(path, Some(&token), "{}")).await;
    let Some(answer) = asked.answer else { return false };
    let sentence = "a session that lives can be ended";
    world.tally.holds(sentence, answer.status == 200, || answer.shown());
    if answer.status == 200 {
        world.model.end(&sessions, asked.answered);
    }
    answer.status == 200
}

/// Renews a session.
pub(crate) async fn refresh(world: &World, session: &Session) -> bool {
    let Some(token) = session.refresh.borrow().clone() else { return false };
    let body = json!({"refresh_token": token});
    let Some(done) = insist(world, REFRESH, None, &body).await else {
        return false;
    };
    let renewed = done.answer.status == 200;
    let sentence = "a session that lives is renewed";
    world.tally.holds(sentence, renewed, || done.answer.shown());
    if let (true, Some(access)) = (renewed, done.answer.member("access_token")) {
        world.tally.count("done: refreshes");
        minted(world, &done.answer);
        session.access.borrow_mut().push(Rc::from(access));
        *session.refresh.borrow_mut() = done.answer.member("refresh_token");
    }
    renewed
}

/// Ends a session, or all of its user.
pub(crate) async fn logout(world: &Rc<World>, session: &Rc<Session>, all: bool) {
    let (path, sessions) = to_end(world, session, all);
    let Some(done) = insist(world, path, Some(&session.token()), &json!({})).await else { return };
    // One whose answer was lost may be done: its repetition is then refused as what has ended.
    let right = done.answer.status == 200 || (done.lost && done.answer.is_hard());
    let sentence = "a session that lives can be ended";
    world.tally.holds(sentence, right, || done.answer.shown());
    if !right {
        return;
    }
    world.model.end(&sessions, done.at);
    world.tally.count(if all { "done: logouts of all" } else { "done: logouts" });
    if all {
        let user = world.model.users.borrow()[session.user].clone();
        user.rests.set(Some(Instant::now() + REST));
    }
    let known = if done.answer.status == 200 { done.place } else { Place::Front };
    reads::watch_the_end(world, session, known, done.at);
}

/// One act upon one user.
async fn act(world: &Rc<World>) {
    let Some((index, user)) = world.somebody() else { return };
    let Some(_turn) = Turn::take(&user) else { return };
    let few = world.model.open.borrow().len() < LIVE;
    let open = world.model.open_of(index);
    let session = world.dice.pick(&open).cloned();
    let draw = world.dice.part() - if few { 0.15 } else { 0.0 };
    match session {
        Some(session) if session.life.get() == Life::Ending => logout(world, &session, false).await,
        Some(session) if draw > 0.62 => {
            logout(world, &session, open.len() > 2 && draw > 0.97).await
        }
        Some(session) if draw > 0.42 && session.refresh.borrow().is_some() => {
            if refresh(world, &session).await && world.dice.below(4) == 0 {
                use_it(world, &session).await;
            }
        }
        _ => drop(login(world, index, &user).await),
    }
}

/// Uses the newest token of a session: after that the refresh token before it is retired.
async fn use_it(world: &World, session: &Session) {
    let token = session.token();
    reads::verify(world, Place::Node(world.dice.below(FULL)), session, &token).await;
}

/// Acts at the pace of the world until it is enough.
pub(crate) fn keep_acting(world: &Rc<World>) {
    let world = world.clone();
    spawn_local(async move {
        let mut under_way = Vec::new();
        let mut next = tokio::time::Instant::now();
        while !world.enough.get() {
            let pace = world.pace.get();
            next =
                if pace > 0.0 { next + Duration::from_secs_f64(1.0 / pace) } else { next + PAUSE };
            // What could not be done in time is left out.
            next = next.max(tokio::time::Instant::now() - PAUSE);
            sleep_until(next).await;
            under_way.retain(|act: &tokio::task::JoinHandle<()>| !act.is_finished());
            if pace > 0.0 && under_way.len() < AT_ONCE {
                let world = world.clone();
                under_way.push(spawn_local(async move { act(&world).await }));
            }
        }
    });
}

/// Waits until nobody acts any more.
pub(crate) async fn calm(world: &World) {
    let began = Instant::now();
    let busy = || world.model.users.borrow().iter().any(|user| user.busy.get());
    while busy() && began.elapsed() < PATIENCE + BOUND {
        sleep(Duration::from_millis(20)).await;
    }
}
