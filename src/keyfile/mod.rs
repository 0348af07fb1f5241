//! The folder of key files: the one place that reads and writes signing keys.
//!
//! One file a key, text, mode 0600, with a comment that says what it is. This file knows what a
//! file must look like to be trusted; it refuses to know which key mints, which are retired and
//! which store is the right one.
//!
//! ```text
//! # The comment: what this is, when it was made, what to do with it.
//! format = 1
//! id = 66516c29
//! store = 0f1e2d3c4b5a69788796a5b4c3d2e1f0
//! created = 1790000000000
//! kind = access                     in an exported subkey only
//! secret = <32 bytes in base64url>
//! check = d7db358e0131ba67          in an exported subkey only
//! ```

mod fault;
mod read;
#[cfg(feature = "server")]
mod write;

use core::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use fault::{Fault, KeyFileError};
pub use read::{read_folder, ring};
#[cfg(feature = "server")]
pub use write::{new_key, write, write_subkey};

use crate::time::Timestamp;
use crate::token::{Key, KeyId, Kind, Subkey};

/// The greatest size of a key file, in bytes; a larger one is refused unread.
pub const MAX_BYTES: u64 = 4096;

const FORMAT: &str = "1";

/// The name of a store: 16 random bytes drawn when it was made, shown as 32 hexadecimal digits.
/// Not secret. A key serves the store it was made for and no other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId([u8; 16]);

impl StoreId {
    /// The id made of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes as a store keeps them.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Reads the 32 lower-case hexadecimal digits that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = is_hex(text, 32).then_some(text)?;
        u128::from_str_radix(digits, 16).ok().map(|id| Self(id.to_be_bytes()))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a key file gives.
pub enum Held {
    /// A whole key: it verifies and mints every kind.
    Key(Key),
    /// An exported subkey: it verifies one kind.
    Subkey(Subkey),
}

impl Held {
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Key(_) => None,
            Self::Subkey(subkey) => Some(subkey.kind()),
        }
    }
}

/// One file of the folder, read and found good.
pub struct KeyFile {
    /// The secret.
    pub held: Held,
    /// The name of the key, or of the key that a subkey was derived from.
    pub id: KeyId,
    /// The store it was made for; compare it with [`check_store`].
    pub store: StoreId,
    /// When it was made.
    pub created: Timestamp,
    /// Where it lies.
    pub path: PathBuf,
}

/// Holds every file to the store of this installation.
///
/// # Errors
/// [`KeyFileError::OtherStore`] for the first file that was made for another one.
pub fn check_store(files: &[KeyFile], store: StoreId) -> Result<(), KeyFileError> {
    match files.iter().find(|file| file.store != store) {
        Some(file) => Err(KeyFileError::OtherStore {
            path: file.path.clone(),
            written: file.store,
            wanted: store,
        }),
        None => Ok(()),
    }
}

/// The folder as it looks from outside: equal to an earlier one when no key file was added, taken
/// away, written, exchanged or given another mode since. It reads no file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(Vec<(PathBuf, Option<Look>)>);

/// Inode, size, and time of the last change (seconds, nanoseconds) of a file.
type Look = (u64, u64, i64, i64);

impl Snapshot {
    /// Looks at the folder; a missing one looks empty.
    ///
    /// # Errors
    /// [`KeyFileError::Io`] when the folder cannot be listed.
    pub fn take(folder: &Path) -> Result<Self, KeyFileError> {
        // Change time, not modification time: `chmod 600` mends a file too.
        let look = |path: &PathBuf| {
            let seen = fs::metadata(path).ok()?;
            Some((seen.ino(), seen.size(), seen.ctime(), seen.ctime_nsec()))
        };
        let paths = read::list(folder)?;
        Ok(Self(paths.into_iter().map(|path| (path.clone(), look(&path))).collect()))
    }
}

/// The name of the file that holds a key, or its subkey of one kind.
fn file_name(id: KeyId, kind: Option<Kind>) -> String {
    match kind {
        None => format!("{id}.key"),
        Some(kind) => format!("{id}.{kind}.subkey"),
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
