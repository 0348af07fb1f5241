//! User-interactive auth: which stages an operation asks for, and whether they have been passed.
//!
//! An operation is bound to its name, its caller and the caller's session; success is claimed once.
//! This file refuses to know what the operation does.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::sealed::Sealed;
use super::{Caller, Declined, Denial, Service, Try};
use crate::store::{Claim, Claimed, Tx};
use crate::token::{Occasion, Purpose, Scratch, SessionId};

/// One thing to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing.
    Dummy,
    /// The caller's password.
    Password,
    /// A registration token.
    RegistrationToken,
    /// A login token of the caller's, as specifications up to r0.6.1 had it.
    LoginToken,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Dummy, Self::Password, Self::RegistrationToken, Self::LoginToken];

    /// Its name in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dummy => "m.login.dummy",
            Self::Password => "m.login.password",
            Self::RegistrationToken => "m.login.registration_token",
            Self::LoginToken => "m.login.token",
        }
    }

    /// The stage of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// What is to be proved before an operation is done.
pub struct Asked<'a> {
    /// Its name, the thing it is about included.
    pub operation: &'a str,
    /// Who asks, if with a token.
    pub caller: Option<&'a Caller>,
    /// What the request brings under `auth`.
    pub auth: Option<&'a Map<String, Value>>,
    /// Any one of these will do, each a single stage.
    pub flows: &'a [Stage],
    /// Where the request comes from.
    pub address: Option<IpAddr>,
    /// What a new interactive session is to remember.
    pub remember: Map<String, Value>,
}

/// What has to be proved yet: the 401 of user-interactive auth.
#[derive(Debug, thiserror::Error)]
#[error("{}", .fault.unwrap_or("interactive auth is asked for"))]
pub struct Challenge {
    /// The text of the interactive session.
    pub session: String,
    /// The stages of which any one will do.
    pub flows: Vec<Stage>,
    /// Why the stage that was tried is not passed.
    pub fault: Option<&'static str>,
}

/// An operation that may be done now.
pub struct Passed {
    sealed: Sealed,
    /// The registration token that is to be used up.
    pub registration_token: Option<String>,
}

impl Passed {
    /// What the interactive session remembers of its first request.
    #[must_use]
    pub fn remembered(&self) -> &Map<String, Value> {
        &self.sealed.remembered
    }
}

impl Service {
    /// Checks what a request proves.
    ///
    /// # Errors
    /// [`Denial::Challenged`] with what is to be proved yet; [`Declined::OtherOperation`] for an
    /// interactive session that was opened for something or somebody else.
    pub async fn interact(&self, asked: Asked<'_>) -> Result<Passed, Denial> {
        let now = self.now();
        let given = asked.auth.and_then(|auth| auth.get("session")).and_then(Value::as_str);
        let known = given.and_then(|text| Sealed::open(text, &self.ring(), now));
        // A session that is no good any more proves nothing, and what its first request said is
        // lost: the client begins again.
        let lost = given.is_some() && known.is_none();
        let fresh = known.is_none();
        let sealed = match known {
            Some(sealed) if !sealed.is_for(asked.operation, asked.caller) => {
                return Err(Declined::OtherOperation.into());
            }
            Some(sealed) => sealed,
            None => Sealed::new(asked.operation, asked.caller, asked.remember.clone(), now)?,
        };
        let Some(auth) = asked.auth.filter(|_| !lost) else {
            return Err(self.challenge(&sealed, given, &asked, None));
        };
        if !fresh && let Some(passed) = self.passed_before(&sealed, &asked).await? {
            return Ok(passed);
        }
        let stage = match auth.get("type") {
            None | Some(Value::Null) => return Err(self.challenge(&sealed, given, &asked, None)),
            Some(name) => name.as_str().and_then(Stage::from_name),
        };
        let Some(stage) = stage.filter(|stage| asked.flows.contains(stage)) else {
            let fault = "this stage is not asked for here";
            return Err(self.challenge(&sealed, given, &asked, Some(fault)));
        };
        self.may_try_stage(stage, asked.address)?;
        match self.prove(stage, auth, asked.caller, &sealed.id).await? {
            Ok(registration_token) => Ok(Passed { sealed, registration_token }),
            Err(fault) => Err(self.challenge(&sealed, given, &asked, Some(fault))),
        }
    }

