//! `amaretti token`: mint, look at, check, narrow, mend and revoke tokens.
//!
//! Tokens are read from the argument or, better, from standard input: other users of a machine can
//! read command lines.

use std::io::{self, BufRead, Read};
use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::anatomy::{caveat, draw, life};
use super::outcome::{instant, note};
use super::{Done, Place, Trouble, block_on, keys, say, service};
use crate::config::{Config, parse_duration};
use crate::ident::{DeviceId, UserId};
use crate::keyfile::{self, Held};
use crate::keyring::Keyring;
use crate::occasion::{self, PathScratch};
use crate::revocations::Revocations;
use crate::service::Ended;
use crate::store::Store;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::token::{
    Bearer, Grant, Kind, Occasion, Presented, Purpose, Refusal, Scratch, SessionId, attenuate,
    normalize,
};

#[derive(Subcommand)]
pub(super) enum Token {
    /// Mint a token without asking any server
    Mint(Mint),
    /// Draw a token; needs no key
    Inspect(Given),
    /// Say whether a token is good, and if not, exactly why
    Verify(Verify),
    /// Narrow a token; needs no key
    Attenuate(Attenuate),
    /// Mend the spelling of a token that another library has narrowed
    Normalize(Given),
    /// End the session of a token, or the session of this id
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct Given {
    /// The token; standard input when absent or "-"
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti token mint --kind login --user alice
  amaretti token mint --kind access --user @bot:example.com --device BOT1 --expires 30d \\
      --caveat 'action in read,send' --caveat 'label = weather bot'")]
pub(super) struct Mint {
    /// access, refresh, login or inner
    #[arg(long, value_name = "KIND", value_parser = keys::kind)]
    kind: Kind,
    /// User id or localpart
    #[arg(long, value_name = "USER")]
    user: String,
    /// Device id; a login token with one makes that device and no other
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// How long it lives (2m, 12h, 30d) or "never" [default: 2m for login, else 15m]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A caveat to append; may be given more than once
    #[arg(long = "caveat", value_name = "CAVEAT")]
    caveats: Vec<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti token verify < token.txt
  amaretti token verify --path /_matrix/client/v3/sync --address 192.0.2.7 < token.txt")]
pub(super) struct Verify {
    #[command(flatten)]
    given: Given,
    /// What it is presented for: request, login, refresh or introspection [default: what its kind
    /// is for]
    #[arg(long, value_name = "PURPOSE", value_parser = purpose)]
    purpose: Option<Purpose>,
    /// Method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// Path of the request; without one no `action` and no `room_id` caveat clears
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Address of the caller; without one no `ip` caveat clears
    #[arg(long, value_name = "ADDR")]
    address: Option<IpAddr>,
    /// Name of the service that judges
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti token attenuate --caveat 'action in read' --caveat 'time < 1790000000000' < token.txt")]
pub(super) struct Attenuate {
    #[command(flatten)]
    given: Given,
    /// A caveat to append; may be given more than once
    #[arg(long = "caveat", value_name = "CAVEAT", required = true)]
    caveats: Vec<String>,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The token or session id; standard input when absent or "-"
    #[arg(value_name = "TOKEN|SESSION")]
    what: Option<String>,
    /// Whose session it is, for a session id that no device bears
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Token {
    pub(super) fn run(self) -> Done {
        match self {
            Self::Mint(mint) => mint.run(),
            Self::Inspect(given) => say(&draw(&given.text()?)),
            Self::Verify(verify) => block_on(verify.run()),
            Self::Attenuate(attenuation) => attenuation.run(),
            Self::Normalize(given) => say(normalize(&given.text()?)?.reveal()),
            Self::Revoke(revoke) => block_on(revoke.run()),
        }
    }
}

impl Given {
    fn text(&self) -> Result<String, Trouble> {
        read(self.token.as_deref())
    }
}

/// What was given, or the first line of standard input.
fn read(given: Option<&str>) -> Result<String, Trouble> {
    let text = match given {
        Some(text) if text != "-" => text.to_owned(),
        _ => {
            let mut line = String::new();
            io::stdin().lock().take(16384).read_line(&mut line)?;
            line
        }
    };
    let text = text.trim().to_owned();
    if text.is_empty() { Err(Trouble::new("no token was given")) } else { Ok(text) }
}

impl Mint {
    fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let files = keyfile::read_folder(&config.keys)?;
        let key = keys::newest(&files).ok_or_else(|| {
            let folder = config.keys.display();
            Trouble::new(format!(
                "there is no whole key in {folder}: `amaretti keys new` makes one"
            ))
        })?;
        let user_id = match self.user.strip_prefix('@') {
            Some(_) => self.user.clone(),
            None => config.server_name.user_id(&self.user),
        };
        let now = SystemClock::default().now();
        let carried: Vec<_> = self.caveats.iter().map(String::as_str).collect();
        let grant = Grant {
            kind: self.kind,
            user: UserId::parse(&user_id).map_err(|e| Trouble::new(format!("{user_id}: {e}")))?,
            device: self.device.as_deref().map(DeviceId::parse).transpose()?,
            guest: false,
            session: SessionId::new(now.minus(BACK_DATED), random()?),
            generation: 0,
            issued_at: now,
            expires_at: self.ends_at(&config, now)?,
            carried: &[],
        };
        let token = grant.mint(&key.subkey(self.kind))?;
        let token = attenuate(token.reveal(), &carried)?;
        note(&format!("session {}, {}", grant.session, life(grant.expires_at)));
        note("It counts as begun a minute ago: a logout of the last minute ends it too.");
        say(token.reveal())
    }

    fn ends_at(&self, config: &Config, now: Timestamp) -> Result<Option<Timestamp>, Trouble> {
        let life = match (self.expires.as_deref(), self.kind) {
            (Some("never"), Kind::Access | Kind::Refresh) => return Ok(None),
            (Some("never"), kind) => {
                return Err(Trouble::new(format!("a token of kind {kind} has to expire")));
            }
            (Some(text), _) => parse_duration(text)?,
            (None, Kind::Login) => config.login_token_lifetime.get(),
            (None, _) => config.access_token_lifetime.get(),
        };
        Ok(Some(now.plus(life)))
    }
}

/// How far the session of a token minted offline is dated back, in milliseconds: no tick of a store
/// was taken for it, and an ending that this clock does not know of yet must still lie behind it.
const BACK_DATED: u64 = 60_000;

fn random() -> Result<[u8; 10], Trouble> {
    let mut bytes = [0; 10];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|_| Trouble::new("the operating system gives no randomness"))?;
    Ok(bytes)
}

impl Attenuate {
    fn run(self) -> Done {
        let caveats: Vec<_> = self.caveats.iter().map(String::as_str).collect();
        say(attenuate(&self.given.text()?, &caveats)?.reveal())
    }
}

impl Verify {
    async fn run(self) -> Done {
        let text = self.given.text()?;
        let config = self.place.resolve(None, None)?;
        match self.judge(&text, &config).await? {
            Ok(said) => say(&said),
            Err(refusal) => {
                let mut said = format!("refused: {refusal}");
                if let Refusal::UnknownCaveat(at) | Refusal::Sealed(at) | Refusal::Unmet(at) =
                    refusal
                    && let Some(caveat) = caveat(&text, at.index)
                {
                    said += &format!("\n  caveat {}: {caveat}", at.index);
                }
                say(&said)?;
                Ok(ExitCode::FAILURE)
            }
        }
    }

    async fn judge(&self, text: &str, config: &Config) -> Result<Result<String, Refusal>, Trouble> {
        let ring = ring(config)?;
        let mut scratch = Scratch::new();
        let presented = match Presented::read(text, &mut scratch) {
            Ok(presented) => presented,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let kind = presented.claimed().kind;
        let (facts, known) = facts(config, presented.user_id().as_str()).await?;
        let mut room = PathScratch::new();
        let asked = match &self.path {
            Some(path) => Some(occasion::request(&self.method, path, &mut room)?),
            None => None,
        };
        let occasion = Occasion {
            action: asked.and_then(|asked| asked.action),
            room_id: asked.and_then(|asked| asked.room_id),
            address: self.address,
            audience: self.audience.as_deref(),
            ..Occasion::new(self.purpose.unwrap_or(Purpose::of(kind)), SystemClock::default().now())
        };
        let verdict = presented.authenticate(&ring).and_then(|t| t.clear(&facts, &occasion));
        Ok(verdict.map(|bearer| format!("{}\n{known}", admitted(&bearer))))
    }
}

fn admitted(bearer: &Bearer<'_>) -> String {
    let identifier = bearer.identifier();
    let device = match bearer.device_id() {
        Some(device) => format!("on device {device}"),
        None => "without a device".to_owned(),
    };
    format!(
        "admitted: {} token of {} {device}\nsession {}, generation {}, issued {}, {}",
        identifier.kind,
        bearer.user_id(),
        identifier.session,
        identifier.generation,
        instant(identifier.issued_at),
        life(bearer.ends_at()),
    )
}

fn ring(config: &Config) -> Result<Keyring, Trouble> {
    let files = keyfile::read_folder(&config.keys)?;
    if files.is_empty() {
        let what = format!("there is no key in {} to verify with", config.keys.display());
        return Err(Trouble::new(what));
    }
    let mut ring = Keyring::default();
    for file in files {
        match file.held {
            Held::Key(key) => ring.hold(&key)?,
            Held::Subkey(subkey) => ring.hold_subkey(subkey)?,
        }
    }
    Ok(ring)
}

/// What the database knows of a user, and a sentence on where that is from.
async fn facts(config: &Config, user_id: &str) -> Result<(Revocations, String), Trouble> {
    let data = config.data.display();
    match Store::open_existing(&config.data, &config.server_name).await {
        Ok(store) => {
            let facts = store.read().await?.facts_about(user_id).await?;
            Ok((facts, format!("logouts: as the database in {data} has them")))
        }
        Err(crate::store::StoreError::Missing(_)) => {
            let known = format!("logouts: not known, there is no database in {data}");
            Ok((Revocations::default(), known))
        }
        Err(error) => Err(error.into()),
    }
}

impl Revoke {
    async fn run(self) -> Done {
        let what = read(self.what.as_deref())?;
        let config = self.place.resolve(None, None)?;
        let store = Store::open_existing(&config.data, &config.server_name).await?;
        let service = service(&config, store).await?;
        let (user_id, session) = match SessionId::parse(&what) {
            Some(session) => {
                let device = service.device_of(session).await?;
                let typed =
                    self.user.map(|user| super::user::user_id(&config, &user)).transpose()?;
                let user_id = typed.or(device.map(|device| device.user_id));
                let user_id = user_id.ok_or_else(|| {
                    Trouble::new("no device bears this session: say whose it is by --user")
                })?;
                (user_id, session)
            }
            None => authentic(&config, &what)?,
        };
        let Ended { devices, .. } = service.end_session(&user_id, session).await?;
        say(&format!("ended session {session} of {user_id}; devices: {devices}"))
    }
}

/// Whose token it is, and of which session. Only a token that was signed here says so: nobody ends
/// a stranger's session with a text he wrote himself.
fn authentic(config: &Config, text: &str) -> Result<(String, SessionId), Trouble> {
    let mut scratch = Scratch::new();
    let presented = Presented::read(text, &mut scratch)?;
    let authentic = presented.authenticate(&ring(config)?)?;
    Ok((authentic.user_id().as_str().to_owned(), authentic.session()))
}

fn purpose(name: &str) -> Result<Purpose, String> {
    match name {
        "request" => Ok(Purpose::Request),
        "login" => Ok(Purpose::Login),
        "refresh" => Ok(Purpose::Refresh),
        "introspection" => Ok(Purpose::Introspection),
        _ => Err("there are: request, login, refresh, introspection".to_owned()),
    }
}
