//! Our side: the binary, run as an operator runs it, and the crate without its server.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use amaretti::time::{Clock, SystemClock};
use amaretti::token::{
    Action, KeyId, Kind, NoFacts, Occasion, Presented, Purpose, Refusal, Scratch, Subkey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tempfile::TempDir;

use crate::tally::{Trouble, said};

/// The request a token is judged on.
#[derive(Clone, Copy)]
pub(crate) enum Request {
    /// Reads in `!a:example.com` from 192.0.2.7: what the caveats here allow.
    Allowed,
    /// Sends there, from another address.
    Other,
}

/// Keys and a database in a folder of their own, and the binary that minds them.
pub(crate) struct Issuer {
    binary: PathBuf,
    folder: TempDir,
}

impl Issuer {
    /// Makes the first key.
    pub(crate) fn new(binary: &Path) -> Result<Self, Trouble> {
        let (binary, folder) = (binary.to_owned(), tempfile::tempdir().map_err(said)?);
        let issuer = Self { binary, folder };
        issuer.run(&["keys", "new"], &PLACE, "")?;
        Ok(issuer)
    }

    /// A token of Alice's on a device.
    pub(crate) fn mint(&self, kind: Kind) -> Result<String, Trouble> {
        let mint = ["token", "mint", "--kind", kind.name(), "--user", "alice", "--expires", "1h"];
        self.run(&mint, &[&PLACE[..], &["--device", "ABCDEFGHIJ"]].concat(), "")
    }

    /// The subkey of a kind, as it is exported.
    pub(crate) fn subkey(&self, kind: Kind) -> Result<Subkey, Trouble> {
        let to = self.folder.path().join(format!("exported-{kind}"));
        if !to.exists() {
            let folder = to.display().to_string();
            self.run(&["keys", "export", "--kind", kind.name(), "--to", &folder], &PLACE, "")?;
        }
        let mut files = fs::read_dir(to).map_err(said)?;
        let file = files.next().ok_or("nothing was exported")?.map_err(said)?;
        let text = fs::read_to_string(file.path()).map_err(said)?;
        let find = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.ok_or_else(|| format!("an export without `{name}`"))
        };
        let secret = URL_SAFE_NO_PAD.decode(find("secret")?).map_err(said)?;
        let secret: [u8; 32] = secret.try_into().map_err(|_| "a secret of another length")?;
        let id = KeyId::parse(find("id")?).ok_or("no key id")?;
        Ok(Subkey::from_bytes(kind, id, &secret))
    }

    /// Narrows a token.
    pub(crate) fn attenuate(&self, token: &str, caveats: &[&str]) -> Result<String, Trouble> {
        let flags: Vec<_> = caveats.iter().flat_map(|caveat| ["--caveat", caveat]).collect();
        self.run(&["token", "attenuate"], &flags, token)
    }

    /// Mends the spelling of a token.
    pub(crate) fn normalize(&self, token: &str) -> Result<String, Trouble> {
        self.run(&["token", "normalize"], &[], token)
    }

    /// Judges a token by the command line; the error is what that prints.
    pub(crate) fn verify(&self, token: &str, request: Request) -> Result<String, Trouble> {
        let (method, path, address) = match request {
            Request::Allowed => ("GET", "messages", "192.0.2.7"),
            Request::Other => ("PUT", "send/m.room.message/1", "198.51.100.9"),
        };
        let path = format!("/_matrix/client/v3/rooms/!a:example.com/{path}");
        let how = ["--method", method, "--path", &path, "--address", address];
        self.run(&["token", "verify"], &[&PLACE[..], &how].concat(), token)
    }

    /// Runs a command in the folder, without the environment of this process.
    fn run(&self, command: &[&str], flags: &[&str], input: &str) -> Result<String, Trouble> {
        let mut started = Command::new(&self.binary)
            .args(command)
            .args(flags)
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.binary.display()))?;
        let mut stdin = started.stdin.take().ok_or("no standard input")?;
        // A command that reads nothing may have ended by now.
        let _unread = stdin.write_all(input.as_bytes());
        drop(stdin);
        let done = started.wait_with_output().map_err(said)?;
        let told = String::from_utf8_lossy(&done.stdout).trim().to_owned();
        let noted = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        if done.status.success() { Ok(told) } else { Err([told, noted].concat()) }
    }
}

const PLACE: [&str; 6] = ["--data", "data", "--keys", "keys", "--server-name", "example.com"];

/// Judges a token by the crate; gives the caveats that holders appended.
pub(crate) fn judge(
    token: &str,
    subkey: &Subkey,
    request: Request,
) -> Result<Vec<String>, Refusal> {
    let (action, address) = match request {
        Request::Allowed => (Action::Read, [192, 0, 2, 7]),
        Request::Other => (Action::Send, [198, 51, 100, 9]),
    };
    let occasion = Occasion {
        action: Some(action),
        room_id: Some("!a:example.com"),
        address: Some(address.into()),
        ..Occasion::new(Purpose::of(subkey.kind()), SystemClock::default().now())
    };
    let mut scratch = Scratch::new();
    let authentic = Presented::read(token, &mut scratch)?.authenticate(subkey)?;
    let bearer = authentic.clear(&NoFacts, &occasion)?;
    Ok(bearer.appended().map(String::from).collect())
}
