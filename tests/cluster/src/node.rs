//! One node of the cluster: how it is started, with which clock, keys and wire.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::http::{Lines, get};
use crate::process::{command, run, run_from, signal, start, until};
use crate::wire::Wire;

/// The role that owns the tables.
pub(crate) const OWNER: &str = "amaretti";
/// The role of a node that only verifies.
pub(crate) const VERIFIER: &str = "amaretti_verify";
/// How many lines of its log are shown of a node that has failed.
const LAST_WORDS: usize = 20;
/// How old the facts of a node may be before it answers 503.
pub(crate) const MAX_STALENESS: Duration = Duration::from_secs(18);
/// Before this they are never too old: a beat is a second old before the next one is written, and a
/// busy machine takes its time.
pub(crate) const FRESH: Duration = Duration::from_secs(13);
/// How long a node may take to be ready.
pub(crate) const START: Duration = Duration::from_secs(30);

/// A node and the process that it is just now.
pub(crate) struct Node {
    /// What it is called in logs.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Where it serves clients.
    pub(crate) public: u16,
    /// Where it serves operators.
    pub(crate) internal: u16,
    /// The only way from it to the database.
    pub(crate) wire: Wire,
    /// The role by which it enters the database.
    pub(crate) role: &'static str,
    /// How far off its clock is, as libfaketime reads it.
    pub(crate) clock: RefCell<Option<&'static str>>,
    /// How many times it was started.
    pub(crate) starts: Cell<usize>,
    /// The process.
    pub(crate) child: RefCell<Option<Child>>,
    /// The program.
    pub(crate) binary: PathBuf,
}

impl Node {
    /// Whether it has a whole key and may write.
    pub(crate) fn is_full(&self) -> bool {
        self.name.starts_with("full")
    }

    /// The address of its database, through its wire.
    fn database(&self) -> String {
        format!("postgres://{}@127.0.0.1:{}/amaretti", self.role, self.wire.port)
    }

    fn environment(&self, command: &mut Command) {
        command.current_dir(&self.folder).env_clear();
        for name in ["PATH", "HOME"] {
            command.env(name, std::env::var_os(name).unwrap_or_default());
        }
        for limit in ["PASSWORDS", "REGISTRATIONS", "LOGIN_TOKENS", "REFRESHES", "PROBES"] {
            command.env(format!("AMARETTI_TRIES_PER_MINUTE_{limit}"), "0");
        }
        command
            .env("AMARETTI_DATABASE", self.database())
            .env("AMARETTI_MAX_STALENESS", format!("{}s", MAX_STALENESS.as_secs()))
            .env("AMARETTI_ACCESS_TOKEN_LIFETIME", "2h")
            .env("AMARETTI_PASSWORD_HASHING_MEMORY_KIB", "8")
            .env("AMARETTI_PASSWORD_HASHING_ITERATIONS", "1")
            .env("AMARETTI_LISTEN", format!("127.0.0.1:{}", self.public))
            .env("AMARETTI_INTERNAL", format!("127.0.0.1:{}", self.internal));
    }

    /// Starts the process, and does not wait for it.
    pub(crate) fn spawn(&self) -> Result<(), String> {
        self.spawn_saying(&self.log())
    }

    /// Starts the process with its log in a file of its own.
    pub(crate) fn spawn_saying(&self, log: &Path) -> Result<(), String> {
        let mut serve = command(&self.binary);
        serve.arg("serve");
        if self.role == VERIFIER {
            serve.arg("--verify-only");
        }
        self.environment(&mut serve);
        if let Some(off) = *self.clock.borrow() {
            serve.env("LD_PRELOAD", faketime()?).env("FAKETIME", off);
            serve.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        self.starts.set(self.starts.get() + 1);
        *self.child.borrow_mut() = Some(start(serve, log)?);
        Ok(())
    }

    /// What it has to say.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The end of what it has had to say.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }

    /// Starts the process and waits until it is ready; gives how long that took.
    pub(crate) async fn start(&self, lines: &Lines) -> Result<Duration, String> {
        self.spawn()?;
        self.ready(lines, START).await
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(
        &self,
        lines: &Lines,
        patience: Duration,
    ) -> Result<Duration, String> {
        let took = until(patience, || async { self.health(lines, "ready").await.0 == 200 }).await;
        took.ok_or_else(|| format!("{} is not ready: see {}", self.name, self.log().display()))
    }

    /// Status and body of a health page; 0 when there is no answer.
    pub(crate) async fn health(&self, lines: &Lines, page: &str) -> (u16, String) {
        match lines.ask(self.internal, get(&format!("/health/{page}"), None)).await {
            Ok(answer) => (answer.status, answer.text),
            Err(why) => (0, why),
        }
    }

    /// How old what it knows is, as its metrics tell.
    pub(crate) async fn feed_age(&self, lines: &Lines) -> Option<Duration> {
        let answer = lines.ask(self.internal, get("/metrics", None)).await.ok()?;
        let line =
            answer.text.lines().find_map(|line| line.strip_prefix("amaretti_feed_age_seconds "));
        Some(Duration::from_secs_f64(line?.trim().parse().ok()?))
    }

    /// Kills it.
    pub(crate) async fn kill(&self) {
        let child = self.child.borrow_mut().take();
        if let Some(mut child) = child {
            let _ = child.start_kill();
            let _ = child.wait().await;
        }
    }

    /// Asks it to end.
    pub(crate) async fn stop(&self) {
        let child = self.child.borrow_mut().take();
        if let Some(mut child) = child {
            signal(&child, "TERM").await;
            let _ = child.wait().await;
        }
    }

    /// Runs the program as the operator of this node.
    pub(crate) async fn run(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.binary);
        command.args(words);
        self.environment(&mut command);
        run(&mut command).await
    }

    /// The same, with a file as its standard input.
    pub(crate) async fn run_with(&self, words: &[&str], input: &Path) -> Result<String, String> {
        let mut command = Command::new(&self.binary);
        command.args(words);
        self.environment(&mut command);
        let input = fs::File::open(input).map_err(|error| error.to_string())?;
        run_from(&mut command, Stdio::from(input)).await
    }

    /// Takes away everything it keeps beside its keys: it will know what the database says alone.
    pub(crate) fn forget(&self) -> Result<(), String> {
        let data = self.folder.join("data");
        if data.exists() {
            fs::remove_dir_all(data).map_err(|error| error.to_string())
        } else {
            Ok(())
        }
    }

    /// Its key files.
    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// Memory of the process in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let id = self.child.borrow().as_ref().and_then(Child::id).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    }
}

/// Copies key files that are not there yet.
pub(crate) fn hand_over(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| error.to_string())?;
    for entry in fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_owned();
        if !to.join(&name).exists() {
            // Under another name first: nobody may find half a key.
            let half = to.join(format!(".{}", name.to_string_lossy()));
            fs::copy(&path, &half).map_err(|error| error.to_string())?;
            fs::rename(&half, to.join(&name)).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn faketime() -> Result<PathBuf, String> {
    let folders = fs::read_dir("/usr/lib").map_err(|error| error.to_string())?;
    let mut files = folders.flatten().map(|f| f.path().join("faketime/libfaketime.so.1"));
    files.find(|file| file.exists()).ok_or("install the package faketime".to_owned())
}
