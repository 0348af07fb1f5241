//! A user's own devices: list, rename, delete.
//!
//! Deleting a device ends its sessions. This file refuses to know how that was proved.

use super::interactive::Passed;
use super::{Caller, Declined, Denial, Event, Service};
use crate::ident::DeviceId;
use crate::revocations::Fact;
use crate::store::Device;
use crate::token::Gate;

impl Service {
    /// The devices of the caller's user.
    ///
    /// # Errors
    /// [`super::Failure`] when the store is away.
    pub async fn devices(&self, caller: &Caller) -> Result<Vec<Device>, Denial> {
        Ok(self.store()?.devices(Some(&caller.user_id)).await?)
    }

    /// One device of the caller's user.
    ///
    /// # Errors
    /// [`Declined::NoDevice`] when the user has none of this id.
    pub async fn device(&self, caller: &Caller, device_id: &str) -> Result<Device, Denial> {
        let device = self.store()?.read().await?.device(&caller.user_id, device_id).await?;
        Ok(device.ok_or(Declined::NoDevice)?)
    }

    /// Gives a device another display name.
    ///
    /// # Errors
    /// [`Declined::NoDevice`] when the user has none of this id.
    pub async fn rename_device(
        &self,
        caller: &Caller,
        device_id: &str,
        display_name: Option<&str>,
    ) -> Result<(), Denial> {
        let mut tx = self.judged(caller, Gate::Unlocked).await?;
        let name = display_name.map(super::begin::shortened);
        if !tx.rename_device(&caller.user_id, device_id, name.as_deref()).await? {
            return Err(Declined::NoDevice.into());
        }
        self.mark_name(&mut tx, &caller.user_id, device_id).await?;
        tx.commit().await?;
        self.inform(Some(&caller.user_id)).await;
        Ok(())
    }

    /// Deletes devices and ends their sessions. Those that are not there count as deleted.
    ///
    /// # Errors
    /// [`Declined::AlreadyDone`] when the proof was used before; [`super::Failure`] when the store
    /// is away, and then nothing has happened.
    pub async fn delete_devices(
        &self,
        caller: &Caller,
        device_ids: &[&str],
        passed: &Passed,
    ) -> Result<(), Denial> {
        let mut tx = self.judged(caller, Gate::Unlocked).await?;
        self.claim_passed(&mut tx, passed).await?;
        let from = self.tick(&mut tx, caller).await?;
        let mut facts = Vec::new();
        for device_id in device_ids.iter().filter(|id| DeviceId::parse(id).is_ok()) {
            tx.delete_renewals(&caller.user_id, Some(device_id), None).await?;
            tx.delete_devices(&caller.user_id, Some(device_id)).await?;
            self.mark(&mut tx, &caller.user_id, Some(device_id)).await?;
            // Also for one that is not on the list: tokens may have been minted offline for it.
            let (user, device) = (caller.user_id.as_str().into(), (**device_id).into());
            facts.push(Fact::Device { user, device, from });
        }
        for fact in &facts {
            self.append(&mut tx, fact, None)?;
        }
        tx.finish_with(&passed.claim(), "").await?;
        tx.commit().await?;
        facts.iter().for_each(|fact| self.heard(Some(fact)));
        self.tell(&Event::DevicesDeleted {
            user_id: &caller.user_id,
            session: caller.session,
            device_ids: device_ids.to_vec(),
        });
        self.inform(Some(&caller.user_id)).await;
        Ok(())
    }
}
