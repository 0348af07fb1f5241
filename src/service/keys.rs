//! The care of keys: from files to a ring, and which of them mints.
//!
//! Files are picked up while the node runs. A new key verifies at once; the newest key that every
//! live node holds is the one that mints, so a rotation logs nobody out. A file that vanishes or
//! cannot be read never takes a key out of a running ring. This file refuses to know what a key
//! file looks like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::{Event, KeySight, KeySights, Part, Service, random};
use crate::keyfile::{self, Held, KeyFile, KeyFileError, Snapshot};
use crate::keyring::KeyringError;
use crate::revocations::{Fact, KeyState};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
use crate::token::{KeyId, Keys, Subkey};

/// How often files are looked at and this node's heartbeat is written.
const POLL: Duration = Duration::from_secs(5);

/// Why the keys could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum KeyCareError {
    /// A file is not as it must be.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Two keys cannot be in one ring.
    #[error(transparent)]
    Ring(#[from] KeyringError),
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There was a key and there is none now.
    #[error(
        "no key in {0}, but this database has had one: put the key file back (from a backup or \
         another node); only if it is lost for good, `amaretti keys new --replace-lost` makes \
         another and every token there is dies"
    )]
    Lost(PathBuf),
    /// There are subkeys at most.
    #[error("no whole key in {0}: `amaretti keys new` makes the first one of a database")]
    NoWholeKey(PathBuf),
    /// There has been no key yet, and nobody but an operator makes the first.
    #[error(
        "no key in {0}: `amaretti keys new` makes the first one of this database; if another node \
         has it, copy its key file here"
    )]
    First(PathBuf),
    /// There is no key, and no store to say whether there ever was.
    #[error("no key in {0}: export one with `amaretti keys export` on a node that has it")]
    None(PathBuf),
}

/// Looks after the keys of one node.
pub struct KeyCare {
    folder: PathBuf,
    pub(super) node: String,
    pub(super) run: String,
    /// How long this node answers for tokens without hearing the feed, in milliseconds.
    pub(super) answers_for: u64,
    known: Mutex<Known>,
    look_now: Notify,
}

#[derive(Default)]
pub(super) struct Known {
    pub(super) created: BTreeMap<KeyId, Timestamp>,
    pub(super) announced: Vec<KeyId>,
    pub(super) retired: Vec<KeyId>,
    seen: Option<Snapshot>,
    /// Keys in use whose files are gone.
    vanished: Vec<KeyId>,
    /// Why the files were not taken in when they were last read.
    trouble: Option<String>,
    /// How many nodes are live.
    pub(super) nodes: usize,
    /// Whether another process bears the name of this node.
    pub(super) twin: bool,
    /// Whether this process has written its heartbeat yet.
    pub(super) beaten: bool,
}

/// Makes a key for a store, writes its file and remembers that there was one.
///
/// # Errors
/// [`KeyCareError`] when the file or the row cannot be written. The file is written first: between
/// the two a crash leaves a key that the next start takes in.
pub async fn make_key(
    store: &Store,
    folder: &Path,
    now: Timestamp,
) -> Result<(KeyId, PathBuf), KeyCareError> {
    let existing: Vec<_> = keyfile::read_folder(folder)?.iter().map(|file| file.id).collect();
    let key = keyfile::new_key(&existing)?;
    let path = keyfile::write(folder, &key, store.id(), now)?;
    remember(store).await?;
    Ok((key.id(), path))
}

async fn remember(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.remember_key().await?;
    tx.commit().await
}

/// A node that knows the facts starts while the store is away, and tells it later.
fn unless_recalled(service: &Service, told: Result<(), StoreError>) -> Result<(), StoreError> {
    match told {
        Err(error) if service.feed_age().is_some() => {
            tracing::warn!(%error, "cannot tell the store which keys are held here");
            Ok(())
        }
        told => told,
    }
}

impl KeyCare {
    /// Looks after the keys in `folder` for the node of this name.
    #[must_use]
    pub fn new(folder: PathBuf, node: String) -> Self {
        let run = random().map(u64::from_be_bytes).unwrap_or_default();
        let (run, answers_for) = (format!("{run:016x}"), 0);
        Self { folder, node, run, answers_for, known: Mutex::default(), look_now: Notify::new() }
    }

    /// The same for a node that answers for so many milliseconds without hearing the feed: so long
    /// a new key waits for it once it is silent.
    #[must_use]
    pub fn answering_for(self, answers_for: u64) -> Self {
        Self { answers_for, ..self }
    }

    /// The name of the node, and behind a `#` what tells its processes apart.
    pub(super) fn process(&self) -> String {
        format!("{}#{}", self.node, self.run)
    }

    /// Calls `act` with what is known of each key.
    pub(super) fn each(&self, act: &mut impl FnMut(Fact)) {
        let (announced, retired) =
            self.with_known(|known| (known.announced.clone(), known.retired.clone()));
        announced.into_iter().for_each(|id| act(Fact::Key { id, state: KeyState::Announced }));
        retired.into_iter().for_each(|id| act(Fact::Key { id, state: KeyState::Retired }));
    }

    /// Learns of a key's announcement or retirement from the feed.
    pub fn learn(&self, id: KeyId, state: KeyState) {
        self.with_known(|known| {
            let list = match state {
                KeyState::Announced => &mut known.announced,
                KeyState::Retired => &mut known.retired,
            };
            if !list.contains(&id) {
                list.push(id);
                // The ring has to be built anew, whether or not a file has changed.
                known.seen = None;
                self.look_now.notify_one();
            }
        });
    }

    /// Looks at the files again soon.
    pub fn look(&self) {
        self.with_known(|known| known.seen = None);
        self.look_now.notify_one();
    }

