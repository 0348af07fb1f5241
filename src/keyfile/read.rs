//! Reads key files and trusts none: mode, size, text, names and secrets are checked.
//!
//! It refuses to mend anything. Buffers that held a secret are wiped, also on the way of an error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::engine::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{FORMAT, Fault, Held, KeyFile, KeyFileError, MAX_BYTES, StoreId, file_name, is_hex};
use crate::keyring::Keyring;
use crate::time::Timestamp;
use crate::token::{KEY_BYTES, Key, KeyId, Kind, Subkey};

/// Every name that format 1 has.
const NAMES: [&str; 7] = ["format", "id", "store", "created", "kind", "secret", "check"];

/// Keys that the test vectors publish: the SHA-256 of these sentences.
const PUBLISHED: [&str; 2] = ["amaretti test vectors, key one", "amaretti test vectors, key two"];

/// Reads every key file of the folder, in the order of their names.
///
/// Files whose names end in `.key` or `.subkey` are key files and have to be good, symbolic links
/// to such files too; hidden files and every other name (README.md, backups of editors) are passed
/// over. A missing folder holds no keys: whether that is an error, only the store can say.
///
/// # Errors
/// [`KeyFileError`] for the first file that is not as it must be.
pub fn read_folder(folder: &Path) -> Result<Vec<KeyFile>, KeyFileError> {
    let files: Vec<_> = list(folder)?.into_iter().map(read).collect::<Result<_, _>>()?;
    let (keys, subkeys): (Vec<_>, Vec<_>) = files.iter().partition(|f| f.held.kind().is_none());
    for KeyFile { id, path, .. } in subkeys {
        if let Some(key) = keys.iter().find(|key| key.id == *id) {
            return Err(KeyFileError::Twice { path: path.clone(), other: key.path.clone() });
        }
    }
    Ok(files)
}

/// Every key of the folder in a ring that verifies: what a program beside the server starts with.
///
/// # Errors
/// As [`read_folder`]; and [`KeyFileError::Empty`] for a folder without a key, because whoever
/// judged by it would turn everybody away.
pub fn ring(folder: &Path) -> Result<Keyring, KeyFileError> {
    let mut ring = Keyring::default();
    for file in read_folder(folder)? {
        let held = match file.held {
            Held::Key(key) => ring.hold(&key),
            Held::Subkey(subkey) => ring.hold_subkey(subkey),
        };
        held.map_err(|fault| KeyFileError::Ring { path: file.path, fault })?;
    }
    if ring.ids().is_empty() {
        return Err(KeyFileError::Empty { path: folder.to_owned() });
    }
    Ok(ring)
}

/// The paths of the key files in the folder, sorted; none when it is missing.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, KeyFileError> {
    let error = |cause| KeyFileError::Io { path: folder.to_owned(), act: "list the folder", cause };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(error(cause)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(error)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with('.') && (name.ends_with(".key") || name.ends_with(".subkey")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: PathBuf) -> Result<KeyFile, KeyFileError> {
    let bytes = read_bytes(&path)?;
    let parsed = core::str::from_utf8(&bytes)
        .map_err(|_| Fault::Line { line: 1, why: "the file is not text" })
        .and_then(parse);
    let (held, id, store, created) = match parsed {
        Ok(parsed) => parsed,
        Err(fault) => return Err(KeyFileError::Content { path, fault }),
    };
    let expected = file_name(id, held.kind());
    if path.file_name().is_none_or(|name| name != expected.as_str()) {
        return Err(KeyFileError::Name { path, expected });
    }
    Ok(KeyFile { held, id, store, created, path })
}

fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let error = |cause| KeyFileError::Io { path: path.to_owned(), act: "read the file", cause };
    let path = || path.to_owned();
    // Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path());
    let file: File = open.map_err(error)?;
    let seen = file.metadata().map_err(error)?;
    if !seen.is_file() {
        return Err(KeyFileError::NotAFile { path: path() });
    }
    let mode = seen.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path: path(), mode });
    }
    if seen.len() > MAX_BYTES {
        return Err(KeyFileError::TooLarge { path: path() });
    }
    // Room for all of it from the start: a vector that grows leaves the secret behind unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 64));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

/// What a text says: the secret, whose it is, which store it is for, when it was made.
type Parsed = (Held, KeyId, StoreId, Timestamp);