    /// Claims the success of an operation in the transaction that does it.
    ///
    /// # Errors
    /// [`Denial::Challenged`] when it was claimed before: each success is good for one operation.
    pub(super) async fn claim_passed(&self, tx: &mut Tx, passed: &Passed) -> Result<(), Denial> {
        match self.claim_operation(tx, passed).await? {
            Claimed::Now => Ok(()),
            Claimed::Before(_) | Claimed::Never => Err(Declined::AlreadyDone.into()),
        }
    }

    pub(super) async fn claim_operation(
        &self,
        tx: &mut Tx,
        passed: &Passed,
    ) -> Result<Claimed, Denial> {
        let claim = Claim {
            name: &passed.claim(),
            proofs: &["session".to_owned()],
            expires_at: passed.sealed.expires_at(),
        };
        Ok(tx.claim(&claim, self.now()).await?)
    }

    /// Whether a request goes on with an interactive session that is still good.
    pub(super) fn continues(&self, auth: Option<&Map<String, Value>>, operation: &str) -> bool {
        let given = auth.and_then(|auth| auth.get("session")).and_then(Value::as_str);
        let opened = given.and_then(|text| Sealed::open(text, &self.ring(), self.now()));
        opened.is_some_and(|sealed| sealed.is_for(operation, None))
    }

    /// What became of an interactive session whose operation was done, if it was.
    pub(super) async fn done_before(
        &self,
        auth: Option<&Map<String, Value>>,
        operation: &str,
    ) -> Result<Option<String>, Denial> {
        let given = auth.and_then(|auth| auth.get("session")).and_then(Value::as_str);
        let opened = given.and_then(|text| Sealed::open(text, &self.ring(), self.now()));
        let Some(sealed) = opened.filter(|sealed| sealed.is_for(operation, None)) else {
            return Ok(None);
        };
        Ok(self.store()?.read().await?.claim_result(&format!("interactive:{}", sealed.id)).await?)
    }

    /// Notes that a stage was passed out of band, on a fallback page. Gives why not, if it was not.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away.
    pub async fn pass_out_of_band(
        &self,
        session: &str,
        stage: Stage,
        auth: &Map<String, Value>,
        address: Option<IpAddr>,
    ) -> Result<Result<(), &'static str>, Denial> {
        self.may_try_stage(stage, address)?;
        let now = self.now();
        let Some(sealed) = Sealed::open(session, &self.ring(), now) else {
            return Ok(Err("this request has expired: go back and begin again"));
        };
        let caller = sealed.caller.clone();
        let caller = caller.and_then(|(user_id, session)| Caller::named(&user_id, &session));
        let value = match self.prove(stage, auth, caller.as_ref(), &sealed.id).await? {
            Ok(value) => value,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut tx = self.store()?.begin().await?;
        let end = sealed.expires_at();
        tx.pass_stage(&sealed.id, stage.name(), value.as_deref(), end, now).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn passed_before(
        &self,
        sealed: &Sealed,
        asked: &Asked<'_>,
    ) -> Result<Option<Passed>, Denial> {
        let passed = self.store()?.read().await?.stages_passed(&sealed.id).await?;
        let fits = |(name, _): &&(String, Option<String>)| {
            Stage::from_name(name).is_some_and(|stage| asked.flows.contains(&stage))
        };
        Ok(passed
            .iter()
            .find(fits)
            .map(|(_, value)| Passed { sealed: sealed.clone(), registration_token: value.clone() }))
    }

    /// A challenge keeps the text that the client sent: one interactive session has one name.
    fn challenge(
        &self,
        sealed: &Sealed,
        given: Option<&str>,
        asked: &Asked<'_>,
        fault: Option<&'static str>,
    ) -> Denial {
        let ring = self.ring();
        let known = given.filter(|text| Sealed::open(text, &ring, self.now()).is_some());
        let session = match known {
            Some(text) => Ok(text.to_owned()),
            None => sealed.seal(&ring),
        };
        match session {
            Ok(session) => {
                let flows = asked.flows.to_vec();
                Denial::Challenged(Box::new(Challenge { session, flows, fault }))
            }
            Err(failure) => failure.into(),
        }
    }

    fn may_try_stage(&self, stage: Stage, address: Option<IpAddr>) -> Result<(), Denial> {
        match stage {
            Stage::Dummy => Ok(()),
            Stage::Password => self.may_try(Try::Password, address),
            Stage::RegistrationToken => self.may_try(Try::Probe, address),
            Stage::LoginToken => self.may_try(Try::LoginToken, address),
        }
    }

    /// Whether a stage is passed, and if not, why. A registration token comes back to be used up.
    async fn prove(
        &self,
        stage: Stage,
        auth: &Map<String, Value>,
        caller: Option<&Caller>,
        interactive: &str,
    ) -> Result<Result<Option<String>, &'static str>, Denial> {
        let text = |key: &str| auth.get(key).and_then(Value::as_str);
        match stage {
            Stage::Dummy => Ok(Ok(None)),
            Stage::Password => {
                let user = text("user").or_else(|| {
                    auth.get("identifier").and_then(|i| i.get("user")).and_then(Value::as_str)
                });
                self.prove_password(caller, user, text("password").unwrap_or_default()).await
            }
            Stage::RegistrationToken => {
                let token = text("token").unwrap_or_default();
                let good = self.store()?.is_registration_token(token, self.now()).await?;
                Ok(if good {
                    Ok(Some(token.to_owned()))
                } else {
                    Err("invalid registration token")
                })
            }
            Stage::LoginToken => {
                let token = text("token").unwrap_or_default();
                let proof = format!("{PROOF} {interactive}");
                self.prove_login_token(caller, token, text("txn_id"), &proof).await
            }
        }
    }

