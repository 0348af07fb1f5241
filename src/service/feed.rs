//! Following the feed: what others commit reaches this node's memory.
//!
//! Everything is read before the node answers anybody, then what is new, ten times a second; a
//! change made by the command line counts here within 250 ms. A feed that is not the one followed
//! so far is read once more from its beginning. This file refuses to know what a fact does to a
//! session.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::keeper::Keeper;
use super::lost::{Lost, Rereading};
use super::pulse::Pulse;
use super::{Denial, Failure, KeyCare, Part, Service};
use crate::store::{Cursor, Listener, Look, Moment, Origin, Rights, Snapshot, Store, StoreError};

/// How long to wait between two looks where nobody says that there is something new.
const PAUSE: Duration = Duration::from_millis(100);

/// How long to wait between two looks where somebody does: he may have fallen silent.
const LISTENING: Duration = Duration::from_millis(200);

/// How long to wait before trying again to listen.
const DEAF: Duration = Duration::from_secs(5);

/// How much older than what is known a snapshot may say it is before it is told better. What was
/// known late, because the store was away, is thus no older on the disk once it is fresh again.
const MARK: Duration = Duration::from_secs(5);

/// How long a look may take; then the store counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a node stands in the feed.
pub struct Following {
    service: Arc<Service>,
    store: Store,
    care: Arc<KeyCare>,
    cursor: Option<Cursor>,
    /// How often the feed had been compacted before what is known here was read.
    compactions: i64,
    /// The look at what comes next, while what came before it is learned.
    ahead: Option<JoinHandle<Result<Look, StoreError>>>,
    pulse: Arc<Pulse>,
    /// When the newest beat was written that was read back.
    proven: Option<Instant>,
    /// What the store holds, while all of it is read once more.
    rereading: Option<Rereading>,
    lost: Arc<Lost>,
    keeper: Option<Keeper>,
    /// Whether all there is has been read once.
    caught_up: bool,
    /// How fresh what this node knows was when the snapshot was last told.
    marked: Option<Instant>,
}

impl Following {
    /// Reads the whole feed into the memory of `service`. With a `folder`, what the snapshot there
    /// holds is taken in first, and only what came after it is read; a store that is away is then
    /// no reason not to start. A snapshot is kept there from then on.
    ///
    /// # Errors
    /// [`Failure`] when the store is away and there is no snapshot of it.
    pub async fn start(
        service: Arc<Service>,
        care: Arc<KeyCare>,
        max_staleness: Duration,
        folder: Option<PathBuf>,
    ) -> Result<Self, Denial> {
        let store = service.store.clone().ok_or(Failure::NoStore)?;
        let node = care.process();
        let pulse = Pulse::new(service.clone(), store.clone(), node, max_staleness);
        let mut following = Self {
            service,
            store,
            care,
            cursor: None,
            compactions: 0,
            ahead: None,
            pulse: Arc::new(pulse),
            proven: None,
            rereading: None,
            lost: Arc::default(),
            keeper: None,
            caught_up: false,
            marked: None,
        };
        following.begin(folder).await?;
        Ok(following)
    }

    async fn begin(&mut self, folder: Option<PathBuf>) -> Result<(), StoreError> {
        let recognised = self.store.recognise().await;
        if let Some(folder) = &folder {
            self.recall(folder, recognised.as_ref().ok().copied()).await;
        }
        let caught_up = match recognised {
            Ok(_) => self.catch_up().await,
            Err(error) => Err(error),
        };
        match caught_up {
            Err(error) if self.cursor.is_some() => {
                tracing::warn!(%error, "the store is away: starting from the snapshot");
            }
            caught_up => caught_up?,
        }
        self.pulse.judge();
        if let Some(folder) = folder {
            let origin = Origin { store: self.store.id(), compactions: self.compactions };
            let (service, care) = (self.service.clone(), self.care.clone());
            self.keeper = Some(Keeper::new(folder, origin, service, care));
            self.mark();
        }
        Ok(())
    }

