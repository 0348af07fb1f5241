//! `amaretti config`: every setting there is, as a file and as a table.

use clap::Subcommand;

use super::{Done, say};
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Settings {
    /// Print a configuration file with every setting and its default
    Example,
    /// Print a table of every setting
    Reference,
}

impl Settings {
    pub(super) fn run(self) -> Done {
        match self {
            Self::Example => say(Config::example().trim_end()),
            Self::Reference => say(Config::reference().trim_end()),
        }
    }
}
