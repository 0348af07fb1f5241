//! Logging in: from a password or a login token to a session on a device.
//!
//! This file decides who may begin a session and on which device; it refuses to know how the
//! request was written.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::begin::{Beginning, Chosen, Granted};
use super::events::{Event, labels};
use super::linked::Announced;
use super::predecessor::is_predecessors;
use super::proof::PROOF;
use super::uses::REPEATED;
use super::{Caller, Declined, Denial, Failure, LoginTokenFault, Service};
use crate::ident::{DeviceId, UserId};
use crate::store::{Claim, Claimed, StoreError, Tx};
use crate::time::Timestamp;
use crate::token::{Bearer, Gate, MintError, Occasion, Refusal, Scratch, SessionId};

/// Somebody who wants in.
pub struct Login<'a> {
    /// By what right.
    pub credentials: Credentials<'a>,
    /// On which device; a new one when absent.
    pub device_id: Option<&'a str>,
    /// What a new device is to be called.
    pub display_name: Option<&'a str>,
    /// Whether the client renews its tokens.
    pub renewable: bool,
}

impl Login<'_> {
    fn beginning<'b>(
        &'b self,
        user_id: &'b str,
        chosen: Chosen<'b>,
        carried: &'b [&'b str],
    ) -> Beginning<'b> {
        let Self { display_name, renewable, .. } = *self;
        Beginning { user_id, display_name, chosen, renewable, carried }
    }
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

/// The name of a login by a login token.
const BY_TOKEN: &str = "login_token";

impl Credentials<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::Token(_) => BY_TOKEN,
        }
    }
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

/// A login token that holds, as the claim remembers it.
struct Spent {
    caller: Caller,
    /// Of the token as it was minted: one that its holder has shortened spends all of it.
    expires_at: Timestamp,
    /// A digest of the very text that was presented.
    spelling: String,
}

impl Spent {
    fn of(bearer: &Bearer<'_>, text: &str) -> Self {
        let expires_at = bearer.identifier().expires_at.unwrap_or(Timestamp::MAX);
        let digest = Sha256::digest(text);
        let spelling = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { caller: Caller::of(bearer), expires_at, spelling }
    }
}

/// What a repeated login is given again.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) session: String,
    pub(super) device_id: String,
    pub(super) issued_at: u64,
    /// A digest of the very text that was presented.
    pub(super) spelling: String,
    /// Whether the session renews its tokens.
    pub(super) renewable: bool,
}

impl Service {
    /// Begins a session.
    ///
    /// # Errors
    /// [`Declined`] for wrong credentials, [`super::Failure`] when nothing could be decided; in both
    /// cases nothing has happened.
    pub async fn login(&self, login: &Login<'_>) -> Result<Granted, Denial> {
        if login.device_id.is_some_and(|id| DeviceId::parse(id).is_err()) {
            return Err(Declined::BadDeviceId.into());
        }
        let (done, user_id) = match &login.credentials {
            Credentials::Password { user, password } => {
                (self.login_by_password(login, user, password).await, self.user_id_of(user))
            }
            Credentials::Token(token) => (self.login_by_token(login, token).await, None),
        };
        if let Err(denial) = &done {
            let by = login.credentials.name();
            let (reason, words) = (denial.into(), &*denial.to_string());
            self.tell(&Event::LoginFailed { user_id: user_id.as_deref(), by, reason, words });
        }
        done
    }

    /// Tells of a login.
    pub(super) fn logged_in(&self, granted: &Granted, by: &str, repeated: bool, carried: &[&str]) {
        self.tell(&Event::Login {
            user_id: &granted.user_id,
            device_id: &granted.device_id,
            session: granted.session,
            by,
            repeated,
            labels: labels(carried.iter().copied()),
        });
    }

