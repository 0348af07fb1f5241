//! Devices that an operator makes for others: one for each, however often it is asked for.
//!
//! A device that was provisioned and still lives is given another token of the same session; nothing
//! ends and nothing is made. This file refuses to know where the wishes come from.

use core::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::begin::{Beginning, Chosen};
use super::events::{Event, labels};
use super::generation::Mark;
use super::mint::Minting;
use super::{Caller, Denial, Failure, Service};
use crate::revocations::Revocations;
use crate::store::{Claim, StoreError, Tx};
use crate::time::Timestamp;
use crate::token::{Gate, KeyId, Kind, SessionId, Token};

/// A device that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Whose.
    pub user_id: &'a str,
    /// Its id; see [`device_of_label`] for one that has none.
    pub device_id: &'a str,
    /// What a new device is to be called.
    pub display_name: Option<&'a str>,
    /// Caveats of its token.
    pub caveats: &'a [&'a str],
    /// How long the token lives, in milliseconds; `None` for as long as the session.
    pub life: Option<u64>,
    /// Whether a session that lives on the device is ended for a new one.
    pub replace: bool,
}

/// A device that was provisioned, now or before.
pub struct Provisioned {
    /// The session that lives on it.
    pub session: SessionId,
    /// Its access token.
    pub token: Token,
    /// Whether the session has begun only now.
    pub new: bool,
}

/// Why a device was not provisioned. Nothing has happened then.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The account is not there.
    #[error("there is no user {0}: `amaretti user add` makes one")]
    NoUser(String),
    /// Somebody has logged in on the device by other means.
    #[error(
        "somebody has logged in on device {0} by other means and lives there: name another device, \
         or end that session by --replace"
    )]
    InUse(String),
    /// The account is locked or deactivated, or the token cannot be minted.
    #[error(transparent)]
    Denied(#[from] Denial),
}

impl From<StoreError> for ProvisionError {
    fn from(error: StoreError) -> Self {
        Self::Denied(error.into())
    }
}

/// The device that bears a label for a user: the same one at each call, and another for each user
/// and label.
#[must_use]
pub fn device_of_label(user_id: &str, label: &str) -> String {
    let digest = Sha256::new().chain_update(user_id).chain_update([0]).chain_update(label);
    let mut id = "LABEL_".to_owned();
    for byte in digest.finalize().iter().take(8) {
        // Writing into a text cannot fail.
        let _done = write!(id, "{byte:02X}");
    }
    id
}

impl Service {
    /// Gives a token for a device, beginning a session on it only when none lives there.
    ///
    /// # Errors
    /// [`ProvisionError`], and then nothing has happened.
    pub async fn provision(&self, wanted: &Wanted<'_>) -> Result<Provisioned, ProvisionError> {
        let Wanted { user_id, device_id, .. } = *wanted;
        self.make_known(user_id).await?;
        // Whoever else provisions for this user waits here, so that one of them makes the device.
        let mut tx = self.store().map_err(Denial::from)?.begin_for(user_id).await?;
        if tx.tick(user_id, self.now()).await?.is_none() {
            return Err(ProvisionError::NoUser(user_id.to_owned()));
        }
        let name = format!("provision:{user_id} {device_id}");
        let known = tx.claim_result(&name).await?;
        let device = tx.device(user_id, device_id).await?;
        let there = device.as_ref().map(|device| caller(wanted, device.session));
        let facts = match &there {
            Some(caller) => caller.facts(&mut tx).await?,
            None => Revocations::default(),
        };
        let lives = |caller: &Caller| caller.judge(&facts, Gate::EvenLocked).is_ok();
        if let Some(caller) = there.filter(lives)
            && !wanted.replace
        {
            if known != Some(caller.session.to_string()) {
                return Err(ProvisionError::InUse(device_id.to_owned()));
            }
            caller.judge(&facts, Gate::Unlocked).map_err(Denial::from)?;
            let (token, key) = self.token_for(wanted, caller.session)?;
            // The token given last is the one that counts: earlier ones hold up no retirement.
            tx.sign_first(caller.session, key).await?;
            tx.commit().await?;
            self.provisioned(wanted, caller.session, true);
            return Ok(Provisioned { session: caller.session, token, new: false });
        }
        if known.is_none() {
            let claim = Claim { name: &name, proofs: &[], expires_at: Timestamp::MAX };
            tx.claim(&claim, self.now()).await?;
        }
        let chosen = if device.is_some() { Chosen::Any } else { Chosen::Unknown };
        Ok(self.begin_provisioned(tx, wanted, chosen(device_id), &name).await?)
    }

    async fn begin_provisioned(
        &self,
        mut tx: Tx,
        wanted: &Wanted<'_>,
        chosen: Chosen<'_>,
        claim: &str,
    ) -> Result<Provisioned, Denial> {
        let beginning = Beginning {
            user_id: wanted.user_id,
            display_name: wanted.display_name,
            chosen,
            renewable: false,
            carried: wanted.caveats,
        };
        let (granted, fact) = self.begin(&mut tx, &beginning, None).await?;
        tx.finish_with(claim, &granted.session.to_string()).await?;
        let (token, _) = self.token_for(wanted, granted.session)?;
        tx.commit().await?;
        self.heard(fact.as_ref());
        self.provisioned(wanted, granted.session, false);
        self.inform(Some(wanted.user_id)).await;
        Ok(Provisioned { session: granted.session, token, new: true })
    }

    fn provisioned(&self, wanted: &Wanted<'_>, session: SessionId, repeated: bool) {
        self.tell(&Event::Login {
            user_id: wanted.user_id,
            device_id: wanted.device_id,
            session,
            by: "provision",
            repeated,
            labels: labels(wanted.caveats.iter().copied()),
        });
    }

    /// A token, and the key that signed it.
    fn token_for(&self, wanted: &Wanted<'_>, session: SessionId) -> Result<(Token, KeyId), Denial> {
        let (now, ring) = (self.now(), self.ring());
        let key = ring.minting_id().ok_or(Failure::NoMintingKey)?;
        let lives = [wanted.life, self.policy.access_cap].into_iter().flatten();
        let minting = Minting {
            user_id: wanted.user_id,
            device_id: Some(wanted.device_id),
            guest: false,
            session,
            mark: Mark { generation: 0, issued_at: now },
            renewable: false,
            carried: wanted.caveats,
            carried_on: &[],
        };
        let end = lives.min().map(|life| now.plus(life));
        Ok((self.sign(&ring, &minting, Kind::Access, end, wanted.caveats)?, key))
    }
}

fn caller(wanted: &Wanted<'_>, session: SessionId) -> Caller {
    Caller {
        user_id: wanted.user_id.to_owned(),
        device_id: Some(wanted.device_id.to_owned()),
        session,
        appended: Vec::new(),
        ends_at: None,
        minted_until: None,
    }
}
