//! Registering: from a username and a proof to an account and its first session.
//!
//! Account, use of the registration token and session are one transaction; a repeated finished
//! registration gives the same user again. This file refuses to know how the request was written.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::begin::{Beginning, Chosen, Granted, shortened};
use super::interactive::{Asked, Passed, Stage};
use super::linked::Announced;
use super::login::Begun;
use super::{Caller, Declined, Denial, Event, Failure, Service, random};
use crate::config::Registration;
use crate::homeserver::Held;
use crate::ident::{DeviceId, Localpart, UserId};
use crate::revocations::Fact;
use crate::store::{Claimed, StoreError, Tx};
use crate::time::Timestamp;
use crate::token::{Facts, SessionId};

/// Somebody who wants an account.
pub struct Register<'a> {
    /// The localpart that is asked for; one is made when absent.
    pub username: Option<&'a str>,
    /// The password.
    pub password: Option<&'a str>,
    /// On which device; a new one when absent.
    pub device_id: Option<&'a str>,
    /// What that device is to be called.
    pub display_name: Option<&'a str>,
    /// Whether no session is wanted.
    pub inhibit_login: Option<bool>,
    /// Whether the client renews its tokens.
    pub renewable: Option<bool>,
    /// The access token of a guest who wants to keep the name.
    pub guest_access_token: Option<&'a str>,
    /// What the request brings under `auth`.
    pub auth: Option<&'a Map<String, Value>>,
    /// Where it comes from.
    pub address: Option<IpAddr>,
}

/// What came of a registration.
pub struct Registered {
    /// The new user.
    pub user_id: String,
    /// The first session, unless none was wanted or it has been used since.
    pub granted: Option<Granted>,
}

/// The name of the operation.
const OPERATION: &str = "register";

impl Service {
    /// Makes an account.
    ///
    /// # Errors
    /// [`Declined`] when the name or password will not do, [`Denial::Challenged`] for what is to
    /// be proved yet; in all cases nothing has happened.
    pub async fn register(&self, register: &Register<'_>) -> Result<Registered, Denial> {
        let denial = match self.register_once(register).await {
            Ok(registered) => return Ok(registered),
            Err(denial) => denial,
        };
        // Whoever repeats a finished registration is told of it, whatever stands in the way now:
        // the name is taken and the token used up, by itself.
        match self.done_before(register.auth, OPERATION).await? {
            Some(done) => self.registered_before(&done),
            None => Err(denial),
        }
    }

    async fn register_once(&self, register: &Register<'_>) -> Result<Registered, Denial> {
        let flows: &[Stage] = match self.policy.registration {
            Registration::Closed => return Err(Declined::Closed.into()),
            Registration::Token => &[Stage::RegistrationToken],
            Registration::Open => &[Stage::Dummy, Stage::RegistrationToken],
        };
        let guest = register.guest_access_token.map(|text| self.guest(text)).transpose()?;
        self.check_name(register.username, guest.as_ref()).await?;
        if register.password.is_some_and(|password| password.chars().count() < 8) {
            return Err(Declined::WeakPassword.into());
        }
        if register.device_id.is_some_and(|id| DeviceId::parse(id).is_err()) {
            return Err(Declined::BadDeviceId.into());
        }
        let remember = self.remember(register, guest.as_ref()).await?;
        let auth = register.auth;
        let address = register.address;
        let asked = Asked { operation: OPERATION, caller: None, auth, flows, address, remember };
        let passed = self.interact(asked).await?;
        self.make_account(register, &passed).await
    }

    /// Whether a localpart could be registered.
    ///
    /// # Errors
    /// [`Declined::UserInUse`], [`Declined::InvalidUsername`], [`Declined::Closed`].
    pub async fn check_available(&self, username: &str) -> Result<(), Denial> {
        if self.policy.registration == Registration::Closed {
            return Err(Declined::Closed.into());
        }
        self.check_name(Some(username), None).await
    }

    /// Whether a registration token could make an account now.
    ///
    /// # Errors
    /// [`Declined::Closed`] where no registration token is asked for.
    pub async fn check_registration_token(&self, token: &str) -> Result<bool, Denial> {
        if self.policy.registration == Registration::Closed {
            return Err(Declined::Closed.into());
        }
        Ok(self.store()?.is_registration_token(token, self.now()).await?)
    }

