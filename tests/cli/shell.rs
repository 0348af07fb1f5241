//! Runs commands as one session of bash in a folder, and keeps apart what each of them did.
//!
//! It refuses to know what is expected of them.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a session may take. Each takes seconds; more is a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one command wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
    /// The exit code; `None` if it was never reached.
    pub(crate) code: Option<i32>,
}

/// Runs the commands in `folder`, with these variables and nothing of ours beside them.
pub(crate) fn run(commands: &[String], folder: &Path, variables: &[(String, String)]) -> Vec<Ran> {
    let kept = tempfile::tempdir().unwrap();
    let file = |index: usize, what: &str| kept.path().join(format!("{index}.{what}"));
    let mut script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for (index, command) in commands.iter().enumerate() {
        let [out, err, code] = ["out", "err", "code"].map(|what| file(index, what));
        let (out, err, code) = (out.display(), err.display(), code.display());
        script += &format!("exec >{out} 2>{err}\n{command}\necho $? >{code}\n");
    }
    let session = kept.path().join("session");
    fs::write(&session, script).unwrap();
    wait(bash(&session, folder, variables));
    let read = |path: PathBuf| fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
    let ran = |index| Ran {
        out: read(file(index, "out")).unwrap_or_default(),
        err: read(file(index, "err")).unwrap_or_default(),
        code: read(file(index, "code")).ok().and_then(|code| code.trim().parse().ok()),
    };
    (0..commands.len()).map(ran).collect()
}

fn bash(session: &Path, folder: &Path, variables: &[(String, String)]) -> Child {
    let program = Path::new(env!("CARGO_BIN_EXE_amaretti")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.arg(session).current_dir(folder).process_group(0);
    bash.env_clear().env("PATH", path).env("HOME", folder).env("LC_ALL", "C.UTF-8");
    bash.env("ROOT", env!("CARGO_MANIFEST_DIR"));
    // Hashes as cheap as they come: nothing here is about their cost.
    bash.env("AMARETTI_PASSWORD_HASHING_MEMORY_KIB", "8");
    bash.env("AMARETTI_PASSWORD_HASHING_ITERATIONS", "1");
    bash.envs(variables.iter().cloned());
    bash.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    bash.spawn().expect("bash runs")
}

/// Waits for a session to end; one that hangs is ended with all that it started.
fn wait(mut session: Child) {
    let began = Instant::now();
    while session.try_wait().unwrap().is_none() {
        if began.elapsed() > PATIENCE {
            let group = format!("-{}", session.id());
            Command::new("kill").args(["-KILL", "--", &group]).status().unwrap();
        }
        sleep(Duration::from_millis(5));
    }
}
