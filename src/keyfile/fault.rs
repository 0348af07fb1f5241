//! What can be wrong with a key file, in words that say what to do next.
//!
//! It refuses to know secrets: no message carries a byte of a file's content other than ids.

use std::io;
use std::path::PathBuf;

use super::StoreId;
use crate::keyring::KeyringError;
use crate::token::{KeyId, WeakKey};

/// Why the folder of keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The operating system refuses.
    #[error("{path}: cannot {act}: {cause}: check that it exists and that this user may do so")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        act: &'static str,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("{path}: not a regular file: take it away, or put the key file in its place")]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Somebody other than its owner may read, write or run it.
    #[error("{path}: group or others may use it (mode {mode:04o}): run `chmod 600 {path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Larger than [`super::MAX_BYTES`].
    #[error("{path}: larger than 4 KiB, so no key file: take it away")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Its text is not that of a key file.
    #[error("{path}: {fault}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with the text.
        fault: Fault,
    },
    /// Named for something other than what it holds.
    #[error("{path}: it holds what belongs into a file named {expected}: rename it to that")]
    Name {
        /// The file.
        path: PathBuf,
        /// The name it should have.
        expected: String,
    },
    /// A subkey beside the whole key it comes from.
    #[error("{path}: {other} holds this already: take the subkey away")]
    Twice {
        /// The file with the subkey.
        path: PathBuf,
        /// The file with the whole key.
        other: PathBuf,
    },
    /// Made for another store.
    #[error(
        "{path}: made for store {written}, and this store is {wanted}: point `keys` at the folder \
         that belongs to this store, or take the file away and make a key with `amaretti keys new`"
    )]
    OtherStore {
        /// The file.
        path: PathBuf,
        /// The store it names.
        written: StoreId,
        /// The store of this installation.
        wanted: StoreId,
    },
    /// A key file is never written over.
    #[error("{path}: it exists already and is never written over: take it away first")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no key file in the folder.
    #[error("{path}: no key file: export a subkey into it with `amaretti keys export`")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The key cannot be in one ring with those before it.
    #[error("{path}: {fault}")]
    Ring {
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: KeyringError,
    },
    /// No key can be made.
    #[error("the operating system gives no randomness: try again, and if it lasts, reboot")]
    Randomness,
}

/// What is wrong with the text of a key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line that is no comment and not as it should be.
    #[error("line {line}: {why}: restore the file from its backup or export it again")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A line that is not there.
    #[error("no line `{0} = ...`: restore the file from its backup or export it again")]
    Missing(&'static str),
    /// Written by a later program.
    #[error("its format is not 1, the only one known here: upgrade amaretti, or export it again")]
    Format,
    /// Not 32 bytes.
    #[error(
        "the secret is not 32 bytes in base64url (43 characters, no padding): restore the file \
         from its backup or make a key with `amaretti keys new`"
    )]
    Secret,
    /// Not random.
    #[error(transparent)]
    Weak(#[from] WeakKey),
    /// Thirty-two bytes that are a pattern, or that somebody published.
    #[error("the secret is a placeholder, not random: make a key with `amaretti keys new`")]
    Placeholder,
    /// The secret is not that of the key it is said to be.
    #[error(
        "it says key {written} and its secret is that of {derived}: restore it from its backup"
    )]
    Id {
        /// The id in the text.
        written: KeyId,
        /// The id of the secret.
        derived: KeyId,
    },
    /// The check value does not fit the secret.
    #[error("the export is damaged (its check value does not fit): export it again")]
    Check,
}
