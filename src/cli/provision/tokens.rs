//! The file of tokens: readable by its owner alone, a row added as soon as its device is there, put in
//! order at the end.
//!
//! This file refuses to know how a device is made. A row that a crash has cut off is dropped; its device
//! is given another token.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Writer};

use super::list::{Wish, Wishes};
use crate::cli::Trouble;
use crate::service::Provisioned;
use crate::token::{Anatomy, KeyId, Part, Presented, Scratch};

const HEADINGS: [&str; 6] =
    ["user_id", "device_id", "display_name", "label", "session_id", "access_token"];

/// Whose row it is: user and device.
type Key = (String, String);

/// The file and what stands in it.
pub(super) struct Tokens {
    path: PathBuf,
    file: File,
    rows: BTreeMap<Key, StringRecord>,
}

impl Tokens {
    /// Opens the file, making it when it is not there.
    ///
    /// # Errors
    /// When others may read it, when it is no file of tokens, when it cannot be written.
    pub(super) fn open(path: &Path) -> Result<Self, Trouble> {
        let blame = |why: String| Trouble::new(format!("{}: {why}", path.display()));
        let open = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let mut file = open.map_err(|error| blame(format!("cannot be written: {error}")))?;
        let seen = file.metadata()?;
        if !seen.is_file() {
            return Err(blame("not a regular file".to_owned()));
        }
        if seen.mode() & 0o077 != 0 {
            let path = path.display();
            return Err(blame(format!("others may read it: run `chmod 600 {path}`")));
        }
        let text = fs::read_to_string(path)?;
        let whole = text.rfind('\n').map_or("", |end| text.get(..=end).unwrap_or_default());
        if whole.is_empty() && !text.is_empty() {
            return Err(blame("this is no file of tokens: name another by --to".to_owned()));
        }
        let rows = read(whole).map_err(blame)?;
        if whole.len() < text.len() {
            file.set_len(whole.len() as u64)?;
        }
        if whole.is_empty() {
            file.write_all(&line(HEADINGS)?)?;
        }
        Ok(Self { path: path.to_owned(), file, rows })
    }

    /// Keeps the token of a device. A row that holds another one of the same session, as good as
    /// this, stays as it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keep(
        &mut self,
        wish: &Wish,
        provisioned: &Provisioned,
        fresh: bool,
    ) -> Result<(), Trouble> {
        let key = (wish.user_id.clone(), wish.device_id.clone());
        let session = provisioned.session.to_string();
        let good = |row: &StringRecord| {
            row.get(4) == Some(session.as_str())
                && key_of(row.get(5).unwrap_or_default()) == key_of(provisioned.token.reveal())
                && says(row.get(5).unwrap_or_default(), &wish.caveats)
        };
        if !fresh && self.rows.get(&key).is_some_and(good) {
            return Ok(());
        }
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (name, label) = (text(&wish.display_name), text(&wish.label));
        let token = provisioned.token.reveal();
        let row = [&wish.user_id, &wish.device_id, &name, &label, &session, token];
        self.file.write_all(&line(row)?)?;
        self.file.sync_data()?;
        self.rows.insert(key, StringRecord::from(&row[..]));
        Ok(())
    }

    /// Writes the file anew, whole or not at all: rows in the order of the list, then those of devices
    /// that it does not name.
    ///
    /// # Errors
    /// When that cannot be done; the rows are in the file all the same.
    pub(super) fn finish(mut self, wishes: &Wishes) -> Result<(), Trouble> {
        let mut text = line(HEADINGS)?;
        for wish in wishes.iter() {
            if let Some(row) = self.rows.remove(&(wish.user_id.clone(), wish.device_id.clone())) {
                text.extend(line(&row)?);
            }
        }
        for row in self.rows.values() {
            text.extend(line(row)?);
        }
        let draft = self.path.with_added_extension("new");
        let _gone = fs::remove_file(&draft);
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let written = open.and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&draft, &self.path)
        });
        written.map_err(|error| Trouble::new(format!("{}: {error}", draft.display())))
    }
}

/// Which key signed a token: after a rotation the row is written anew.
fn key_of(token: &str) -> Option<KeyId> {
    let mut scratch = Scratch::new();
    Presented::read(token, &mut scratch).ok().map(|presented| presented.claimed().key_id)
}

/// Whether a token carries these caveats behind its user and device, and no others.
fn says(token: &str, caveats: &[String]) -> bool {
    let anatomy = Anatomy::of(token);
    let written = anatomy.pieces.iter().filter(|piece| piece.part == Part::Caveat);
    let appended = written.skip(2).map(|piece| anatomy.bytes_of(piece));
    appended.eq(caveats.iter().map(String::as_bytes))
}

fn read(text: &str) -> Result<BTreeMap<Key, StringRecord>, String> {
    let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
    if !text.is_empty() {
        let headings = reader.headers().map_err(|error| error.to_string())?;
        if *headings != HEADINGS[..] {
            return Err("this is no file of tokens: name another by --to".to_owned());
        }
    }
    let row = |row: Result<StringRecord, csv::Error>| {
        let row = row.map_err(|error| error.to_string())?;
        let field = |at| row.get(at).unwrap_or_default().to_owned();
        Ok(((field(0), field(1)), row))
    };
    reader.into_records().map(row).collect()
}

/// One row, written at once.
fn line<I: IntoIterator<Item = T>, T: AsRef<[u8]>>(fields: I) -> io::Result<Vec<u8>> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}