    /// Names of guests are kept for the guests that bear them.
    async fn check_name(
        &self,
        username: Option<&str>,
        guest: Option<&Caller>,
    ) -> Result<(), Denial> {
        let username = match (username, guest) {
            (Some(username), _) => username.to_ascii_lowercase(),
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err(Declined::InvalidUsername.into()),
        };
        Localpart::parse(&username, &self.server).map_err(|_| Declined::InvalidUsername)?;
        let user_id = self.server.user_id(&username);
        let own = guest.is_some_and(|guest| guest.user_id == user_id);
        if own != username.starts_with("guest-") || guest.is_some() != own {
            return Err(Declined::InvalidUsername.into());
        }
        match self.store()?.password_hash(&user_id).await? {
            Some(_) => Err(Declined::UserInUse.into()),
            None => self.check_name_behind(&user_id).await,
        }
    }

    /// What a new interactive session is to remember; the password only as its hash, and only if
    /// a new one is going to be opened.
    async fn remember(
        &self,
        register: &Register<'_>,
        guest: Option<&Caller>,
    ) -> Result<Map<String, Value>, Denial> {
        let mut remember = Map::new();
        let texts = [
            ("username", register.username.map(str::to_owned)),
            ("device_id", register.device_id.map(str::to_owned)),
            ("display_name", register.display_name.map(shortened)),
            ("guest", guest.map(|guest| guest.session.to_string())),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                remember.insert(name.to_owned(), value.into());
            }
        }
        let switches =
            [("inhibit_login", register.inhibit_login), ("renewable", register.renewable)];
        for (name, value) in switches {
            if let Some(value) = value {
                remember.insert(name.to_owned(), value.into());
            }
        }
        let continues = self.continues(register.auth, OPERATION);
        if let Some(password) = register.password.filter(|_| !continues) {
            let hash = self.passwords.hash(password).await?;
            remember.insert("password_hash".to_owned(), hash.into());
        }
        Ok(remember)
    }

    async fn make_account(
        &self,
        register: &Register<'_>,
        passed: &Passed,
    ) -> Result<Registered, Denial> {
        let wanted = Wanted::of(register, passed.remembered());
        let hash = match (&wanted.password_hash, register.password) {
            (Some(hash), _) => hash.clone(),
            (None, Some(password)) => self.passwords.hash(password).await?,
            (None, None) => NO_PASSWORD.to_owned(),
        };
        let name = wanted.username.as_ref().map(|name| name.to_ascii_lowercase());
        let user_id = self.server.user_id(&name.map_or_else(new_localpart, Ok)?);
        let held = self.hold(&user_id).await?;
        let mut tx = self.store()?.begin_for(&user_id).await?;
        if let Some(done) = self.reserve(&mut tx, passed, &user_id, &hash).await? {
            return Ok(done);
        }
        // The guest has become a user: what it had of tokens is worth no more.
        let user = user_id.as_str();
        let over = wanted.guest.map(|session| Fact::Session { user: user.into(), session });
        if let Some(over) = &over {
            self.append(&mut tx, over, None)?;
        }
        let beginning = Beginning {
            user_id: &user_id,
            display_name: wanted.display_name.as_deref(),
            chosen: Chosen::freely(wanted.device_id.as_deref()),
            renewable: wanted.renewable,
            carried: &[],
        };
        let inhibit_login = wanted.inhibit_login;
        let done = match held {
            None => self.first_session(tx, passed, &beginning, inhibit_login, None).await?,
            Some(held) => {
                tx.commit().await?;
                self.introduced(held, passed, &beginning, inhibit_login).await?
            }
        };
        self.heard(over.as_ref());
        self.tell_registered(&done, passed);
        Ok(done)
    }

    /// Makes the account in the store and uses up what lets it be made; gives the end of it where
    /// the same was done before.
    async fn reserve(
        &self,
        tx: &mut Tx,
        passed: &Passed,
        user_id: &str,
        hash: &str,
    ) -> Result<Option<Registered>, Denial> {
        if let Claimed::Before(done) = self.claim_operation(tx, passed).await? {
            return self.registered_before(&done).map(Some);
        }
        if let Some(token) = &passed.registration_token
            && !tx.use_registration_token(token, self.now()).await?
        {
            return Err(Declined::SpentRegistrationToken.into());
        }
        if !tx.add_user(user_id, hash, self.now()).await? {
            return Err(Declined::UserInUse.into());
        }
        Ok(None)
    }

    /// The rest of a registration once the name is reserved here: the homeserver makes the account,
    /// or all is taken back.
    async fn introduced(
        &self,
        mut held: Held,
        passed: &Passed,
        beginning: &Beginning<'_>,
        inhibit_login: bool,
    ) -> Result<Registered, Denial> {
        let user_id = beginning.user_id;
        if let Err(error) = held.introduce().await {
            let mut tx = self.store()?.begin_for(user_id).await?;
            let token = passed.registration_token.as_deref();
            tx.take_back_user(user_id, &passed.claim(), token).await?;
            tx.commit().await?;
            return Err(error.into());
        }
        let announced = if inhibit_login {
            None
        } else {
            // The account is made, at both: whoever asked is told so and logs in.
            let announced = self.announce_under(held, beginning).await;
            announced
                .inspect_err(|error| tracing::warn!(%error, "an account without a session"))
                .ok()
        };
        let tx = self.store()?.begin_for(user_id).await?;
        let inhibit_login = announced.is_none();
        self.first_session(tx, passed, beginning, inhibit_login, announced).await
    }

    fn tell_registered(&self, done: &Registered, passed: &Passed) {
        let by = passed.registration_token.as_ref().map_or("open", |_| "registration_token");
        self.tell(&Event::Registered { user_id: &done.user_id, by });
        if let Some(granted) = &done.granted {
            self.logged_in(granted, OPERATION, false, &[]);
        }
    }

    async fn first_session(
        &self,
        mut tx: Tx,
        passed: &Passed,
        beginning: &Beginning<'_>,
        inhibit_login: bool,
        announced: Option<Announced>,
    ) -> Result<Registered, Denial> {
        let user_id = beginning.user_id.to_owned();
        let claim = passed.claim();
        if inhibit_login {
            tx.finish_with(&claim, &user_id).await?;
            tx.commit().await?;
            return Ok(Registered { user_id, granted: None });
        }
        let (granted, fact) = self.begin(&mut tx, beginning, announced.as_ref()).await?;
        let done = format!("{user_id} {}", granted.remember("", beginning.renewable));
        tx.finish_claim(&claim, granted.session, &done).await?;
        // Whether a commit that fails was made may not be known: a repetition finds out.
        self.commit(tx, announced).await?;
        self.heard(fact.as_ref());
        Ok(Registered { user_id, granted: Some(granted) })
    }

    /// A finished registration that is repeated: the same user, and the same tokens as long as
    /// nobody has used them and their session has not ended.
    fn registered_before(&self, done: &str) -> Result<Registered, Denial> {
        let Some((user_id, begun)) = done.split_once(' ') else {
            return Ok(Registered { user_id: done.to_owned(), granted: None });
        };
        let damaged = || Failure::from(StoreError::Damaged("claims"));
        let begun: Begun = serde_json::from_str(begun).map_err(|_| damaged())?;
        let session = SessionId::parse(&begun.session).ok_or_else(damaged)?;
        let user = UserId::parse(user_id).map_err(|_| damaged())?;
        let device = DeviceId::parse(&begun.device_id).ok();
        let lives = self.facts.standing(user, device, session).is_ok();
        if !lives || !self.may_repeat(session) {
            return Ok(Registered { user_id: user_id.to_owned(), granted: None });
        }
        let beginning = Beginning {
            user_id,
            display_name: None,
            chosen: Chosen::New,
            renewable: begun.renewable,
            carried: &[],
        };
        let issued_at = Timestamp::from_millis(begun.issued_at);
        let granted = self.granted(&beginning, begun.device_id, session, issued_at)?;
        Ok(Registered { user_id: user_id.to_owned(), granted: Some(granted) })
    }
}

