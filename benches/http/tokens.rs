//! Tokens by the thousand, each of a session of its own, minted with the keys of a node.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyfile::{self, Held};
use amaretti::time::{Clock, SystemClock};
use amaretti::token::{Grant, Kind, SessionId};

/// Prints `count` tokens, one a line, of the users in turn. They live for an hour.
pub(super) fn print(
    keys: &str,
    kind: &str,
    count: &str,
    server: &str,
    users: &[&str],
) -> Result<(), Box<dyn Error>> {
    let kind = match kind {
        "access" => Kind::Access,
        "login" => Kind::Login,
        _ => return Err("the kind is access or login".into()),
    };
    let files = keyfile::read_folder(Path::new(keys))?;
    let Some(Held::Key(key)) = files.first().map(|file| &file.held) else {
        return Err("there is no whole key".into());
    };
    let subkey = key.subkey(kind);
    // As whoever mints offline does: a minute ago.
    let now = SystemClock::default().now();
    let began = now.minus(60_000);
    let mut out = std::io::stdout().lock();
    for at in 0..count.parse::<u64>()? {
        let turn = usize::try_from(at)? % users.len().max(1);
        let user = format!("@{}:{server}", users.get(turn).ok_or("no user")?);
        let device = format!("BENCH{at:05}");
        // Another session each, in each run; nobody has to be unable to guess it.
        let [.., a, b, c, d, e, f] = now.millis().to_be_bytes();
        let [.., g, h, i, j] = at.to_be_bytes();
        let random = [a, b, c, d, e, f, g, h, i, j];
        let device = (kind == Kind::Access).then(|| DeviceId::parse(&device)).transpose();
        let grant = Grant {
            kind,
            user: UserId::parse(&user)?,
            device: device?,
            guest: false,
            session: SessionId::new(began, random),
            generation: 0,
            issued_at: now,
            expires_at: Some(now.plus(3_600_000)),
            carried: &[],
        };
        writeln!(out, "{}", grant.mint(&subkey)?.reveal())?;
    }
    Ok(())
}
