//! Processes: started in a folder with a log of their own, killed, heard of.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::time::sleep;

/// A command that dies with the suite.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Starts it, with what it says appended to `log`.
pub(crate) fn start(mut command: Command, log: &Path) -> Result<Child, String> {
    let open = OpenOptions::new().create(true).append(true).open(log);
    let out = open.map_err(|error| format!("{}: {error}", log.display()))?;
    let error = out.try_clone().map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(out).stderr(error).kill_on_drop(true);
    command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))
}

/// Runs it to its end and gives what it said, or all of what it said as an error.
pub(crate) async fn run(command: &mut Command) -> Result<String, String> {
    run_from(command, Stdio::null()).await
}

/// The same, with a standard input.
pub(crate) async fn run_from(command: &mut Command, input: Stdio) -> Result<String, String> {
    let output = command.stdin(input).kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complained = String::from_utf8_lossy(&output.stderr);
    Err(format!("{:?} {}\n{said}{complained}", command.as_std().get_program(), output.status))
}

/// Sends a signal by its name.
pub(crate) async fn signal(child: &Child, name: &str) {
    if let Some(id) = child.id() {
        let _ = run(Command::new("kill").args(["-s", name, &id.to_string()])).await;
    }
}

/// Waits until something is so, and gives how long it took.
pub(crate) async fn until<F>(patience: Duration, mut is_so: impl FnMut() -> F) -> Option<Duration>
where
    F: Future<Output = bool>,
{
    let began = Instant::now();
    while began.elapsed() < patience {
        if is_so().await {
            return Some(began.elapsed());
        }
        sleep(Duration::from_millis(20)).await;
    }
    None
}

/// A port of 127.0.0.1 that nobody has just now.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
    Ok(listener.local_addr().map_err(|e| e.to_string())?.port())
}