    async fn login_by_password(
        &self,
        login: &Login<'_>,
        user: &str,
        password: &str,
    ) -> Result<Granted, Denial> {
        let store = self.store()?;
        let user_id = self.user_id_of(user);
        self.may_try_account(user_id.as_deref().unwrap_or(user))?;
        let known = match &user_id {
            Some(user_id) => store.password_hash(user_id).await?.map(Zeroizing::new),
            None => None,
        };
        let known = known.as_ref().map(|hash| hash.as_str());
        let fits = self.passwords.check(password, known).await?;
        let user_id = user_id.filter(|_| fits).ok_or(Declined::WrongPassword)?;
        let anew = match known {
            Some(hash) if is_predecessors(hash) => Some(self.passwords.hash(password).await?),
            _ => None,
        };

        let beginning = login.beginning(&user_id, Chosen::freely(login.device_id), &[]);
        let announced = self.announce(&beginning).await?;
        let mut tx = store.begin_for(&user_id).await?;
        if tx.password_hash(&user_id).await?.as_deref() != known {
            // It was changed while we were hashing.
            return Err(Declined::WrongPassword.into());
        }
        let (granted, fact) = self.begin(&mut tx, &beginning, announced.as_ref()).await?;
        if let Some(hash) = anew {
            tx.set_password_hash(&user_id, &hash).await?;
            self.passwords.predecessors_left(tx.predecessors_left().await?);
        }
        self.commit(tx, announced).await?;
        self.heard(fact.as_ref());
        self.logged_in(&granted, login.credentials.name(), false, &[]);
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
            Err(Denial::Refused(refusal)) => return Err(refused(refusal)),
            Err(denial) => return Err(denial),
        };
        if bearer.is_guest() {
            return Err(wrong(LoginTokenFault::Guest));
        }
        let spent = Spent::of(&bearer, token.text);
        let named = bearer.device_id().map(DeviceId::as_str);
        let carried: Vec<_> = bearer.appended().collect();
        let chosen = Chosen::by_token(login.device_id, named, !carried.is_empty())?;
        let claim = Claim {
            name: &format!("login:{}", spent.caller.session),
            proofs: &proofs(token.txn_id, login.device_id),
            expires_at: spent.expires_at,
        };

