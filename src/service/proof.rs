//! The proofs behind the stages of interactive auth: a password, a registration token, a login token.
//!
//! This file refuses to know what is proved and what it is proved for.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{Caller, Declined, Denial, Service, Stage, Try};
use crate::store::{Claim, Claimed};
use crate::time::Timestamp;
use crate::token::{Occasion, Purpose, Scratch, SessionId};

impl Service {
    /// Counts a try at a stage.
    pub(super) fn may_try_stage(
        &self,
        stage: Stage,
        address: Option<IpAddr>,
    ) -> Result<(), Denial> {
        match stage {
            Stage::Dummy => Ok(()),
            Stage::Password => self.may_try(Try::Password, address),
            Stage::RegistrationToken => self.may_try(Try::Probe, address),
            Stage::LoginToken => self.may_try(Try::LoginToken, address),
        }
    }

    /// Whether a stage is passed, and if not, why. A registration token comes back to be used up.
    pub(super) async fn prove(
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
        let expires_at = bearer.identifier().expires_at.unwrap_or(Timestamp::MAX);
        let proofs: Vec<_> =
            txn_id.filter(|id| !id.is_empty()).map(str::to_owned).into_iter().collect();
        let name = format!("login:{}", bearer.session());
        let mut tx = self.store()?.begin_for(bearer.user_id().as_str()).await?;
        if tx.is_claimed(&asked_for(bearer.session())).await? {
            return Ok(Err(WRONG));
        }
        let claim = Claim { name: &name, proofs: &proofs, expires_at };
        match tx.claim(&claim, self.store_now()).await? {
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
