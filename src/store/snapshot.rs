//! The snapshot: what a node knows, on its own disk, so that it can start while the store is away.
//!
//! A file of lines: a heading that names where it is from, then a fact a line, then marks that say how
//! far the feed had been heard and when. Each line begins with a digest over itself and everything
//! before it, so nothing behind a damaged line is believed. This file refuses to know what a fact
//! does and how old is too old.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::feed::Cursor;
use super::fields::Fields;
use super::moment::Moment;
use crate::keyfile::StoreId;
use crate::revocations::Fact;
use crate::time::Timestamp;

/// The file in the data folder.
const FILE: &str = "feed.snapshot";

/// What the heading begins with; another form of the file is another number.
const FORM: &str = "amaretti snapshot 2";

/// The longest line there is, in bytes: two ids of 255 bytes and some numbers fit twice.
const LONGEST: u64 = 2048;

/// How far the feed had been heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The last entry.
    pub cursor: Cursor,
    /// When what was known was fresh.
    pub heard: Moment,
}

impl Mark {
    fn line(&self) -> String {
        let Self { cursor: Cursor { sequence, random }, heard: Moment { wall, run, up } } = self;
        format!("mark\t{sequence}\t{random}\t{}\t{run}\t{up}", wall.millis())
    }

    fn read(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix("mark\t")?.split('\t');
        let mut part = || parts.next();
        let (sequence, random) = (part()?.parse().ok()?, part()?.to_owned());
        let wall = Timestamp::from_millis(part()?.parse().ok()?);
        let (run, up) = (part()?.to_owned(), part()?.parse().ok()?);
        let heard = Moment { wall, run, up };
        Some(Self { cursor: Cursor { sequence, random }, heard })
    }
}

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The store.
    pub store: StoreId,
    /// How often its feed had been compacted before all of it was read: what was dropped since then
    /// is still in the snapshot.
    pub compactions: i64,
}

impl Origin {
    fn heading(&self) -> String {
        format!("{FORM} {} {}", self.store, self.compactions)
    }

    fn read(heading: &str) -> Option<Self> {
        let (store, compactions) =
            heading.strip_prefix(FORM)?.strip_prefix(' ')?.split_once(' ')?;
        Some(Self { store: StoreId::parse(store)?, compactions: compactions.parse().ok()? })
    }
}

/// A snapshot that is there.
pub struct Snapshot {
    path: PathBuf,
    lines: Lines,
    compactions: i64,
}

impl Snapshot {
    /// The snapshot of a store in a folder. `None` when there is nothing to go by; whatever is wrong
    /// with the file is said in the log.
    #[must_use]
    pub fn open(folder: &Path, store: StoreId) -> Option<Self> {
        let path = folder.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => BufReader::with_capacity(1 << 20, file),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "the snapshot cannot be read");
                }
                return None;
            }
        };
        let mut lines = Lines { file, chain: Chain::default() };
        let origin = lines.next().and_then(|heading| Origin::read(&heading));
        let Some(origin) = origin.filter(|origin| origin.store == store) else {
            let path = path.display();
            tracing::warn!(%path, "the snapshot is another store's, or of another version: not used");
            return None;
        };
        Some(Self { path, lines, compactions: origin.compactions })
    }

    /// How often the feed had been compacted: see [`Origin`].
    #[must_use]
    pub fn compactions(&self) -> i64 {
        self.compactions
    }

    /// Reads it: calls `act` with each fact, and gives the last mark.
    pub fn read(self, mut act: impl FnMut(Fact)) -> Option<Mark> {
        let mut last = None;
        self.each(|line| match line {
            Line::Fact(fact) => act(fact),
            Line::Mark(mark) => last = Some(mark),
        });
        last
    }

    /// Reads how it ends: the last mark, and the facts behind it.
    #[must_use]
    pub fn end(self) -> Option<(Mark, Vec<Fact>)> {
        let (mut last, mut behind) = (None, Vec::new());
        self.each(|line| match line {
            Line::Fact(fact) if last.is_some() => behind.push(fact),
            Line::Fact(_) => {}
            Line::Mark(mark) => {
                last = Some(mark);
                behind.clear();
            }
        });
        last.map(|mark| (mark, behind))
    }

    fn each(mut self, mut act: impl FnMut(Line)) {
        let mut count = 0_u64;
        while let Some(line) = self.lines.next() {
            let fact = || Fields::read_line(&line).and_then(|fields| fields.fact().ok());
            match Mark::read(&line).map(Line::Mark).or_else(|| fact().map(Line::Fact)) {
                Some(line) => act(line),
                None => break,
            }
            count += 1;
        }
        if !self.lines.at_end() {
            let path = self.path.display();
            tracing::warn!(%path, count, "the snapshot is damaged: nothing behind this many lines is used");
        }
    }
}