    /// Takes in the keys at the start: whatever is wrong with any of them is an error.
    ///
    /// # Errors
    /// [`KeyCareError`], which says what to do.
    pub async fn start(&self, service: &Service) -> Result<(), KeyCareError> {
        let files = keyfile::read_folder(&self.folder)?;
        match &service.store {
            Some(store) => {
                keyfile::check_store(&files, store.id())?;
                if files.is_empty() {
                    let folder = self.folder.clone();
                    let lost = store.read().await?.has_had_key().await?;
                    return Err(if lost {
                        KeyCareError::Lost(folder)
                    } else {
                        KeyCareError::First(folder)
                    });
                }
                unless_recalled(service, remember(store).await)?;
            }
            None if files.is_empty() => return Err(KeyCareError::None(self.folder.clone())),
            None => {
                let store = files.first().map(|file| file.store);
                store.map_or(Ok(()), |store| keyfile::check_store(&files, store))?;
            }
        }
        self.take_in(service, &files)?;
        unless_recalled(service, self.settle(service).await)?;
        self.tell(service);
        Ok(())
    }

    /// Looks after the keys until `stop` says so.
    pub async fn run(self: Arc<Self>, service: Arc<Service>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = sleep(POLL) => {}
                () = self.look_now.notified() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            self.pick_up(&service);
            if let Err(error) = self.settle(&service).await {
                service.metrics().store_failed(Part::Keys);
                tracing::warn!(%error, "cannot tell the store which keys are held here");
            }
            self.tell(&service);
        }
        if let Some(store) = &service.store
            && let Err(error) = store.forget_node(&self.node).await
        {
            tracing::warn!(%error, "cannot take this node off the list");
        }
    }

    /// Reads the folder if it has changed; whatever is wrong is said in the log and changes nothing.
    fn pick_up(&self, service: &Service) {
        let seen = Snapshot::take(&self.folder).ok();
        if seen.is_some() && self.with_known(|known| known.seen == seen) {
            return;
        }
        let store = service.store.as_ref().map(Store::id);
        let files = keyfile::read_folder(&self.folder).and_then(|files| {
            store.map_or(Ok(()), |store| keyfile::check_store(&files, store)).map(|()| files)
        });
        let taken = files.map_err(KeyCareError::from).and_then(|files| {
            self.take_in(service, &files)?;
            self.note_vanished(service, &files);
            Ok(())
        });
        let trouble = taken.err().map(|error| error.to_string());
        self.with_known(|known| {
            if let Some(error) =
                trouble.as_ref().filter(|error| known.trouble.as_ref() != Some(error))
            {
                tracing::warn!(%error, "keys were not picked up");
            }
            if trouble.is_none() {
                known.seen = seen;
            }
            known.trouble = trouble;
        });
    }

    /// Says once which keys are in use though their files are gone.
    fn note_vanished(&self, service: &Service, files: &[KeyFile]) {
        let mut vanished = service.ring().ids();
        vanished.retain(|id| files.iter().all(|file| file.id != *id));
        self.with_known(|known| {
            for id in vanished.iter().filter(|id| !known.vanished.contains(id)) {
                tracing::warn!(key = %id, "the file of a key in use is gone; the key stays in use");
                service.tell(&Event::KeyVanished { key: *id });
            }
            known.vanished = vanished;
        });
    }

    /// Leaves what is to be seen of the keys where metrics and health pages find it.
    fn tell(&self, service: &Service) {
        let ring = service.ring();
        let (held, minting) = (ring.ids(), ring.minting_id());
        let sights = self.with_known(|known| {
            let gone = |id: &&KeyId| !held.contains(id) && !known.retired.contains(id);
            let missing = known.announced.iter().filter(gone).copied().collect();
            let sight = |id: &KeyId| KeySight {
                id: *id,
                created: known.created.get(id).copied().unwrap_or_default(),
                mints: minting == Some(*id),
                file_missing: known.vanished.contains(id),
            };
            let held = held.iter().map(sight).collect();
            let (trouble, twin) = (known.trouble.clone(), known.twin);
            KeySights { held, missing, trouble, twin, nodes: known.nodes }
        });
        service.metrics().set_keys(sights);
    }

    /// Builds the ring anew from what is held and what lies in the folder.
    fn take_in(&self, service: &Service, files: &[KeyFile]) -> Result<(), KeyCareError> {
        let old = service.ring();
        let (retired, announced) =
            self.with_known(|known| (known.retired.clone(), known.announced.clone()));
        let mut ring = old.successor(retired.clone());
        ring.announce(announced);
        for file in files {
            if retired.contains(&file.id) {
                let file = file.path.display();
                tracing::warn!(%file, "this key is retired and never used again: take the file away");
                continue;
            }
            match &file.held {
                Held::Key(_) if ring.holds_whole(file.id) => {}
                Held::Key(key) => ring.hold(key)?,
                Held::Subkey(subkey) if ring.find(file.id, subkey.kind()).is_ok() => {}
                Held::Subkey(subkey) => {
                    let (kind, id) = (subkey.kind(), subkey.key_id());
                    ring.hold_subkey(Subkey::from_bytes(kind, id, subkey.expose()))?;
                }
            }
            self.with_known(|known| known.created.insert(file.id, file.created));
        }
        if let Some(id) = old.minting_id() {
            // Retired meanwhile, perhaps; then `settle` finds another.
            let _kept = ring.mint_with(id);
        }
        service.ring.store(Arc::new(ring));
        Ok(())
    }

    pub(super) fn with_known<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        // Nobody panics while holding it; if somebody did, what is known is still right.
        act(&mut self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
