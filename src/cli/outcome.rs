//! How a command ends: what it says, what it complains of, and its exit code.
//!
//! Answers go to standard output, everything about them to standard error, so that a token can be
//! piped on. 0 is yes, 1 is no or a failure, 2 a command line that makes no sense.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// What every command comes to.
pub(super) type Done = Result<ExitCode, Trouble>;

/// Why a command failed, in a sentence for the person who gave it.
pub(super) struct Trouble(pub(super) String);

impl<E: Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Writes to standard output. A reader that has gone away is no trouble of ours.
pub(super) fn say(text: &str) -> Done {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Writes to standard error; there is nobody to tell if that fails.
pub(super) fn note(text: &str) {
    let _unheard = writeln!(io::stderr().lock(), "{text}");
}

/// The exit code of a command that has run.
pub(super) fn exit(done: Done) -> ExitCode {
    done.unwrap_or_else(|trouble| {
        note(&format!("amaretti: {}", trouble.0));
        ExitCode::FAILURE
    })
}

/// Rows under a heading, in columns as wide as their widest cell.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(i, cell)| format!("{cell:w$}", w = width(i)));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let heading = line(heading.to_vec());
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n")
}

/// An instant as people read it.
pub(super) fn instant(at: crate::time::Timestamp) -> String {
    at.to_utc()
}
