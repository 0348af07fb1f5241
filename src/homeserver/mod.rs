//! The link to the homeserver behind: it has to know of users and devices before their first
//! request, and of their end soon after.
//!
//! One process at a time tells of one user: it takes a hold, which runs out by itself, and what it
//! tells keeps its order. Before anything is told a mark is written, so that a process that dies
//! leaves behind what is to be looked at again. No call is made inside a transaction. This file
//! refuses to know who logs in by what right.

mod outbox;
mod synapse;
mod yaml;

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

pub use synapse::{Fault, Synapse};
pub use yaml::{Engine, HomeserverYaml, Listening, Proof, YamlError};

use crate::ident::{ServerName, UserId};
use crate::random::random;
use crate::store::{Store, StoreError, Tx};
use synapse::{Account, Name};

/// How long a hold lasts, in milliseconds: longer than what is done under one may take.
const HOLD: u64 = 30_000;

/// For how long into a hold calls are begun.
const BEGUN: Duration = Duration::from_secs(20);

/// How long to wait for another's hold.
const WAIT: Duration = Duration::from_secs(10);

/// Why the homeserver was not told.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A call came to nothing.
    #[error(transparent)]
    Call(#[from] Fault),
    /// Somebody else is telling it of the same user, and takes long.
    #[error("the homeserver is being told of this user by another process")]
    Busy,
    /// What was begun took so long that another may have taken it over.
    #[error("telling the homeserver took too long")]
    Late,
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The homeserver has an account of this name, or keeps the name for somebody.
    #[error("the homeserver has this username already, or keeps it for somebody")]
    Taken,
    /// No account of the homeserver can bear this name.
    #[error("the homeserver does not allow this username")]
    Invalid,
    /// The homeserver's account has been deactivated.
    #[error("the homeserver has deactivated this account")]
    Deactivated,
    /// There is no account of this name at the homeserver.
    #[error("the homeserver has no account of this name")]
    Absent,
}

/// The link to the homeserver.
pub struct Link {
    synapse: Synapse,
    store: Store,
    server: ServerName,
    wake: Notify,
}

impl Link {
    /// A link that keeps its marks and holds in `store`.
    #[must_use]
    pub fn new(synapse: Synapse, store: Store, server: ServerName) -> Arc<Self> {
        Arc::new(Self { synapse, store, server, wake: Notify::new() })
    }

    /// Whether the homeserver would let an account of this name be made.
    ///
    /// # Errors
    /// [`LinkError::Taken`] and [`LinkError::Invalid`] when it would not.
    pub async fn check_name(&self, user_id: &str) -> Result<(), LinkError> {
        match self.synapse.name(localpart(user_id)).await? {
            Name::Free => Ok(()),
            Name::Taken => Err(LinkError::Taken),
            Name::Invalid => Err(LinkError::Invalid),
        }
    }

