//! Writes key files: whole or not at all, readable by their owner alone, never over another file.
//!
//! It refuses to decide which key mints and where files lie. What it writes, the reader accepts.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::engine::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::{FORMAT, KeyFileError, MAX_BYTES, StoreId, file_name};
use crate::time::Timestamp;
use crate::token::{KEY_BYTES, Key, KeyId, Kind, Subkey};

/// Draws a key from the operating system's randomness whose id is none of `existing`.
///
/// # Errors
/// [`KeyFileError::Randomness`] when the operating system gives none.
pub fn new_key(existing: &[KeyId]) -> Result<Key, KeyFileError> {
    // One draw in 2^32 meets an existing key; a source that fails 16 times over is broken.
    for _ in 0..16 {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| KeyFileError::Randomness)?;
        match Key::from_bytes(&bytes) {
            Ok(key) if !existing.contains(&key.id()) => return Ok(key),
            Ok(_) | Err(_) => {}
        }
    }
    Err(KeyFileError::Randomness)
}

/// Writes a key to a new file `<id>.key` of mode 0600 and returns its path. A missing folder is
/// made with mode 0700. The file appears whole and is on the disk when this returns.
///
/// # Errors
/// [`KeyFileError::Exists`] when the file exists, [`KeyFileError::Io`] when it cannot be written.
pub fn write(
    folder: &Path,
    key: &Key,
    store: StoreId,
    created: Timestamp,
) -> Result<PathBuf, KeyFileError> {
    let text = render(key.id(), store, created, key.expose(), None);
    place(folder, &file_name(key.id(), None), text.as_bytes())
}

/// Writes an exported subkey to a new file `<id>.<kind>.subkey`, as [`write()`] does a key.
///
/// # Errors
/// As [`write()`].
pub fn write_subkey(
    folder: &Path,
    subkey: &Subkey,
    store: StoreId,
    created: Timestamp,
) -> Result<PathBuf, KeyFileError> {
    let id = subkey.key_id();
    let text = render(id, store, created, subkey.expose(), Some(subkey));
    place(folder, &file_name(id, Some(subkey.kind())), text.as_bytes())
}

fn render(
    id: KeyId,
    store: StoreId,
    created: Timestamp,
    secret: &[u8; KEY_BYTES],
    subkey: Option<&Subkey>,
) -> Zeroizing<String> {
    // Room for all of it from the start: a text that grows leaves the secret behind unwiped.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize));
    text.push_str(&comment(id, created, subkey.map(Subkey::kind)));
    let ms = created.millis();
    text.push_str(&format!("format = {FORMAT}\nid = {id}\nstore = {store}\ncreated = {ms}\n"));
    if let Some(subkey) = subkey {
        text.push_str(&format!("kind = {}\n", subkey.kind()));
    }
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
    text.push_str("secret = ");
    text.push_str(&secret);
    text.push('\n');
    if let Some(subkey) = subkey {
        let check = u64::from_be_bytes(subkey.check_value());
        text.push_str(&format!("check = {check:016x}\n"));
    }
    text
}

fn comment(id: KeyId, created: Timestamp, kind: Option<Kind>) -> String {
    let made = rfc3339(created);
    let leave = "# Leave its mode at 0600, and keep it out of images and repositories.";
    match kind {
        None => format!(
            "# Amaretti: signing key {id}, made {made}.\n\
             #\n\
             # SECRET. Whoever reads this file can forge every token of every user.\n\
             {leave}\n\
             # Back it up apart from the database; without it, all tokens it signed are void.\n\
             # To replace it: `amaretti keys rotate`, and later `amaretti keys retire {id}`.\n\n"
        ),
        Some(kind) => format!(
            "# Amaretti: subkey of signing key {id} for {kind} tokens, exported {made}.\n\
             #\n\
             # SECRET. Whoever reads this file can forge {kind} tokens for every user.\n\
             {leave}\n\
             # It is good for {kind} tokens and no others; lost or damaged, it is exported again.\n\n"
        ),
    }
}

fn rfc3339(at: Timestamp) -> String {
    let whole = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000);
    let text = whole.ok().and_then(|at| at.format(&Rfc3339).ok());
    // Years past 9999 have no such form.
    text.unwrap_or_else(|| format!("{} ms after 1970", at.millis()))
}

/// Makes the file under a hidden name, then gives it its own name unless that is taken.
fn place(folder: &Path, name: &str, content: &[u8]) -> Result<PathBuf, KeyFileError> {
    let path = folder.join(name);
    let error = |act| {
        let path = path.clone();
        move |cause: io::Error| KeyFileError::Io { path, act, cause }
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder).map_err(error("make the folder"))?;
    let random = getrandom::u64().map_err(|_| KeyFileError::Randomness)?;
    let draft = folder.join(format!(".{name}.{random:016x}"));
    let written = write_draft(&draft, content).map_err(error("write the file"));
    // A link, other than a rename, fails when the name is taken.
    let named = written.and_then(|()| match fs::hard_link(&draft, &path) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists { path: path.clone() })
        }
        outcome => outcome.map_err(error("name the file")),
    });
    let cleared = fs::remove_file(&draft).map_err(error("remove the draft of the file"));
    named.and(cleared)?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(error("sync the folder"))?;
    Ok(path)
}

fn write_draft(draft: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(content)?;
    file.sync_all()
}