/// What stands for the hash of a password that nobody has: no password fits it.
pub(super) const NO_PASSWORD: &str = "none";

/// What is wanted in the end: what the first request said, and what a later one adds.
struct Wanted {
    username: Option<String>,
    device_id: Option<String>,
    display_name: Option<String>,
    password_hash: Option<String>,
    /// The session of the guest who becomes a user.
    guest: Option<SessionId>,
    inhibit_login: bool,
    renewable: bool,
}

impl Wanted {
    fn of(register: &Register<'_>, remembered: &Map<String, Value>) -> Self {
        let text = |key: &str, later: Option<&str>| {
            remembered.get(key).and_then(Value::as_str).or(later).map(str::to_owned)
        };
        let switch = |key: &str, later: Option<bool>| {
            remembered.get(key).and_then(Value::as_bool).or(later).unwrap_or(false)
        };
        Self {
            username: text("username", register.username),
            device_id: text("device_id", register.device_id),
            display_name: text("display_name", register.display_name),
            password_hash: text("password_hash", None),
            guest: text("guest", None).as_deref().and_then(SessionId::parse),
            inhibit_login: switch("inhibit_login", register.inhibit_login),
            renewable: switch("renewable", register.renewable),
        }
    }
}

/// Twelve letters: 56 random bits, and a clash is told as a username in use.
fn new_localpart() -> Result<String, Failure> {
    Ok(random::<12>()?.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}