    /// Takes in the snapshot, if there is one; but not if the feed can be read and was compacted since
    /// it was begun: it remembers what was dropped. `compactions` is as the store counts them, if it
    /// answers.
    async fn recall(&mut self, folder: &Path, compactions: Option<i64>) {
        self.compactions = compactions.unwrap_or_default();
        let Some(snapshot) = Snapshot::open(folder, self.store.id()) else { return };
        let begun = snapshot.compactions();
        if compactions.is_some_and(|now| now != begun) && self.is_superseded(folder).await {
            tracing::info!("the feed was compacted: all of it is read, and not the snapshot");
            return;
        }
        self.compactions = begun;
        let (service, care) = (self.service.clone(), self.care.clone());
        let recalled = spawn_blocking(move || Keeper::take_in(snapshot, &service, &care));
        let Ok(Some(mark)) = recalled.await else { return };
        match Moment::now(self.service.now()).since(&mark.heard) {
            Some(age) => self.service.freshness.heard(Duration::from_millis(age)),
            None => tracing::warn!("the clock stands before the snapshot: its age is not known"),
        }
        self.service.freshness.stand_at(mark.cursor.sequence());
        self.cursor = Some(mark.cursor);
    }

    /// Whether the store has kept what the snapshot knows, as far as anybody needs it: the last entry
    /// that it marks is there, so none before it was lost. What came behind the mark is learned.
    async fn is_superseded(&self, folder: &Path) -> bool {
        let (folder, store) = (folder.to_owned(), self.store.id());
        let end = spawn_blocking(move || Snapshot::open(&folder, store)?.end()).await;
        let Ok(Some((mark, behind))) = end else { return false };
        let look = self.store.look(self.pulse.node(), Some(&mark.cursor)).await;
        let is_there = look.is_ok_and(|look| look.entries.is_some());
        if is_there {
            self.service.learn_all(&self.care, behind.iter());
        }
        is_there
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        // Ten million facts are read for longer than a node may go unheard and mint: what is known
        // then is proven fresh by a second beat.
        for _ in 0..2 {
            self.pulse.beat().await?;
            while !self.look().await? {}
        }
        Ok(())
    }

    /// Follows until `stop` says so. Never gives up: a store that is away is asked again.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let beating = tokio::spawn(self.pulse.clone().run(stop.clone()));
        let (service, lost) = (self.service.clone(), self.lost.clone());
        let telling = tokio::spawn(super::tell::run(service, lost, stop.clone()));
        let mut ear = Ear::default();
        loop {
            let looked = timeout(PATIENCE, self.look()).await;
            let answers = matches!(looked, Ok(Ok(_)));
            let all = looked.unwrap_or(Err(StoreError::Silent)).unwrap_or_else(|error| {
                self.service.metrics().store_failed(Part::Feed);
                let age_ms = self.service.feed_age().map(|age| age.as_millis());
                tracing::warn!(%error, age_ms, "cannot follow the feed");
                true
            });
            // What was appended before somebody listened is looked for once more.
            if !all || (answers && ear.open(&self.store).await) {
                continue;
            }
            tokio::select! {
                () = ear.hears() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.mark();
        for task in [beating, telling] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the follower has failed");
            }
        }
    }

    /// Reads what is new, a bounded part of it at a time; gives whether that was all.
    async fn look(&mut self) -> Result<bool, StoreError> {
        let ahead = self.ahead.take();
        if !self.caught_up {
            // Nothing of this is told to a database that happens to stand in its place.
            self.store.recognise().await?;
        }
        let look = match ahead {
            Some(ahead) => ahead.await.map_err(|_| StoreError::Silent)??,
            None => self.store.look(self.pulse.node(), self.cursor.as_ref()).await?,
        };
        // The beat was read before the facts: what was committed before it is among them.
        self.proven = self.pulse.read_back(look.beat).or(self.proven);
        let Some(mut entries) = look.entries else {
            // The row we stood on is gone: the store was replaced, or the row dropped. Facts merge
            // by maximum, so reading all of them again forgets nothing that was heard before.
            tracing::warn!("the feed is not the one followed so far: reading all of it again");
            self.cursor = None;
            self.rereading = Some(Rereading::default());
            return Ok(false);
        };
        if !look.all {
            self.look_ahead(entries.last().map(|entry| entry.cursor.clone()));
        }
        for entry in &entries {
            if let Some(rereading) = &mut self.rereading {
                rereading.holds(&entry.fact);
            }
            if let Some(keeper) = &self.keeper {
                keeper.fact(&entry.fact);
            }
        }
        self.service.learn_all(&self.care, entries.iter().map(|entry| &entry.fact));
        if let Some(last) = entries.pop() {
            self.service.freshness.stand_at(last.cursor.sequence());
            self.cursor = Some(last.cursor);
        }
        if look.all {
            self.heard_all().await?;
        }
        Ok(look.all)
    }

    /// Where there is more to read than is read at once, the next part is read while this one is
    /// learned: at a start that is half of the time.
    fn look_ahead(&mut self, from: Option<Cursor>) {
        let (store, node) = (self.store.clone(), self.pulse.node().to_owned());
        let look = async move { store.look(&node, from.as_ref()).await };
        self.ahead = Some(tokio::spawn(look));
    }

    /// There is nothing more to read for now.
    async fn heard_all(&mut self) -> Result<(), StoreError> {
        if !self.caught_up {
            if self.store.rights() == Rights::All {
                let left = self.store.read().await?.predecessors_left().await?;
                self.service.passwords.predecessors_left(left);
            }
            self.caught_up = true;
        }
        if let Some(proven) = self.proven.take() {
            self.service.freshness.heard(proven.elapsed());
        }
        if let Some(rereading) = self.rereading.take()
            && self.store.rights() == Rights::All
        {
            self.lost.note(rereading.lost(&self.service, &self.care));
        }
        if self.fresh_since().is_some_and(|fresh| {
            self.marked.is_none_or(|marked| fresh.saturating_duration_since(marked) >= MARK)
        }) {
            self.mark();
        }
        Ok(())
    }

    /// Everything committed before this instant has been heard.
    fn fresh_since(&self) -> Option<Instant> {
        Instant::now().checked_sub(self.service.feed_age()?)
    }
}

