//! What the homeserver behind is made to know: a device before its session begins, and soon after
//! whatever ends.
//!
//! Without a homeserver all of this is nothing. This file refuses to know how it is told.

use std::sync::Arc;

use super::begin::{Beginning, Chosen, new_device_id};
use super::events::Event;
use super::{Declined, Denial, Failure, Service};
use crate::homeserver::{Held, Link, LinkError};
use crate::store::{Device, Tx};

/// A device that the homeserver knows and on which a session may begin.
pub(super) struct Announced {
    pub(super) device_id: String,
    held: Held,
}

impl From<LinkError> for Denial {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Store(error) => error.into(),
            LinkError::Taken => Declined::UserInUse.into(),
            LinkError::Invalid => Declined::InvalidUsername.into(),
            LinkError::Deactivated => Declined::WrongPassword.into(),
            LinkError::Absent => Declined::NobodyToAdopt.into(),
            LinkError::Call(_) | LinkError::Busy | LinkError::Late => {
                Failure::Homeserver(Box::new(error)).into()
            }
        }
    }
}

impl Service {
    /// The same service with a homeserver that it tells of users and devices.
    #[must_use]
    pub fn linked(self, link: Option<Arc<Link>>) -> Self {
        Self { link, ..self }
    }

    /// Whether the homeserver lets an account of this name be made.
    pub(super) async fn check_name_behind(&self, user_id: &str) -> Result<(), Denial> {
        match &self.link {
            Some(link) => Ok(link.check_name(user_id).await?),
            None => Ok(()),
        }
    }

    /// The right to tell the homeserver of a user, where there is one.
    pub(super) async fn hold(&self, user_id: &str) -> Result<Option<Held>, Denial> {
        match &self.link {
            Some(link) => Ok(Some(link.hold(user_id).await?)),
            None => Ok(None),
        }
    }

    /// Has the homeserver know the device that a session is to begin on.
    pub(super) async fn announce(
        &self,
        beginning: &Beginning<'_>,
    ) -> Result<Option<Announced>, Denial> {
        let user_id = beginning.user_id;
        if self.link.is_none() {
            return Ok(None);
        }
        let facts = self.store()?.read().await?.facts_about_account(user_id).await?;
        self.may_begin(user_id, &facts)?;
        let Some(mut held) = self.hold(user_id).await? else { return Ok(None) };
        held.account().await.map_err(|error| match error {
            // Somebody is known here by a name that another bears there.
            LinkError::Taken | LinkError::Invalid => Declined::NotAdopted.into(),
            error => Denial::from(error),
        })?;
        Ok(Some(self.announce_under(held, beginning).await?))
    }

    /// Has the homeserver make the account of a user of whom it has never heard.
    pub(super) async fn make_known(&self, user_id: &str) -> Result<(), Denial> {
        if self.link.is_none() {
            return Ok(());
        }
        let known = self.store()?.read().await?.is_at_homeserver(user_id).await?;
        if known == Some(false)
            && let Some(mut held) = self.hold(user_id).await?
        {
            held.introduce().await?;
        }
        Ok(())
    }

    /// As [`Self::announce`], for whoever has the hold and knows that the account is there.
    pub(super) async fn announce_under(
        &self,
        mut held: Held,
        beginning: &Beginning<'_>,
    ) -> Result<Announced, Denial> {
        let device_id = match beginning.chosen {
            Chosen::New => new_device_id()?,
            Chosen::Unknown(id) | Chosen::Any(id) => id.to_owned(),
        };
        let name = beginning.display_name.map(super::begin::shortened);
        held.device(&device_id, name.as_deref()).await?;
        Ok(Announced { device_id, held })
    }

    /// Commits the beginning of a session.
    pub(super) async fn commit(&self, tx: Tx, announced: Option<Announced>) -> Result<(), Denial> {
        match announced {
            Some(announced) => Ok(announced.held.commit(tx).await?),
            None => Ok(tx.commit().await?),
        }
    }

    /// Marks, inside the transaction that changes it, that the homeserver may not know how a device
    /// stands, or an account and all its devices.
    pub(super) async fn mark(
        &self,
        tx: &mut Tx,
        user_id: &str,
        device_id: Option<&str>,
    ) -> Result<(), Denial> {
        if self.link.is_some() {
            tx.mark(user_id, device_id, false).await?;
        }
        Ok(())
    }

    /// As [`Self::mark`], for a device that has been put there.
    pub(super) async fn mark_device(&self, tx: &mut Tx, device: &Device) -> Result<(), Denial> {
        match &device.display_name {
            Some(_) => self.mark_name(tx, &device.user_id, &device.device_id).await,
            None => self.mark(tx, &device.user_id, Some(&device.device_id)).await,
        }
    }

    /// As [`Self::mark`], for a display name that was changed.
    pub(super) async fn mark_name(
        &self,
        tx: &mut Tx,
        user_id: &str,
        device_id: &str,
    ) -> Result<(), Denial> {
        if self.link.is_some() {
            tx.mark(user_id, Some(device_id), true).await?;
        }
        Ok(())
    }

    /// Has the homeserver hear what is marked of a user; it is waited for two seconds at most, and
    /// told later if that is not enough.
    pub(super) async fn inform(&self, user_id: Option<&str>) {
        if let (Some(link), Some(user_id)) = (&self.link, user_id) {
            link.tell(user_id).await;
        }
    }

    /// Adds an account, by an operator's hand, at the homeserver too; `false` when there is one of
    /// this name already. With `adopt` it is the homeserver's account of this name, which must be
    /// there, and one that is here already is declared to be that.
    ///
    /// # Errors
    /// [`Declined::UserInUse`] when the homeserver has one of this name and it is not to be
    /// adopted; [`Failure`] when either cannot be told.
    pub async fn add_account(
        &self,
        user_id: &str,
        password_hash: &str,
        adopt: bool,
    ) -> Result<bool, Denial> {
        let Some(mut held) = self.hold(user_id).await? else {
            let mut tx = self.store()?.begin_for(user_id).await?;
            let added = tx.add_user(user_id, password_hash, self.now()).await?;
            tx.commit().await?;
            if added {
                self.tell(&Event::UserAdded { user_id });
            }
            return Ok(added);
        };
        let exists = self.store()?.password_hash(user_id).await?.is_some();
        if exists && !adopt {
            return Ok(false);
        }
        if adopt { held.adopt().await } else { held.introduce().await }?;
        let mut tx = self.store()?.begin_for(user_id).await?;
        tx.add_user(user_id, password_hash, self.now()).await?;
        tx.set_at_homeserver(user_id).await?;
        held.commit(tx).await?;
        self.tell(&Event::UserAdded { user_id });
        Ok(true)
    }
}
