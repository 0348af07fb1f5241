//! Telling the homeserver what it may not know: marks are settled by looking how things stand now.
//!
//! What happened in between does not matter, so nothing is told twice or in the wrong order: a
//! device that logged in again is there, and is not deleted for what was before. This file refuses
//! to know why something was marked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Fault, Held, Link, LinkError, localpart};
use crate::ident::UserId;
use crate::revocations::Standing;
use crate::store::Untold;

/// How long whoever ends something waits for the homeserver to know.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait between two looks, and the most when the homeserver is away.
const PAUSE: Duration = Duration::from_secs(1);
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// How many users are looked at in one go.
const MOST: i64 = 100;

/// How a mark is settled.
enum Telling {
    /// Nothing: the homeserver's account of this name is not this one.
    Nothing,
    /// The account has ended.
    End,
    /// These are all the devices.
    Devices(Vec<String>),
    /// The device is there, with this name if that was changed here.
    Device(String, Option<String>),
    /// The device is not there.
    NoDevice(String),
}

impl Link {
    /// Tells of a user what is marked, and waits for that two seconds at most; what has not been
    /// told by then is told later.
    pub async fn tell(self: &Arc<Self>, user_id: &str) {
        let (link, user_id) = (self.clone(), user_id.to_owned());
        // In a task of its own, which goes on when nobody waits for it any more.
        let telling = tokio::spawn(async move {
            if let Err(error) = link.settle(&user_id).await {
                tracing::warn!(%error, user_id, "the homeserver is told later");
            }
        });
        let _later = timeout(PATIENCE, telling).await;
    }

    /// Settles marks until `stop` says so.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wake.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            match self.round().await {
                Ok(()) => pause = PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "the homeserver cannot be told");
                    pause = (pause * 2).min(LONG_PAUSE);
                }
            }
        }
    }

    /// Looks at everybody who is marked once. Gives up when the homeserver is away: it is for all.
    async fn round(self: &Arc<Self>) -> Result<(), LinkError> {
        let users = self.store.users_to_tell_of(MOST).await?;
        if i64::try_from(users.len()) == Ok(MOST) {
            self.wake.notify_one();
        }
        for user_id in users {
            let Some(held) = self.try_hold(&user_id).await? else { continue };
            match self.settle_under(held).await {
                Ok(()) | Err(LinkError::Late) => {}
                Err(error @ LinkError::Call(Fault::Refused { .. })) => {
                    tracing::error!(%error, user_id, "the homeserver does not take what it is told");
                    let attempts = self.store.read().await?.marks_of(&user_id).await?;
                    let attempts = attempts.iter().map(|mark| mark.attempts).max();
                    self.store.put_off(&user_id, attempts.unwrap_or_default()).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Settles what is marked of one user.
    ///
    /// # Errors
    /// [`LinkError`] for the first thing that could not be told; its mark stays.
    pub async fn settle(self: &Arc<Self>, user_id: &str) -> Result<(), LinkError> {
        if self.store.read().await?.marks_of(user_id).await?.is_empty() {
            return Ok(());
        }
        let held = self.hold(user_id).await?;
        self.settle_under(held).await
    }

    async fn settle_under(self: &Arc<Self>, mut held: Held) -> Result<(), LinkError> {
        let marks = self.store.read().await?.marks_of(&held.user_id).await?;
        for mark in marks {
            let telling = self.telling(&mark).await?;
            held.told(telling).await?;
            held.marks.push((mark.device_id, mark.stamp));
        }
        let tx = self.store.begin_for(&held.user_id).await?;
        held.commit(tx).await
    }

    /// How what is marked stands now.
    async fn telling(&self, mark: &Untold) -> Result<Telling, LinkError> {
        let Untold { user_id, device_id, renamed, .. } = mark;
        let mut tx = self.store.read().await?;
        let ours = self.is_ours(user_id) && tx.is_at_homeserver(user_id).await? == Some(true);
        let Ok(user) = UserId::parse(user_id) else { return Ok(Telling::Nothing) };
        if !ours {
            return Ok(Telling::Nothing);
        }
        let ended = tx.facts_about_account(user_id).await?.account(user) == Standing::Deactivated;
        Ok(match device_id {
            _ if ended => Telling::End,
            None => {
                drop(tx);
                let devices = self.store.devices(Some(user_id)).await?;
                Telling::Devices(devices.into_iter().map(|device| device.device_id).collect())
            }
            Some(id) => match tx.device(user_id, id).await? {
                Some(device) => {
                    let name = device.display_name.unwrap_or_default();
                    Telling::Device(device.device_id, renamed.then_some(name))
                }
                None => Telling::NoDevice(id.clone()),
            },
        })
    }
}

impl Held {
    async fn told(&mut self, telling: Telling) -> Result<(), LinkError> {
        let link = self.link.clone();
        let name = localpart(&self.user_id).to_owned();
        match telling {
            Telling::Nothing => Ok(()),
            Telling::End => self.call(link.synapse.delete_user(&name)).await,
            Telling::Devices(ids) => self.call(link.synapse.sync_devices(&name, &ids)).await,
            Telling::Device(id, display_name) => {
                self.call(link.synapse.upsert_device(&name, &id, display_name.as_deref())).await
            }
            Telling::NoDevice(id) => self.call(link.synapse.delete_device(&name, &id)).await,
        }
    }
}