/// A line behind the heading.
enum Line {
    Fact(Fact),
    Mark(Mark),
}

/// Digests in a chain: each over the one before and a line.
#[derive(Default)]
struct Chain([u8; 8]);

impl Chain {
    /// The digest of the next line, in hexadecimal.
    fn next(&mut self, line: &str) -> String {
        let digest = Sha256::new().chain_update(self.0).chain_update(line).finalize();
        if let Some(head) = digest.first_chunk() {
            self.0 = *head;
        }
        format!("{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The lines of a snapshot, as far as they are whole.
struct Lines {
    file: BufReader<File>,
    chain: Chain,
}

impl Lines {
    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        (&mut self.file).take(LONGEST).read_line(&mut line).ok()?;
        let line = line.strip_suffix('\n')?;
        let (digest, rest) = line.split_once(' ')?;
        (self.chain.next(rest) == digest).then(|| rest.to_owned())
    }

    fn at_end(&mut self) -> bool {
        self.file.fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}

/// A snapshot that is being written.
pub struct SnapshotFile {
    file: BufWriter<File>,
    chain: Chain,
    size: u64,
}

impl SnapshotFile {
    /// Writes a new snapshot in place of the one before, which stays until this one is whole: what
    /// `each` gives, and `mark`. More can be appended then.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(
        folder: &Path,
        origin: &Origin,
        mark: &Mark,
        each: impl FnOnce(&mut dyn FnMut(&Fact)),
    ) -> io::Result<Self> {
        if !folder.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let (path, new) = (folder.join(FILE), new_path(folder));
        // Left behind by a process that was killed, perhaps; and never somebody else's file.
        let _gone = fs::remove_file(&new);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let file = BufWriter::with_capacity(1 << 20, file);
        let mut snapshot = Self { file, chain: Chain::default(), size: 0 };
        snapshot.line(&origin.heading())?;
        let mut written = Ok(());
        each(&mut |fact| {
            if written.is_ok() {
                written = snapshot.fact(fact);
            }
        });
        written?;
        snapshot.mark(mark)?;
        snapshot.file.get_ref().sync_all()?;
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()?;
        Ok(snapshot)
    }

    /// Appends a fact.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn fact(&mut self, fact: &Fact) -> io::Result<()> {
        self.line(&Fields::of(fact).line())
    }

    /// Appends a mark, and lets everything so far reach the file. It is not forced to the disk: if
    /// the machine fails, the end of the file is missing with its marks.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn mark(&mut self, mark: &Mark) -> io::Result<()> {
        self.line(&mark.line())?;
        self.file.flush()
    }

    /// How long the file is, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        let digest = self.chain.next(line);
        self.size += u64::try_from(digest.len() + line.len() + 2).unwrap_or_default();
        writeln!(self.file, "{digest} {line}")
    }
}

