//! The keeper of the snapshot: what this node hears is written to its disk as it goes.
//!
//! A thread of its own does it, so that nobody waits for the disk. This file refuses to know the
//! form of the file.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

use super::{KeyCare, Service};
use crate::revocations::Fact;
use crate::store::{Cursor, Mark, Moment, Origin, Snapshot, SnapshotFile};

/// How much longer than the facts in it a snapshot may grow before it is written anew, in bytes.
const SLACK: u64 = 4 << 20;

/// How many facts of a snapshot are learned at once.
const TOGETHER: usize = 4096;

/// What is to be written.
enum Word {
    Fact(Fact),
    Mark(Mark),
}

/// Writes the snapshot. When it is dropped, what was said to it is still written.
pub(super) struct Keeper(Option<mpsc::Sender<Word>>, Option<thread::JoinHandle<()>>);

/// What is needed to write.
struct Keeping {
    service: Arc<Service>,
    care: Arc<KeyCare>,
    folder: PathBuf,
    origin: Origin,
}

impl Keeper {
    /// Takes in a snapshot; gives how far it goes.
    pub(super) fn take_in(snapshot: Snapshot, service: &Service, care: &KeyCare) -> Option<Mark> {
        let mut facts = Vec::with_capacity(TOGETHER);
        let mark = snapshot.read(|fact| {
            facts.push(fact);
            if facts.len() == TOGETHER {
                service.learn_all(care, facts.iter());
                facts.clear();
            }
        });
        service.learn_all(care, facts.iter());
        mark
    }

    /// Keeps a snapshot in a folder from now on.
    pub(super) fn new(
        folder: PathBuf,
        origin: Origin,
        service: Arc<Service>,
        care: Arc<KeyCare>,
    ) -> Self {
        let (words, said) = mpsc::channel();
        let keeping = Keeping { service, care, folder, origin };
        let thread = thread::Builder::new().name("snapshot".to_owned());
        match thread.spawn(move || keeping.run(&said)) {
            Ok(thread) => Self(Some(words), Some(thread)),
            Err(error) => {
                tracing::warn!(%error, "no snapshot is kept");
                Self(None, None)
            }
        }
    }

    /// A fact has been heard.
    pub(super) fn fact(&self, fact: &Fact) {
        self.say(|| Word::Fact(fact.clone()));
    }

    /// Everything up to here has been heard, `age` milliseconds ago.
    pub(super) fn mark(&self, cursor: &Cursor, service: &Service) {
        let Some(age) = service.feed_age() else { return };
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let heard = Moment::now(service.now()).minus(age);
        self.say(|| Word::Mark(Mark { cursor: cursor.clone(), heard }));
    }

    fn say(&self, word: impl FnOnce() -> Word) {
        if let Some(words) = &self.0 {
            // A thread that is gone has said why.
            let _gone = words.send(word());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(thread) = self.1.take() {
            let _failed = thread.join();
        }
    }
}

impl Keeping {
    fn run(&self, said: &mpsc::Receiver<Word>) {
        let mut snapshot: Option<(SnapshotFile, u64)> = None;
        while let Ok(word) = said.recv() {
            if let Err(error) = self.write(&mut snapshot, &word) {
                tracing::warn!(%error, folder = %self.folder.display(), "cannot write the snapshot");
                snapshot = None;
            }
        }
    }

    /// Without a file, or with one that has grown too long, the next mark makes another; facts
    /// before it are in memory by then.
    fn write(&self, snapshot: &mut Option<(SnapshotFile, u64)>, word: &Word) -> io::Result<()> {
        match (word, snapshot.as_mut()) {
            (Word::Fact(_), None) => Ok(()),
            (Word::Fact(fact), Some((file, _))) => file.fact(fact),
            (Word::Mark(mark), Some((file, begun))) if file.size() < *begun * 2 + SLACK => {
                file.mark(mark)
            }
            (Word::Mark(mark), _) => {
                *snapshot = None;
                let each = |act: &mut dyn FnMut(&Fact)| self.service.everything(&self.care, act);
                let file = SnapshotFile::write(&self.folder, &self.origin, mark, each)?;
                let begun = file.size();
                *snapshot = Some((file, begun));
                Ok(())
            }
        }
    }
}

impl Service {
    /// Takes facts in, each wherever it belongs.
    pub(super) fn learn_all<'f>(
        &self,
        care: &KeyCare,
        facts: impl Iterator<Item = &'f Fact> + Clone,
    ) {
        for fact in facts.clone() {
            match fact {
                Fact::Key { id, state } => care.learn(*id, *state),
                Fact::Imported(token) => {
                    self.metrics().heard();
                    self.imports.learn(token);
                }
                _ => self.metrics().heard(),
            }
        }
        self.facts.append_all(facts);
    }

    /// Calls `act` with everything that is known here.
    pub(super) fn everything(&self, care: &KeyCare, act: &mut dyn FnMut(&Fact)) {
        care.each(&mut |fact| act(&fact));
        self.imports.each(|token| act(&Fact::Imported(Box::new(token.clone()))));
        self.facts.each(|fact| act(&fact));
    }
}
