//! Why settings are refused: which value, where it was written, and what may stand there.

use core::fmt;
use std::io;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In a file, on a line counted from 1.
    File(PathBuf, usize),
    /// In an environment variable.
    Variable(String),
    /// After a command-line flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for cannot be read.
    #[error("cannot read {path}: {cause}: name a file that exists, or none to run on defaults")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The file is not TOML.
    #[error("{origin}: this is not TOML: {message}")]
    Syntax {
        /// Where the reader gave up.
        origin: Origin,
        /// Why.
        message: String,
    },
    /// A name that no setting bears.
    #[error(
        "{origin}: there is no setting `{name}`: the nearest is `{nearest}`, and `amaretti config \
         example` shows all of them"
    )]
    Unknown {
        /// Where it was written.
        origin: Origin,
        /// The name as it was written.
        name: String,
        /// The name of the same sort that is most like it.
        nearest: String,
    },
    /// A value that its setting cannot have.
    #[error("{origin}: {key} = {value:?}: {why}")]
    Invalid {
        /// Where it was written.
        origin: Origin,
        /// The setting.
        key: String,
        /// The value as it was written, its beginning if it is long.
        value: String,
        /// What may be written.
        why: String,
    },
    /// A setting that has no default was not made.
    #[error("{0}: write it into the file or the environment")]
    Missing(#[from] confique::Error),
}
