//! Logging in: from a password or a login token to a session on a device.
//!
//! This file decides who may begin a session and on which device; it refuses to know how the
//! request was written.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Caller, Declined, Denial, Failure, Service, random};
use crate::ident::{DeviceId, UserId};
use crate::revocations::{Fact, Revocations};
use crate::store::{Claim, Claimed, Device, Tx};
use crate::time::Timestamp;
use crate::token::{
    AccountState, Caveat, Facts, Grant, Kind, Occasion, Refusal, Scratch, SessionId, Token,
};

/// Somebody who wants in.
pub struct Login<'a> {
    /// By what right.
    pub credentials: Credentials<'a>,
    /// On which device; a new one when absent.
    pub device_id: Option<&'a str>,
    /// What a new device is to be called.
    pub display_name: Option<&'a str>,
}

/// By what right somebody wants in.
pub enum Credentials<'a> {
    /// A user id or localpart, and a password.
    Password {
        /// Who.
        user: &'a str,
        /// The password.
        password: &'a str,
    },
    /// A login token.
    Token(LoginToken<'a>),
}

/// A login token as it is presented.
pub struct LoginToken<'a> {
    /// Its text.
    pub text: &'a str,
    /// The client's nonce, the same at each repetition.
    pub txn_id: Option<&'a str>,
    /// Where it is presented: what `time` and `ip` caveats are judged by.
    pub occasion: Occasion<'a>,
}

/// A session that has begun.
pub struct Granted {
    /// Whose.
    pub user_id: String,
    /// On which device.
    pub device_id: String,
    /// The name of the session.
    pub session: SessionId,
    /// When the token was minted.
    pub issued_at: Timestamp,
    /// The access token.
    pub access_token: Token,
    /// How long it lives, in milliseconds; `None` for as long as the session.
    pub expires_in_ms: Option<u64>,
}

/// What a repeated login is given again.
#[derive(Serialize, Deserialize)]
struct Begun {
    session: String,
    device_id: String,
    issued_at: u64,
}

impl Service {
    /// Begins a session.
    ///
    /// # Errors
    /// [`Declined`] for wrong credentials, [`Failure`] when nothing could be decided; in both
    /// cases nothing has happened.
    pub async fn login(&self, login: &Login<'_>) -> Result<Granted, Denial> {
        if login.device_id.is_some_and(|id| DeviceId::parse(id).is_err()) {
            return Err(Declined::BadDeviceId.into());
        }
        match &login.credentials {
            Credentials::Password { user, password } => {
                self.login_by_password(login, user, password).await
            }
            Credentials::Token(token) => self.login_by_token(login, token).await,
        }
    }

    async fn login_by_password(
        &self,
        login: &Login<'_>,
        user: &str,
        password: &str,
    ) -> Result<Granted, Denial> {
        let store = self.store()?;
        let user_id = self.user_id_of(user);
        let known = match &user_id {
            Some(user_id) => store.password_hash(user_id).await?.map(Zeroizing::new),
            None => None,
        };
        let known = known.as_ref().map(|hash| hash.as_str());
        let fits = self.passwords.check(password, known).await?;
        let user_id = user_id.filter(|_| fits).ok_or(Declined::WrongPassword)?;

        let mut tx = store.begin().await?;
        if tx.password_hash(&user_id).await?.as_deref() != known {
            // It was changed while we were hashing.
            return Err(Declined::WrongPassword.into());
        }
        let beginning =
            self.begin(&mut tx, &user_id, login, Chosen::freely(login.device_id), &[]).await?;
        let (granted, fact) = beginning;
        tx.commit().await?;
        self.heard(fact.as_ref());
        Ok(granted)
    }