fn new_path(folder: &Path) -> PathBuf {
    folder.join(format!("{FILE}.new"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::SessionId;

    const STORE: StoreId = StoreId::from_bytes([7; 16]);
    const ORIGIN: Origin = Origin { store: STORE, compactions: 3 };

    fn moment(wall: u64, run: &str, up: u64) -> Moment {
        Moment { wall: Timestamp::from_millis(wall), run: run.to_owned(), up }
    }

    fn mark(sequence: i64) -> Mark {
        let cursor = Cursor { sequence, random: "abc".to_owned() };
        Mark { cursor, heard: moment(1000, "run", 10) }
    }

    fn fact(at: u64) -> Fact {
        let session = SessionId::new(Timestamp::from_millis(at), [1; 10]);
        Fact::Session { user: "@alice:hs".into(), session }
    }

    /// What is read from a folder.
    fn recalled(folder: &Path) -> (Vec<Fact>, Option<Mark>) {
        let mut facts = Vec::new();
        let snapshot = Snapshot::open(folder, STORE);
        let mark = snapshot.and_then(|snapshot| snapshot.read(|fact| facts.push(fact)));
        (facts, mark)
    }

    #[test]
    fn what_was_written_and_appended_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut file =
            SnapshotFile::write(folder.path(), &ORIGIN, &mark(1), |act| act(&fact(1))).unwrap();
        file.fact(&fact(2)).unwrap();
        file.mark(&mark(2)).unwrap();
        let length = fs::metadata(folder.path().join(FILE)).unwrap().len();

        assert_eq!(recalled(folder.path()), (vec![fact(1), fact(2)], Some(mark(2))));
        assert_eq!(file.size(), length);
    }

    #[test]
    fn it_ends_with_the_facts_behind_its_last_mark() {
        let folder = tempfile::tempdir().unwrap();
        let mut file =
            SnapshotFile::write(folder.path(), &ORIGIN, &mark(1), |act| act(&fact(1))).unwrap();
        let snapshot = || Snapshot::open(folder.path(), STORE).unwrap();
        for at in 2..4 {
            file.fact(&fact(at)).unwrap();
            file.mark(&mark(i64::try_from(at).unwrap())).unwrap();
            assert_eq!(snapshot().end(), Some((mark(i64::try_from(at).unwrap()), vec![])));
        }
        file.fact(&fact(4)).unwrap();
        file.file.flush().unwrap();

        assert_eq!(snapshot().end(), Some((mark(3), vec![fact(4)])));
        assert_eq!(snapshot().compactions(), 3);
    }

    #[test]
    fn cut_off_anywhere_it_is_as_old_as_the_last_mark_that_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut file =
            SnapshotFile::write(folder.path(), &ORIGIN, &mark(1), |act| act(&fact(1))).unwrap();
        let whole = file.size();
        file.fact(&fact(2)).unwrap();
        file.mark(&mark(2)).unwrap();
        let path = folder.path().join(FILE);
        let text = fs::read(&path).unwrap();
        let all = u64::try_from(text.len()).unwrap();

        for length in 0..all {
            fs::write(&path, &text[..usize::try_from(length).unwrap()]).unwrap();
            let expected = (length >= whole).then(|| mark(1));
            assert_eq!(recalled(folder.path()).1, expected, "{length} of {all} bytes");
        }
    }

    #[test]
    fn any_bit_that_is_wrong_hides_what_is_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let facts = |act: &mut dyn FnMut(&Fact)| (1..4).for_each(|at| act(&fact(at)));
        SnapshotFile::write(folder.path(), &ORIGIN, &mark(1), facts).unwrap();
        let path = folder.path().join(FILE);
        let text = fs::read(&path).unwrap();
        let all: Vec<_> = (1..4).map(fact).collect();

        for at in 0..text.len() {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            let (facts, mark) = recalled(folder.path());
            assert!(mark.is_none() && all.starts_with(&facts), "byte {at}: {facts:?}");
        }
    }

    #[test]
    fn what_is_no_snapshot_of_ours_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(recalled(folder.path()), (vec![], None));

        for text in [&b"\n\n"[..], b"rubbish", &[0xff; 5000], b""] {
            fs::write(folder.path().join(FILE), text).unwrap();
            assert_eq!(recalled(folder.path()), (vec![], None));
        }
        let other = Origin { store: StoreId::from_bytes([8; 16]), compactions: 3 };
        SnapshotFile::write(folder.path(), &other, &mark(1), |_| {}).unwrap();
        assert_eq!(recalled(folder.path()), (vec![], None));
    }
}