/// What hears that something was appended, where the engine tells.
#[derive(Default)]
struct Ear {
    listener: Option<Listener>,
    tried: Option<Instant>,
}

impl Ear {
    /// Listens, if nobody does yet and it can be done; gives whether that is new.
    async fn open(&mut self, store: &Store) -> bool {
        if self.listener.is_some() || self.tried.is_some_and(|tried| tried.elapsed() < DEAF) {
            return false;
        }
        self.tried = Some(Instant::now());
        match store.listener().await {
            Ok(listener) => self.listener = listener,
            Err(error) => tracing::warn!(%error, "cannot listen: the feed is looked at more often"),
        }
        self.listener.is_some()
    }

    /// Waits until it is time to look.
    async fn hears(&mut self) {
        let Some(listener) = &mut self.listener else { return sleep(PAUSE).await };
        if let Ok(Err(error)) = timeout(LISTENING, listener.heard()).await {
            tracing::warn!(%error, "nobody says any more when the feed grows");
            self.listener = None;
        }
    }
}

impl Following {
    /// Tells the snapshot how far the feed has been heard, and when. What the store has lost must be
    /// in it again first: whoever starts from the snapshot would not miss it there.
    fn mark(&mut self) {
        if let (Some(keeper), Some(cursor)) = (&self.keeper, &self.cursor)
            && self.lost.is_empty()
        {
            keeper.mark(cursor, &self.service);
            self.marked = self.fresh_since();
        }
    }
}

impl Service {
    /// Whether logins can be served here: the store answers, what is known is fresh and there is a
    /// key to mint with.
    ///
    /// # Errors
    /// What is missing.
    pub async fn can_issue(&self) -> Result<(), Failure> {
        let store = self.store()?;
        self.ring().minting_id().ok_or(Failure::NoMintingKey)?;
        self.trusts_clock()?;
        self.may_mint()?;
        let answers = timeout(PATIENCE, store.read()).await;
        answers.map_err(|_| Failure::Stale)?.map(|_| ()).map_err(Failure::from)
    }
}
