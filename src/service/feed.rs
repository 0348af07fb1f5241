//! Following the feed: what others commit reaches this node's memory.
//!
//! Everything is read before the node answers anybody, then what is new, ten times a second; a
//! change made by the command line counts here within 250 ms. This file refuses to know what a
//! fact does to a session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::uses::Use;
use super::{Denial, Failure, KeyCare, Part, Service};
use crate::revocations::Fact;
use crate::store::{Cursor, Store, StoreError};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a look may take; then the store counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a node stands in the feed.
pub struct Following {
    service: Arc<Service>,
    store: Store,
    cursor: Option<Cursor>,
    care: Arc<KeyCare>,
    heard: Instant,
    max_staleness: Duration,
    /// First uses that the store has not been told of yet.
    untold: Vec<Use>,
}

impl Following {
    /// Reads the whole feed into the memory of `service`.
    ///
    /// # Errors
    /// [`Failure`] when the store is away.
    pub async fn start(
        service: Arc<Service>,
        care: Arc<KeyCare>,
        max_staleness: Duration,
    ) -> Result<Self, Denial> {
        let store = service.store()?.clone();
        let left = store.read().await?.predecessors_left().await?;
        service.passwords.predecessors_left(left);
        for (session, until) in store.unused_sessions().await? {
            service.uses().expect(session, until, service.now());
        }
        let heard = Instant::now();
        let mut following =
            Self { service, store, cursor: None, care, heard, max_staleness, untold: Vec::new() };
        while following.step().await? > 0 {}
        Ok(following)
    }

    /// Follows until `stop` says so. Never gives up: a store that is away is asked again.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let looked = timeout(PATIENCE, self.step()).await;
            self.judge(looked.unwrap_or(Err(StoreError::Silent)));
            let stopped = tokio::select! {
                () = sleep(PAUSE) => false,
                used = self.service.uses().fresh() => {
                    self.untold.extend(used);
                    false
                }
                _ = stop.wait_for(|stop| *stop) => true,
            };
            self.report().await;
            if stopped {
                return;
            }
        }
    }

    /// Reads what is new; gives how many entries there were.
    async fn step(&mut self) -> Result<usize, StoreError> {
        let Some(entries) = self.store.facts_after(self.cursor.as_ref()).await? else {
            // The row we stood on is gone: the store was replaced. Facts merge by maximum, so
            // reading all of them again forgets nothing that was heard before.
            tracing::warn!(
                "the feed is not the one followed so far; reading it again from the start"
            );
            self.cursor = None;
            return Ok(1);
        };
        let count = entries.len();
        for entry in entries {
            match entry.fact {
                Fact::Key { id, state } => self.care.learn(id, state),
                fact => self.service.heard(Some(&fact)),
            }
            self.cursor = Some(entry.cursor);
        }
        Ok(count)
    }

    fn judge(&mut self, looked: Result<usize, StoreError>) {
        match looked {
            Ok(_) => {
                if self.service.is_stale() {
                    tracing::info!("the feed is heard again");
                }
                self.heard = Instant::now();
                self.service.set_stale(false);
            }
            Err(error) => {
                self.service.metrics().store_failed(Part::Feed);
                let silent = self.heard.elapsed();
                tracing::warn!(%error, silent_ms = silent.as_millis(), "cannot follow the feed");
                if silent > self.max_staleness {
                    self.service.set_stale(true);
                }
            }
        }
    }

    /// Tells the store which tokens have been used for the first time; what cannot be told now is
    /// told later.
    async fn report(&mut self) {
        while let Some(used) = self.untold.last() {
            if let Err(error) = self.service.report(used).await {
                tracing::warn!(%error, session = %used.session, "cannot write that a token was used");
                return;
            }
            self.untold.pop();
        }
    }
}

impl Service {
    /// Whether logins can be served here: the store answers and there is a key to mint with.
    pub async fn can_issue(&self) -> Result<(), Failure> {
        let store = self.store()?;
        self.ring().minting_id().ok_or(Failure::NoMintingKey)?;
        let answers = timeout(PATIENCE, store.read()).await;
        answers.map_err(|_| Failure::Stale)?.map(|_| ()).map_err(Failure::from)
    }
}