        let beginning = login.beginning(&spent.caller.user_id, chosen, &carried);
        // Nobody is told of a device for a token that is spent already.
        let known = store.read().await?.is_claimed(claim.name).await?;
        let announced =
            if known { None } else { self.announce(&beginning).await.map_err(nobody)? };
        let mut tx = store.begin_for(&spent.caller.user_id).await?;
        let known = spent.caller.facts(&mut tx).await?;
        spent.caller.judge(&known, Gate::EvenLocked).map_err(refused)?;
        match tx.claim(&claim, self.store_now()).await? {
            Claimed::Never => Err(wrong(LoginTokenFault::Spent)),
            Claimed::Before(result) => self.again(&mut tx, &spent, &result, &beginning).await,
            Claimed::Now => self.spend(tx, &claim, &spent, &beginning, announced).await,
        }
    }

    /// Begins the session that a login token is claimed for.
    async fn spend(
        &self,
        mut tx: Tx,
        claim: &Claim<'_>,
        spent: &Spent,
        beginning: &Beginning<'_>,
        announced: Option<Announced>,
    ) -> Result<Granted, Denial> {
        let begun = self.begin(&mut tx, beginning, announced.as_ref()).await;
        let (granted, fact) = begun.map_err(|denial| match denial {
            Denial::Failed(Failure::Mint(
                error @ (MintError::TooLong | MintError::TooManyCaveats),
            )) => wrong(LoginTokenFault::TooNarrow(error)),
            denial => nobody(denial),
        })?;
        let session = granted.session;
        tx.finish_claim(
            claim.name,
            session,
            &granted.remember(&spent.spelling, beginning.renewable),
        )
        .await?;
        // Whether a commit that fails was made may not be known: a repetition finds out.
        self.commit(tx, announced).await?;
        self.heard(fact.as_ref());
        self.logged_in(&granted, BY_TOKEN, false, beginning.carried);
        Ok(granted)
    }

    /// Gives a session again to somebody who proved to be repeating the login it came of, unless
    /// it has been used or ended meanwhile.
    async fn again(
        &self,
        tx: &mut Tx,
        spent: &Spent,
        result: &str,
        beginning: &Beginning<'_>,
    ) -> Result<Granted, Denial> {
        if result.starts_with(PROOF) {
            return Err(wrong(LoginTokenFault::Spent));
        }
        let begun: Begun =
            serde_json::from_str(result).map_err(|_| StoreError::Damaged("claims"))?;
        if begun.spelling != spent.spelling {
            // Narrowed or widened by what its holder appended: not the token that was spent, and
            // its holder may be somebody else.
            return Err(wrong(LoginTokenFault::Spent));
        }
        let session = SessionId::parse(&begun.session).ok_or(wrong(LoginTokenFault::Spent))?;
        let user_id = spent.caller.user_id.clone();
        let device_id = Some(begun.device_id.clone());
        let again = Caller {
            user_id,
            device_id,
            session,
            appended: Vec::new(),
            ends_at: None,
            minted_until: None,
        };
        again.judge(&again.facts(tx).await?, Gate::EvenLocked).map_err(refused)?;
        if !self.may_repeat(session) {
            return Err(wrong(LoginTokenFault::Spent));
        }
        let issued_at = Timestamp::from_millis(begun.issued_at);
        let beginning = Beginning { renewable: begun.renewable, ..*beginning };
        let granted = self.granted(&beginning, begun.device_id, session, issued_at)?;
        self.logged_in(&granted, BY_TOKEN, true, beginning.carried);
        Ok(granted)
    }

    /// Whether a session that no claim says to be used may be given again: not when it was used
    /// here, nor once its first use would not be noticed any more.
    pub(super) fn may_repeat(&self, session: SessionId) -> bool {
        let young = self.store_now() < session.beginning().plus(REPEATED);
        young && !self.uses().has_seen(session)
    }

    /// The user id that somebody typed: a whole one of this server, or a localpart.
    pub(super) fn user_id_of(&self, user: &str) -> Option<String> {
        // Localparts of accounts are lower case (specification, appendix 4.2.1); people and their
        // keyboards are not.
        let user_id = match user.strip_prefix('@').map(|id| id.split_once(':')) {
            Some(Some((localpart, server))) => {
                format!("@{}:{server}", localpart.to_ascii_lowercase())
            }
            Some(None) => return None,
            None => self.server.user_id(&user.to_ascii_lowercase()),
        };
        let ours = UserId::parse(&user_id).is_ok_and(|id| id.server_name() == self.server.as_str());
        ours.then_some(user_id)
    }
}

impl Granted {
    /// What a repetition is given again.
    pub(super) fn remember(&self, spelling: &str, renewable: bool) -> String {
        let begun = Begun {
            session: self.session.to_string(),
            device_id: self.device_id.clone(),
            issued_at: self.issued_at.millis(),
            spelling: spelling.to_owned(),
            renewable,
        };
        serde_json::to_string(&begun).unwrap_or_default()
    }
}

pub(super) fn wrong(fault: LoginTokenFault) -> Denial {
    Declined::WrongLoginToken(fault).into()
}

/// Nobody who could log in, as a login token hears of it.
fn nobody(denial: Denial) -> Denial {
    match denial {
        Denial::Declined(Declined::WrongPassword) => wrong(LoginTokenFault::NoUser),
        denial => denial,
    }
}

fn refused(refusal: Refusal) -> Denial {
    wrong(LoginTokenFault::Refused(refusal))
}

/// What a repetition of this login may prove itself by. Nothing never equals nothing.
fn proofs(txn_id: Option<&str>, device_id: Option<&str>) -> Vec<String> {
    let proof = |sort: &str, value: Option<&str>| {
        let value = value.filter(|value| !value.is_empty() && !value.contains(['\n', '\r']))?;
        Some(format!("{sort} {value}"))
    };
    [proof("txn_id", txn_id), proof("device_id", device_id)].into_iter().flatten().collect()
}