    /// Takes the hold on a user, waiting for whoever has it.
    ///
    /// # Errors
    /// [`LinkError::Busy`] when that takes too long.
    pub async fn hold(self: &Arc<Self>, user_id: &str) -> Result<Held, LinkError> {
        let until = Instant::now() + WAIT;
        let mut pause = Duration::from_millis(10);
        loop {
            if let Some(held) = self.try_hold(user_id).await? {
                return Ok(held);
            }
            if Instant::now() + pause > until {
                return Err(LinkError::Busy);
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    async fn try_hold(self: &Arc<Self>, user_id: &str) -> Result<Option<Held>, LinkError> {
        let holder = format!("{:032x}", u128::from_be_bytes(random().map_err(StoreError::from)?));
        // Counted from before it was taken, so that it seems to end sooner than it does.
        let since = Instant::now();
        if !self.store.take_hold(user_id, &holder, HOLD).await? {
            return Ok(None);
        }
        let (link, user_id) = (self.clone(), user_id.to_owned());
        let marks = Vec::new();
        Ok(Some(Held { link, user_id, holder, since, marks, state: State::Taken }))
    }

    fn is_ours(&self, user_id: &str) -> bool {
        UserId::parse(user_id).is_ok_and(|id| id.server_name() == self.server.as_str())
    }
}

fn localpart(user_id: &str) -> &str {
    UserId::parse(user_id).map(UserId::localpart).unwrap_or_default()
}

/// What is to become of a hold when it is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is let go.
    Taken,
    /// It is left to run out: a call that was given up may still arrive.
    Unsure,
    /// It has been let go.
    Released,
}

/// The right to tell the homeserver of one user. Dropped, it is let go, and its marks stay.
pub struct Held {
    link: Arc<Link>,
    user_id: String,
    holder: String,
    since: Instant,
    /// What was marked under it: devices and stamps.
    marks: Vec<(Option<String>, String)>,
    state: State,
}

impl Held {
    /// Makes sure that the homeserver has the account, and that it is this one. One that it was
    /// never told of is made now.
    ///
    /// # Errors
    /// [`LinkError::Taken`] when it has another account of this name, [`LinkError::Deactivated`]
    /// when it has ended this one.
    pub async fn account(&mut self) -> Result<(), LinkError> {
        let known = self.link.store.read().await?.is_at_homeserver(&self.user_id).await?;
        if known != Some(true) {
            return self.introduce().await;
        }
        let name = localpart(&self.user_id).to_owned();
        let account = self.call(self.link.clone().synapse.account(&name)).await?;
        match account {
            Account::Active => Ok(()),
            Account::Deactivated => Err(LinkError::Deactivated),
            Account::Absent => self.introduce().await,
        }
    }

    /// Has the homeserver make the account. It never takes one over that is there.
    ///
    /// # Errors
    /// [`LinkError::Taken`] when there is one of this name, [`LinkError::Invalid`] when nobody can
    /// bear it.
    pub async fn introduce(&mut self) -> Result<(), LinkError> {
        let link = self.link.clone();
        let name = localpart(&self.user_id).to_owned();
        let mut found = self.call(link.synapse.name(&name)).await?;
        if found == Name::Free {
            found = self.call(link.synapse.provision(&name)).await?;
        }
        match found {
            Name::Free => self.adopted().await,
            Name::Taken => Err(LinkError::Taken),
            Name::Invalid => Err(LinkError::Invalid),
        }
    }

    /// Takes over an account that the homeserver has: an operator's word that it is this one. One
    /// that it had deactivated is active again.
    ///
    /// # Errors
    /// [`LinkError::Absent`] when it has none of this name.
    pub async fn adopt(&mut self) -> Result<(), LinkError> {
        let link = self.link.clone();
        let name = localpart(&self.user_id).to_owned();
        match self.call(link.synapse.account(&name)).await? {
            Account::Absent => return Err(LinkError::Absent),
            Account::Active => {}
            Account::Deactivated => self.call(link.synapse.reactivate_user(&name)).await?,
        }
        self.adopted().await
    }

    async fn adopted(&mut self) -> Result<(), LinkError> {
        let mut tx = self.link.store.begin_for(&self.user_id).await?;
        tx.set_at_homeserver(&self.user_id).await?;
        Ok(tx.commit().await?)
    }

    /// Has the homeserver know a device. A new one bears the display name; one that is there keeps
    /// its own.
    ///
    /// # Errors
    /// [`LinkError::Call`] when it does not; the mark that was left has it looked at again.
    pub async fn device(&mut self, id: &str, display_name: Option<&str>) -> Result<(), LinkError> {
        let link = self.link.clone();
        let mut tx = link.store.begin_for(&self.user_id).await?;
        let known = tx.device(&self.user_id, id).await?.is_some();
        let stamp = tx.mark(&self.user_id, Some(id), false).await?;
        tx.commit().await?;
        self.marks.push((Some(id.to_owned()), stamp));
        let name = localpart(&self.user_id).to_owned();
        let display_name = display_name.filter(|_| !known);
        self.call(link.synapse.upsert_device(&name, id, display_name)).await
    }

    /// Makes a call under this hold.
    async fn call<T>(
        &mut self,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, LinkError> {
        if self.since.elapsed() > BEGUN {
            return Err(LinkError::Late);
        }
        // Dropped in the middle of a call it is as if that had not been answered.
        let before = std::mem::replace(&mut self.state, State::Unsure);
        let done = call.await;
        if !matches!(done, Err(Fault::Silent)) {
            self.state = before;
        }
        Ok(done?)
    }

    /// Commits what was told under this hold: its marks go and it is let go, all in one.
    ///
    /// # Errors
    /// [`LinkError::Late`] when another has taken it over; then nothing was done, and the marks
    /// stay.
    pub async fn commit(mut self, mut tx: Tx) -> Result<(), LinkError> {
        for (device, stamp) in take(&mut self.marks) {
            tx.unmark(&self.user_id, device.as_deref(), &stamp).await?;
        }
        if !tx.release_hold(&self.user_id, &self.holder).await? {
            return Err(LinkError::Late);
        }
        tx.commit().await?;
        self.state = State::Released;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.state != State::Taken {
            return;
        }
        let (store, user_id) = (self.link.store.clone(), take(&mut self.user_id));
        let holder = take(&mut self.holder);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // What is not let go here runs out by itself.
        runtime.spawn(async move {
            if let Err(error) = store.release_hold(&user_id, &holder).await {
                tracing::debug!(%error, "a hold is left to run out");
            }
        });
    }
}
