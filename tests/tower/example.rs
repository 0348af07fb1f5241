//! The examples as programs: started, asked over a socket, stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::tokens;

/// An example that listens; it ends when this is dropped.
pub(crate) struct Example {
    child: Child,
    address: String,
    _keys: TempDir,
}

impl Example {
    pub(crate) fn start(name: &str) -> Self {
        let keys = tokens::exported();
        let mut child = command(name, keys.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("{name} said {said:?}")).to_owned();
        Self { child, address, _keys: keys }
    }

    /// Asks once, over a connection of its own.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{}content-length: {}\r\n\r\n{body}",
            self.address,
            token.unwrap_or_default(),
            body.len(),
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status.unwrap(), body.to_owned())
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What an example says that does not start.
pub(crate) fn fails(name: &str, keys: &Path) -> String {
    let output = command(name, keys).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn command(name: &str, keys: &Path) -> Command {
    let mut command = Command::new(built(name));
    command.args(["127.0.0.1:0".as_ref(), keys.as_os_str()]);
    command
}

/// Cargo puts examples beside the folder of the tests.
fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(built.exists(), "build it first: cargo build --features tower --examples");
    built
}
