//! The snapshot: what a node knows, on its own disk, so that it can start while the store is away.
//!
//! A file of lines: a heading that names the store, then a fact a line, then marks that say how far
//! the feed had been heard and when. Each line begins with a digest over itself and everything
//! before it, so nothing behind a damaged line is believed. This file refuses to know what a fact
//! does and how old is too old.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::feed::Cursor;
use super::fields::Fields;
use crate::keyfile::StoreId;
use crate::revocations::Fact;
use crate::time::Timestamp;

/// The file in the data folder.
const FILE: &str = "feed.snapshot";

/// What the heading begins with; another form of the file is another number.
const FORM: &str = "amaretti snapshot 1";

/// The longest line there is, in bytes: two ids of 255 bytes and some numbers fit twice.
const LONGEST: u64 = 2048;

/// An instant by two clocks: the wall's, and one that nobody sets but that ends with the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub wall: Timestamp,
    /// Which run of the machine, and how many milliseconds after its start; empty when it is not
    /// known.
    pub run: String,
    /// Milliseconds after the start of the machine.
    pub up: u64,
}

impl Moment {
    /// The present one; `wall` is the present by the wall clock.
    #[must_use]
    pub fn now(wall: Timestamp) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let run = read("/proc/sys/kernel/random/boot_id").trim().to_owned();
        let uptime = read("/proc/uptime");
        let up = uptime.split(' ').next().and_then(|up| up.replace('.', "").parse::<u64>().ok());
        // Two digits behind the point: hundredths.
        Self { wall, run, up: up.unwrap_or_default().saturating_mul(10) }
    }

    /// So many milliseconds before this one.
    #[must_use]
    pub fn minus(&self, ms: u64) -> Self {
        let run = self.run.clone();
        Self { wall: self.wall.minus(ms), run, up: self.up.saturating_sub(ms) }
    }

    /// How many milliseconds have passed since `earlier`, rather too many than too few; `None` when
    /// neither clock can tell.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<u64> {
        let wall = self.wall.millis().checked_sub(earlier.wall.millis());
        let same_run = !self.run.is_empty() && self.run == earlier.run;
        let up = self.up.checked_sub(earlier.up).filter(|_| same_run);
        wall.into_iter().chain(up).max()
    }
}

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

/// Reads the snapshot in a folder: calls `act` with each fact, and gives the last mark. `None` when
/// there is nothing to go by; whatever is wrong with the file is said in the log.
pub fn read_snapshot(folder: &Path, store: StoreId, mut act: impl FnMut(Fact)) -> Option<Mark> {
    let path = folder.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the snapshot cannot be read");
            }
            return None;
        }
    };
    let mut lines =
        Lines { file: BufReader::with_capacity(1 << 20, file), chain: Chain::default() };
    let heading = lines.next();
    if heading.as_deref() != Some(&*self::heading(store)) {
        let path = path.display();
        tracing::warn!(%path, "the snapshot is another store's, or of another version: not used");
        return None;
    }
    let (mut mark, mut count) = (None, 0_u64);
    while let Some(line) = lines.next() {
        match Mark::read(&line) {
            Some(at) => mark = Some(at),
            None => match Fields::read_line(&line).and_then(|fields| fields.fact().ok()) {
                Some(fact) => act(fact),
                None => break,
            },
        }
        count += 1;
    }
    if !lines.at_end() {
        let path = path.display();
        tracing::warn!(%path, count, "the snapshot is damaged: nothing behind this many lines is used");
    }
    mark
}

fn heading(store: StoreId) -> String {
    format!("{FORM} {store}")
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
        store: StoreId,
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
        snapshot.line(&heading(store))?;
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
        let mark = read_snapshot(folder, STORE, |fact| facts.push(fact));
        (facts, mark)
    }

    #[test]
    fn an_age_is_rather_too_great_than_too_small() {
        let heard = moment(1000, "one run", 500);

        assert_eq!(moment(1700, "one run", 600).since(&heard), Some(700));
        assert_eq!(moment(1050, "one run", 600).since(&heard), Some(100));
        assert_eq!(moment(900, "one run", 600).since(&heard), Some(100), "the clock was set back");
        assert_eq!(moment(1700, "another run", 600).since(&heard), Some(700));
        assert_eq!(moment(900, "another run", 600).since(&heard), None, "nobody can tell");
        assert_eq!(moment(900, "", 600).since(&moment(1000, "", 500)), None);
    }

    #[test]
    fn this_machine_knows_how_long_it_has_run() {
        let now = Moment::now(Timestamp::ZERO);

        assert!(!now.run.is_empty() && now.up > 0, "{now:?}");
    }

    #[test]
    fn what_was_written_and_appended_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut file =
            SnapshotFile::write(folder.path(), STORE, &mark(1), |act| act(&fact(1))).unwrap();
        file.fact(&fact(2)).unwrap();
        file.mark(&mark(2)).unwrap();
        let length = fs::metadata(folder.path().join(FILE)).unwrap().len();

        assert_eq!(recalled(folder.path()), (vec![fact(1), fact(2)], Some(mark(2))));
        assert_eq!(file.size(), length);
    }

    #[test]
    fn cut_off_anywhere_it_is_as_old_as_the_last_mark_that_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut file =
            SnapshotFile::write(folder.path(), STORE, &mark(1), |act| act(&fact(1))).unwrap();
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
        SnapshotFile::write(folder.path(), STORE, &mark(1), facts).unwrap();
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
        SnapshotFile::write(folder.path(), StoreId::from_bytes([8; 16]), &mark(1), |_| {}).unwrap();
        assert_eq!(recalled(folder.path()), (vec![], None));
    }
}