fn parse(text: &str) -> Result<Parsed, Fault> {
    let lines = Lines::read(text)?;
    lines.check()?;
    let id = lines.value("id", "an id is 8 hexadecimal digits in lower case", KeyId::parse)?;
    let why = "a store id is 32 hexadecimal digits in lower case";
    let store = lines.value("store", why, StoreId::parse)?;
    let created = lines.value("created", "this should be milliseconds since 1970", instant)?;
    let (_, secret) = lines.get("secret")?;
    let bytes = decode(secret)?;
    let key = Key::from_bytes(&bytes)?;
    if is_placeholder(secret, &bytes) {
        return Err(Fault::Placeholder);
    }
    let subkey = lines.get("kind").is_ok() || lines.get("check").is_ok();
    let held = if subkey { Held::Subkey(lines.subkey(id, &bytes)?) } else { Held::Key(key) };
    match &held {
        Held::Key(key) if key.id() != id => Err(Fault::Id { written: id, derived: key.id() }),
        Held::Key(_) | Held::Subkey(_) => Ok((held, id, store, created)),
    }
}

/// The lines of a file that are not comments: number, name, value.
struct Lines<'t>(Vec<(usize, &'t str, &'t str)>);

impl<'t> Lines<'t> {
    fn read(text: &'t str) -> Result<Self, Fault> {
        let mut lines: Vec<(usize, &str, &str)> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let why = "neither a comment nor `name = value`";
            let (name, value) = text.split_once('=').ok_or(Fault::Line { line, why })?;
            if lines.iter().any(|(_, earlier, _)| *earlier == name.trim()) {
                return Err(Fault::Line { line, why: "the same name a second time" });
            }
            lines.push((line, name.trim(), value.trim()));
        }
        Ok(Self(lines))
    }

    fn check(&self) -> Result<(), Fault> {
        if self.get("format")?.1 != FORMAT {
            return Err(Fault::Format);
        }
        match self.0.iter().find(|(_, name, _)| !NAMES.contains(name)) {
            Some((line, ..)) => Err(Fault::Line { line: *line, why: "a name that is not known" }),
            None => Ok(()),
        }
    }

    fn get(&self, name: &'static str) -> Result<(usize, &'t str), Fault> {
        let found = self.0.iter().find(|(_, found, _)| *found == name);
        found.map(|(line, _, value)| (*line, *value)).ok_or(Fault::Missing(name))
    }

    fn value<T>(
        &self,
        name: &'static str,
        why: &'static str,
        parse: impl FnOnce(&'t str) -> Option<T>,
    ) -> Result<T, Fault> {
        let (line, value) = self.get(name)?;
        parse(value).ok_or(Fault::Line { line, why })
    }

    fn subkey(&self, id: KeyId, secret: &[u8; KEY_BYTES]) -> Result<Subkey, Fault> {
        let why = "a kind is access, refresh, login or inner";
        let kind = self.value("kind", why, Kind::from_name)?;
        let why = "a check value is 16 hexadecimal digits in lower case";
        let check = self.value("check", why, |text| is_hex(text, 16).then_some(text))?;
        let subkey = Subkey::from_bytes(kind, id, secret);
        let fits = check == format!("{:016x}", u64::from_be_bytes(subkey.check_value()));
        if fits { Ok(subkey) } else { Err(Fault::Check) }
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let ms = text.parse().ok().filter(|ms| digits && *ms <= Timestamp::MAX.millis());
    ms.map(Timestamp::from_millis)
}

fn decode(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, Fault> {
    // The engine wants room for whole groups of four characters.
    let mut room = Zeroizing::new([0; KEY_BYTES + 1]);
    let length = URL_SAFE_NO_PAD.decode_slice(text, room.as_mut_slice());
    match (length, room.first_chunk()) {
        (Ok(KEY_BYTES), Some(bytes)) => Ok(Zeroizing::new(*bytes)),
        (Ok(_) | Err(_), _) => Err(Fault::Secret),
    }
}

/// Whether a secret is a pattern (its bytes count up or down, its text repeats itself) or was
/// published.
fn is_placeholder(text: &str, bytes: &[u8; KEY_BYTES]) -> bool {
    let mut steps = bytes.iter().zip(bytes.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a));
    let first = steps.next();
    let repeats = |n| text.bytes().zip(text.bytes().skip(n)).all(|(a, b)| a == b);
    steps.all(|step| Some(step) == first)
        || (1..=16).any(repeats)
        || PUBLISHED.iter().any(|sentence| Sha256::digest(sentence).as_slice() == bytes)
}
