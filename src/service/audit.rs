//! The audit stream: one line for each thing that was done, after it was done.
//!
//! A line is one JSON object and is written in one piece, so that many processes may share a file.
//! What cannot be written is in the log instead and is counted: what it tells of has been done, and
//! is answered. This file refuses to know what is worth a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::events::{Event, ascii};
use crate::config::AuditTo;
use crate::time::Timestamp;

tokio::task_local! {
    /// Where the request that is being served came from.
    static ADDRESS: Option<IpAddr>;
}

/// Serves a request, in whose lines stands where it came from.
pub async fn asked_from<T>(address: Option<IpAddr>, request: impl Future<Output = T>) -> T {
    ADDRESS.scope(address, request).await
}

/// Why the stream could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the audit file {path}: {source}; name another by the setting `audit`")]
pub struct AuditError {
    path: PathBuf,
    source: io::Error,
}

/// The stream of one process.
#[derive(Default)]
pub struct Audit {
    /// What every line begins with after its time: who writes it.
    writer: String,
    to: Option<AuditTo>,
    /// The file, when it is one.
    file: Mutex<Option<File>>,
    lines: AtomicU64,
    failures: AtomicU64,
}

impl Audit {
    /// Opens the stream for a node or, by its name, for the operator who gives a command.
    ///
    /// # Errors
    /// [`AuditError`] when the file cannot be made or appended to.
    pub fn open(to: Option<AuditTo>, sort: &str, name: &str) -> Result<Self, AuditError> {
        let writer = format!(",\"{sort}\":{}", ascii(&Value::from(name)));
        let audit = Self { writer, to, ..Self::default() };
        audit.reopen()?;
        Ok(audit)
    }

    /// Opens the file anew: it may have been renamed, to make room.
    ///
    /// # Errors
    /// [`AuditError`]; then lines go on to the file that was open.
    pub fn reopen(&self) -> Result<(), AuditError> {
        let Some(AuditTo::File(path)) = &self.to else { return Ok(()) };
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let opened = opened.map_err(|source| AuditError { path: path.clone(), source })?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        Ok(())
    }

    /// Tells of something that was done.
    pub fn tell(&self, now: Timestamp, event: &Event<'_>) {
        let Some(to) = &self.to else { return };
        let line = self.line(now, event);
        let written = match to {
            AuditTo::Stdout => io::stdout().lock().write_all(line.as_bytes()),
            AuditTo::Stderr => io::stderr().lock().write_all(line.as_bytes()),
            AuditTo::File(_) => {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()))
            }
        };
        match written {
            Ok(()) => self.lines.fetch_add(1, Relaxed),
            Err(error) => {
                tracing::error!(%error, line = line.trim_end(), "an audit line could not be written");
                self.failures.fetch_add(1, Relaxed)
            }
        };
    }

    /// How many lines were written, and how many could not be.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.lines.load(Relaxed), self.failures.load(Relaxed))
    }

    fn line(&self, now: Timestamp, event: &Event<'_>) -> String {
        let address = ADDRESS.try_with(|address| *address).ok().flatten();
        let address = address.map(|ip| format!(",\"address\":\"{}\"", ip.to_canonical()));
        format!(
            "{{\"time\":\"{}\",\"event\":\"{}\"{}{}{}}}\n",
            instant(now),
            event.name(),
            self.writer,
            address.unwrap_or_default(),
            event.members(),
        )
    }
}

/// An instant in the form of RFC 3339, UTC, with milliseconds.
fn instant(at: Timestamp) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    let ns = i128::from(at.millis()) * 1_000_000;
    let told = time::OffsetDateTime::from_unix_timestamp_nanos(ns).ok();
    told.and_then(|told| told.format(&format).ok()).unwrap_or_else(|| at.millis().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::KeyId;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);

    fn event() -> Event<'static> {
        Event::KeyMade { key: KeyId::parse("d4441b84").unwrap() }
    }

    #[test]
    fn a_line_says_when_what_and_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        let audit = Audit::open(Some(AuditTo::File(path.clone())), "node", "web1").unwrap();

        audit.tell(NOW, &event());

        let expected = "{\"time\":\"2026-09-21T14:13:20.123Z\",\"event\":\"key_made\",\
                        \"node\":\"web1\",\"key\":\"d4441b84\"}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(audit.counts(), (1, 0));
    }

    #[test]
    fn after_the_file_was_renamed_it_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("audit"), folder.path().join("audit.1"));
        let audit = Audit::open(Some(AuditTo::File(path.clone())), "node", "web1").unwrap();
        audit.tell(NOW, &event());
        std::fs::rename(&path, &old).unwrap();
        audit.tell(NOW, &event());

        audit.reopen().unwrap();
        audit.tell(NOW, &event());

        let lines = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count();
        assert_eq!((lines(&old), lines(&path)), (2, 1));
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let full = Some(AuditTo::File("/dev/full".into()));
        let audit = Audit::open(full, "node", "web1").unwrap();

        audit.tell(NOW, &event());

        assert_eq!(audit.counts(), (0, 1));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_that_names_it() {
        let nowhere = Some(AuditTo::File("/no/such/folder/audit".into()));

        let error = Audit::open(nowhere, "node", "web1").err().expect("there is no such folder");

        assert!(error.to_string().contains("/no/such/folder/audit"), "{error}");
    }
}
