//! Listens to everything that is logged while the whole suite runs: no secret may be in it.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::filter::LevelFilter;

use super::{ALICES_PASSWORD, BOBS_PASSWORD};

/// What stands in no line: how tokens begin behind their prefixes, how a query brings one, and the
/// passwords of the town.
const SECRETS: [&str; 7] =
    ["mma_Ag", "mmr_Ag", "mml_Ag", "mmi_Ag", "access_token=", ALICES_PASSWORD, BOBS_PASSWORD];

static HEARD: Mutex<Heard> = Mutex::new(Heard { lines: Vec::new(), leak: None });

struct Heard {
    lines: Vec<String>,
    leak: Option<String>,
}

fn heard<T>(act: impl FnOnce(&mut Heard) -> T) -> T {
    act(&mut HEARD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A line goes in; whether it is one that should not have been written is seen at once.
struct Ear;

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        heard(|heard| {
            if SECRETS.iter().any(|secret| line.contains(secret)) {
                heard.leak.get_or_insert_with(|| line.clone());
            }
            heard.lines.push(line);
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens from now on, to every crate and at every level.
pub(super) fn listen() {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        log.with_writer(|| Ear).init();
    });
}

#[track_caller]
pub(super) fn assert_nothing_leaked() {
    if let Some(line) = heard(|heard| heard.leak.clone()) {
        panic!("a secret reached the log:\n{line}");
    }
}

/// Every line so far that holds this text.
pub(crate) fn logged(text: &str) -> Vec<String> {
    heard(|heard| heard.lines.iter().filter(|line| line.contains(text)).cloned().collect())
}
