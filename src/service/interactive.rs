//! User-interactive auth: which stages an operation asks for, and whether they have been passed.
//!
//! An operation is bound to its name, its caller and the caller's session; success is claimed once.
//! This file refuses to know what the operation does.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::sealed::Sealed;
use super::{Caller, Declined, Denial, Event, Service};
use crate::store::{Claim, Claimed, Tx};

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
            Err(fault) => {
                self.not_proved(asked.caller, asked.operation, fault);
                Err(self.challenge(&sealed, given, &asked, Some(fault)))
            }
        }
    }

    fn not_proved(&self, caller: Option<&Caller>, operation: &str, words: &str) {
        let user_id = caller.map(|caller| caller.user_id.as_str());
        let session = caller.map(|caller| caller.session);
        self.tell(&Event::ProofFailed { user_id, session, operation, words });
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
        Ok(tx.claim(&claim, self.store_now()).await?)
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
            Err(fault) => {
                self.not_proved(caller.as_ref(), &sealed.operation, fault);
                return Ok(Err(fault));
            }
        };
        let mut tx = self.store()?.begin().await?;
        let end = sealed.expires_at();
        tx.pass_stage(&sealed.id, stage.name(), value.as_deref(), end).await?;
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
}

impl Passed {
    /// The name that the success of this operation is claimed under.
    pub(super) fn claim(&self) -> String {
        format!("interactive:{}", self.sealed.id)
    }
}