    async fn login_by_token(
        &self,
        login: &Login<'_>,
        token: &LoginToken<'_>,
    ) -> Result<Granted, Denial> {
        let store = self.store()?;
        let mut scratch = Scratch::new();
        let bearer = match self.admit(token.text, &mut scratch, &token.occasion) {
            Ok(bearer) => bearer,
            Err(Denial::Refused(_)) => return Err(Declined::WrongLoginToken.into()),
            Err(denial) => return Err(denial),
        };
        let caller = Caller::of(&bearer);
        let carried: Vec<_> = bearer.appended().collect();
        let named = bearer.device_id().map(DeviceId::as_str);
        let chosen = Chosen::by_token(login.device_id, named, !carried.is_empty())?;

        let mut tx = store.begin().await?;
        caller.judge(&tx.facts_about(&caller.user_id).await?).map_err(wrong_token)?;
        let claim = Claim {
            name: &format!("login:{}", caller.session),
            proofs: &proofs(token.txn_id, login.device_id),
            expires_at: bearer.ends_at().unwrap_or(Timestamp::MAX),
        };
        let begun = match tx.claim(&claim, self.now()).await? {
            Claimed::Never => return Err(Declined::WrongLoginToken.into()),
            Claimed::Before(result) => {
                return self.again(&mut tx, &caller, &result, &carried).await;
            }
            Claimed::Now => self.begin(&mut tx, &caller.user_id, login, chosen, &carried).await,
        };
        let (granted, fact) = begun.map_err(|denial| match denial {
            Denial::Declined(_) => wrong_token(denial),
            denial => denial,
        })?;
        let result = granted.remember();
        tx.finish_claim(claim.name, granted.session, &result).await?;
        if !claim.proofs.is_empty() {
            self.awaiting().expect(granted.session);
        }
        tx.commit().await?;
        self.heard(fact.as_ref());
        Ok(granted)
    }

    /// Gives a session again to somebody who proved to be repeating the login it came of, unless
    /// it has been used or ended meanwhile.
    async fn again(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        result: &str,
        carried: &[&str],
    ) -> Result<Granted, Denial> {
        let begun: Begun = serde_json::from_str(result)
            .map_err(|_| Failure::from(crate::store::StoreError::Damaged("claims")))?;
        let session = SessionId::parse(&begun.session).ok_or(Declined::WrongLoginToken)?;
        let user_id = caller.user_id.clone();
        let device_id = Some(begun.device_id.clone());
        let again = Caller { user_id, device_id, session };
        again.judge(&tx.facts_about(&again.user_id).await?).map_err(wrong_token)?;
        if !self.awaiting().is_unused(session) {
            return Err(Declined::WrongLoginToken.into());
        }
        let issued_at = Timestamp::from_millis(begun.issued_at);
        self.grant(again.user_id, begun.device_id, session, issued_at, carried)
    }

    /// Begins a session inside a transaction; also gives the fact that ends earlier sessions of a
    /// device that was chosen.
    async fn begin(
        &self,
        tx: &mut Tx,
        user_id: &str,
        login: &Login<'_>,
        chosen: Chosen<'_>,
        carried: &[&str],
    ) -> Result<(Granted, Option<Fact>), Denial> {
        self.may_begin(user_id, &tx.facts_about(user_id).await?)?;
        let now = self.now();
        let tick = tx.tick(user_id, now).await?.ok_or(Declined::WrongPassword)?;
        let session = SessionId::new(tick, random()?);
        let device_id = match chosen {
            Chosen::New => new_device_id()?,
            Chosen::Unknown(id) if tx.device(user_id, id).await?.is_some() => {
                return Err(Declined::WrongLoginToken.into());
            }
            Chosen::Unknown(id) | Chosen::Any(id) => id.to_owned(),
        };
        let granted = self.grant(user_id.to_owned(), device_id, session, now, carried)?;
        let device = Device {
            user_id: user_id.to_owned(),
            device_id: granted.device_id.clone(),
            session,
            display_name: login.display_name.map(shortened),
            created_at: now,
        };
        tx.put_device(&device).await?;
        if matches!(chosen, Chosen::New) {
            return Ok((granted, None));
        }
        let (user, device) = (user_id.into(), granted.device_id.as_str().into());
        let fact = Fact::Device { user, device, from: tick };
        tx.append(&fact, None, &self.ring().ids()).await?;
        Ok((granted, Some(fact)))
    }

    fn may_begin(&self, user_id: &str, facts: &Revocations) -> Result<(), Denial> {
        // A session that has not begun yet is ended by nothing but the state of its account.
        let session = SessionId::new(Timestamp::MAX, [0; 10]);
        let user = UserId::parse(user_id).map_err(|_| Declined::WrongPassword)?;
        let account = facts.standing(user, None, session).map_err(|_| Declined::WrongPassword)?;
        let locked = account.state == AccountState::Locked;
        if locked { Err(Refusal::Locked.into()) } else { Ok(()) }
    }

