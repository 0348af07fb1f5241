//! A PostgreSQL of our own: started, stopped, crashed, copied, promoted.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::process::run;

/// Programs of the server.
const BIN: &str = "/usr/lib/postgresql/15/bin";
/// What starts and stops servers, for all suites.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");
/// Settings: room for every pool, and for a standby.
const SETTINGS: [&str; 6] = [
    "max_connections=200",
    "shared_buffers=128MB",
    "wal_level=replica",
    "max_wal_senders=5",
    "wal_keep_size=256MB",
    "max_wal_size=2GB",
];

/// A server and its data.
#[derive(Clone)]
pub(crate) struct Postgres {
    folder: PathBuf,
    /// Where it listens once it was started.
    pub(crate) port: u16,
}

impl Postgres {
    /// A server whose data lie in a folder, and are made there at its first start.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, port: 0 }
    }

    /// Makes a standby that streams from a server that is reached at `source`.
    pub(crate) async fn standby_of(folder: PathBuf, source: u16) -> Result<Self, String> {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        run(Command::new("chown").arg("postgres").arg(&folder)).await?;
        let mut backup = Command::new("runuser");
        backup.args(["-u", "postgres", "--"]).arg(format!("{BIN}/pg_basebackup"));
        backup.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &source.to_string()]);
        backup.args(["-R", "-X", "stream", "-c", "fast", "-D"]).arg(folder.join("data"));
        run(backup.current_dir("/")).await?;
        Ok(Self::new(folder))
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(&mut self) -> Result<(), String> {
        let mut start = Command::new(SCRIPT);
        start.arg("start").arg(&self.folder);
        for setting in SETTINGS {
            start.args(["-c", setting]);
        }
        let url = run(&mut start).await?;
        let port = url.trim().rsplit_once(':').and_then(|(_, rest)| rest.split('/').next());
        self.port = port.and_then(|port| port.parse().ok()).ok_or(format!("no port in {url}"))?;
        Ok(())
    }

    /// Ends it: in order, or at once, as a crash does.
    pub(crate) async fn stop(&self, in_order: bool) -> Result<(), String> {
        let mode = if in_order { "fast" } else { "immediate" };
        run(Command::new(SCRIPT).arg("stop").arg(&self.folder).arg(mode)).await.map(drop)
    }

    /// Runs SQL in a database.
    pub(crate) async fn sql(&self, database: &str, text: &str) -> Result<String, String> {
        sql(self.port, database, text).await
    }

    /// Runs a file of SQL in a database.
    pub(crate) async fn file(&self, database: &str, path: &Path) -> Result<String, String> {
        run(psql(self.port, database).arg("-f").arg(path)).await
    }
}

fn psql(port: u16, database: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string(), "-d", database]);
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    psql.env("PGCONNECT_TIMEOUT", "3");
    psql
}

async fn sql(port: u16, database: &str, text: &str) -> Result<String, String> {
    Ok(run(psql(port, database).args(["-c", text])).await?.trim().to_owned())
}