    async fn prove_password(
        &self,
        caller: Option<&Caller>,
        user: Option<&str>,
        password: &str,
    ) -> Result<Result<Option<String>, &'static str>, Denial> {
        let mine = caller.map(|caller| caller.user_id.as_str());
        let typed = user.map(|user| self.user_id_of(user));
        if let Some(mine) = mine {
            self.may_try_account(mine)?;
        }
        let known = match mine {
            Some(user_id) => self.store()?.password_hash(user_id).await?,
            None => None,
        };
        let fits = self.passwords.check(password, known.as_deref()).await?;
        if typed.is_some_and(|typed| typed.as_deref() != mine) {
            return Err(Declined::OtherUser.into());
        }
        Ok(if fits { Ok(None) } else { Err("invalid password") })
    }

    /// A login token proves who its holder is, once. A narrowed one proves nothing here: it was
    /// handed on to do less, and this would let it do more. Nor does one that a session asked for:
    /// a stolen session would live for ever by it.
    async fn prove_login_token(
        &self,
        caller: Option<&Caller>,
        token: &str,
        txn_id: Option<&str>,
        proof: &str,
    ) -> Result<Result<Option<String>, &'static str>, Denial> {
        const WRONG: &str = "invalid login token";
        let occasion = Occasion::new(Purpose::Login, self.now());
        let mut scratch = Scratch::new();
        let bearer = match self.admit(token, &mut scratch, &occasion) {
            Ok(bearer) => bearer,
            Err(Denial::Refused(_)) => return Ok(Err(WRONG)),
            Err(denial) => return Err(denial),
        };
        let mine = caller.is_some_and(|caller| caller.user_id == bearer.user_id().as_str());
        if !mine || bearer.appended().next().is_some() {
            return Ok(Err(WRONG));
        }
        let expires_at = bearer.identifier().expires_at.unwrap_or(crate::time::Timestamp::MAX);
        let proofs: Vec<_> =
            txn_id.filter(|id| !id.is_empty()).map(str::to_owned).into_iter().collect();
        let name = format!("login:{}", bearer.session());
        let mut tx = self.store()?.begin().await?;
        if tx.is_claimed(&asked_for(bearer.session())).await? {
            return Ok(Err(WRONG));
        }
        let claim = Claim { name: &name, proofs: &proofs, expires_at };
        match tx.claim(&claim, self.now()).await? {
            Claimed::Now => {
                tx.finish_with(&name, proof).await?;
                tx.commit().await?;
                Ok(Ok(None))
            }
            // One that was spent on a login, or proved something else, is no proof.
            Claimed::Before(result) if result == proof => Ok(Ok(None)),
            Claimed::Before(_) | Claimed::Never => Ok(Err(WRONG)),
        }
    }
}

/// How the result of a login token begins that was spent as a proof; the name of the interactive
/// session that it proved something in follows.
pub(super) const PROOF: &str = "proof";

/// The name under which it is remembered that a session asked for a login token.
pub(super) fn asked_for(session: SessionId) -> String {
    format!("asked for:{session}")
}

impl Passed {
    /// The name that the success of this operation is claimed under.
    pub(super) fn claim(&self) -> String {
        format!("interactive:{}", self.sealed.id)
    }
}