    fn grant(
        &self,
        user_id: String,
        device_id: String,
        session: SessionId,
        issued_at: Timestamp,
        carried: &[&str],
    ) -> Result<Granted, Denial> {
        let ring = self.ring();
        let subkey = ring.minting(Kind::Access).ok_or(Failure::NoMintingKey)?;
        let expires_at = self.policy.access_cap.map(|life| issued_at.plus(life));
        let grant = Grant {
            kind: Kind::Access,
            user: UserId::parse(&user_id).map_err(|_| Declined::WrongPassword)?,
            device: Some(DeviceId::parse(&device_id).map_err(|_| Declined::BadDeviceId)?),
            guest: false,
            session,
            generation: 0,
            issued_at,
            expires_at,
            carried,
        };
        let access_token = grant.mint(subkey)?;
        let ends_at = carried.iter().filter_map(|text| time_caveat(text)).chain(expires_at).min();
        let expires_in_ms = ends_at.map(|end| end.millis().saturating_sub(self.now().millis()));
        Ok(Granted { user_id, device_id, session, issued_at, access_token, expires_in_ms })
    }

    /// The user id that somebody typed: a whole one of this server, or a localpart.
    fn user_id_of(&self, user: &str) -> Option<String> {
        let user_id = if user.starts_with('@') {
            user.to_owned()
        } else {
            // Localparts of accounts are lower case (specification, appendix 4.2.1); people and
            // their keyboards are not.
            self.server.user_id(&user.to_ascii_lowercase())
        };
        let ours = UserId::parse(&user_id).is_ok_and(|id| id.server_name() == self.server.as_str());
        ours.then_some(user_id)
    }
}

impl Granted {
    fn remember(&self) -> String {
        let begun = Begun {
            session: self.session.to_string(),
            device_id: self.device_id.clone(),
            issued_at: self.issued_at.millis(),
        };
        serde_json::to_string(&begun).unwrap_or_default()
    }
}

/// On which device a session is to begin.
#[derive(Clone, Copy)]
enum Chosen<'a> {
    /// One with an id of ours.
    New,
    /// This one, if the user has it not yet.
    Unknown(&'a str),
    /// This one; its earlier sessions end.
    Any(&'a str),
}

impl<'a> Chosen<'a> {
    fn freely(device_id: Option<&'a str>) -> Self {
        device_id.map_or(Self::New, Self::Any)
    }

    /// A token that names a device is for that one. A narrowed token makes a new device: it was
    /// handed to somebody who shall not end what its owner has.
    fn by_token(
        asked: Option<&'a str>,
        named: Option<&'a str>,
        narrowed: bool,
    ) -> Result<Self, Declined> {
        match (named, asked) {
            (Some(named), Some(asked)) if named != asked => Err(Declined::WrongLoginToken),
            (Some(named), _) => Ok(Self::Any(named)),
            (None, Some(asked)) if narrowed => Ok(Self::Unknown(asked)),
            (None, asked) => Ok(Self::freely(asked)),
        }
    }
}

fn wrong_token<E>(_: E) -> Denial {
    Declined::WrongLoginToken.into()
}

/// What a repetition of this login may prove itself by. Nothing never equals nothing.
fn proofs(txn_id: Option<&str>, device_id: Option<&str>) -> Vec<String> {
    let proof = |sort: &str, value: Option<&str>| {
        let value = value.filter(|value| !value.is_empty() && !value.contains(['\n', '\r']))?;
        Some(format!("{sort} {value}"))
    };
    [proof("txn_id", txn_id), proof("device_id", device_id)].into_iter().flatten().collect()
}

fn time_caveat(text: &str) -> Option<Timestamp> {
    match Caveat::read(text) {
        Ok(Caveat::Time(end)) => Some(end),
        _ => None,
    }
}

/// Ten letters, as device ids usually look: 47 random bits, and a clash ends only a session of the
/// same user.
fn new_device_id() -> Result<String, Failure> {
    let letters = random::<10>()?.map(|byte| char::from(b'A' + byte % 26));
    Ok(letters.iter().collect())
}

/// At most 100 characters: what Synapse keeps of a display name.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
