//! Secrets that two programs share: read from a file, compared in constant time, never shown.
//!
//! This file refuses to know what is asked with a secret.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use constant_time_eq::constant_time_eq;
use zeroize::Zeroizing;

/// Fewest characters of a secret: as hexadecimal digits they are 128 bits.
const SHORTEST: usize = 32;

/// Most bytes of the file of a secret.
const LONGEST: u64 = 1024;

/// Fewest different characters: below that it was typed and not drawn.
const DIFFERENT: usize = 10;

/// Words of those who meant to write a secret later.
const PLACEHOLDERS: [&str; 6] = ["change", "secret", "example", "password", "placeholder", "todo"];

/// Why a secret is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Others may read or change it.
    #[error("the secret in {path} is open to others (mode {mode:04o}): chmod 0640 {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It could be guessed, or could not be sent.
    #[error("the secret in {path} will not do: {why}. Make one: openssl rand -hex 32 > {path}")]
    Weak {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A secret that two programs share. It has no `Debug`, and is wiped when dropped.
pub struct Secret {
    text: Zeroizing<String>,
}

/// The first line of a file that nobody but its owner and its group may read.
///
/// # Errors
/// [`SecretError`] when the file cannot be read or is open to others.
pub fn first_line(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let blame = |source| SecretError::Io { path: path.to_owned(), source };
    // Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = open.map_err(blame)?;
    let mode = file.metadata().map_err(blame)?.mode() & 0o7777;
    if mode & 0o027 != 0 {
        return Err(SecretError::Open { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
    file.take(LONGEST).read_to_string(&mut text).map_err(blame)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

impl Secret {
    /// Reads the first line of a file, which nobody but its owner and its group may read.
    ///
    /// # Errors
    /// [`SecretError`] when the file cannot be read, is open to others, or holds what could be
    /// guessed.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let line = first_line(path)?;
        Self::parse(&line).map_err(|why| SecretError::Weak { path: path.to_owned(), why })
    }

    /// Takes a text as a secret.
    ///
    /// # Errors
    /// What is wrong with it, when it could be guessed or could not be sent in a header.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() < SHORTEST {
            return Err("it has less than 32 characters");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has spaces or other characters that no header can carry");
        }
        let mut seen = [false; 128];
        for byte in text.bytes() {
            if let Some(seen) = seen.get_mut(usize::from(byte)) {
                *seen = true;
            }
        }
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let placeholder = PLACEHOLDERS.iter().any(|word| lower.contains(word));
        if placeholder || seen.iter().filter(|seen| **seen).count() < DIFFERENT {
            return Err("it is a placeholder");
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()) })
    }

    /// Whether somebody knows the secret; takes the same time whatever is right about it. Of another
    /// length it is refused at once: how long the secret is, is no secret.
    #[must_use]
    pub fn is(&self, presented: &[u8]) -> bool {
        constant_time_eq(presented, self.text.as_bytes())
    }

    /// The secret itself, to be sent to whoever shares it. Look twice at who calls this.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GOOD: &str = "7c9f1e0b52a84d36a1c0e4f9b8d72635";

    fn why(text: &str) -> Option<&'static str> {
        Secret::parse(text).err()
    }

    #[test]
    fn only_the_very_secret_is_the_secret() {
        let secret = Secret::parse(GOOD).ok().unwrap();

        assert!(secret.is(GOOD.as_bytes()));
        for other in ["", "7c9f", &GOOD.to_uppercase(), &format!("{GOOD} ")] {
            assert!(!secret.is(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn what_could_be_guessed_is_refused() {
        for text in [
            "short",
            "00000000000000000000000000000000",
            "0123401234012340123401234012340123401234",
            "this-is-my-shared-secret-for-synapse",
            "CHANGE-ME-before-you-go-to-production",
            "with a space in it, however long it may be",
        ] {
            assert!(why(text).is_some(), "{text:?} was taken");
        }
        assert_eq!(why(GOOD), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_and_the_last_newline_is_not_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared");
        fs::write(&path, format!("{GOOD}\n")).unwrap();
        let with_mode = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Secret::read(&path)
        };

        assert!(with_mode(0o640).is_ok_and(|secret| secret.is(GOOD.as_bytes())));
        for mode in [0o644, 0o660, 0o604] {
            assert!(matches!(with_mode(mode), Err(SecretError::Open { .. })), "{mode:o}");
        }
    }
}
