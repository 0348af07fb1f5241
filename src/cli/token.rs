//! `amaretti token`: mint, look at, check, narrow, mend and revoke tokens.
//!
//! Tokens are read from the argument or, better, from standard input: other users of a machine can
//! read command lines.

use std::io::{self, BufRead, Read};

use clap::{Args, Subcommand};

use super::anatomy::{draw, life};
use super::outcome::note;
use super::provision::ForLabel;
use super::verify::{Verify, ring};
use super::{Done, Place, Trouble, audit, block_on, existing_store, keys, say, service};
use crate::config::{Config, parse_duration};
use crate::ident::{DeviceId, UserId};
use crate::keyfile;
use crate::random::random;
use crate::service::{Ended, Event, labels};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::token::{Grant, Kind, Presented, Scratch, SessionId, attenuate, normalize};

#[derive(Subcommand)]
pub(super) enum Token {
    /// Mint a token without asking any server
    Mint(Mint),
    /// Give a token to a job: one device for each label, however often it is asked for
    ForLabel(ForLabel),
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
            Self::ForLabel(labelled) => block_on(labelled.run()),
            Self::Inspect(given) => say(&draw(&given.text()?)),
            Self::Verify(verify) => block_on(verify.run()),
            Self::Attenuate(attenuation) => attenuation.run(),
            Self::Normalize(given) => say(normalize(&given.text()?)?.reveal()),
            Self::Revoke(revoke) => block_on(revoke.run()),
        }
    }
}

impl Given {
    pub(super) fn text(&self) -> Result<String, Trouble> {
        read(self.token.as_deref())
    }
}

/// The most that is read from standard input, in bytes: no token comes near it in any spelling.
const MOST: u64 = 16_384;

/// What was given, or the first line of standard input.
fn read(given: Option<&str>) -> Result<String, Trouble> {
    let text = match given {
        Some(text) if text != "-" => text.to_owned(),
        _ => {
            let mut line = String::new();
            io::stdin().lock().take(MOST).read_line(&mut line)?;
            if line.len() as u64 == MOST {
                return Err(Trouble::new("this is longer than any token"));
            }
            line
        }
    };
    let text = text.trim().to_owned();
    if text.is_empty() { Err(Trouble::new("no token was given")) } else { Ok(text) }
}

impl Mint {
    fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let audit = audit(&config)?;
        let files = keyfile::read_folder(&config.keys)?;
        let key = keys::newest(&files).ok_or_else(|| no_key(&config))?;
        let user_id = self.user_id(&config);
        let now = SystemClock::default().now();
        let carried: Vec<_> = self.caveats.iter().map(String::as_str).collect();
        let grant = Grant {
            kind: self.kind,
            user: UserId::parse(&user_id).map_err(|e| Trouble::new(format!("{user_id}: {e}")))?,
            device: self
                .device
                .as_deref()
                .map(DeviceId::parse)
                .transpose()
                .map_err(|error| Trouble::new(format!("--device: {error}")))?,
            guest: false,
            session: SessionId::new(now.minus(BACK_DATED), random()?),
            generation: 0,
            issued_at: now,
            expires_at: self.ends_at(&config, now)?,
            carried: &[],
        };
        let token = grant.mint(&key.subkey(self.kind))?;
        let token = attenuate(token.reveal(), &carried)?;
        let (session, kind, device_id) = (grant.session, self.kind, self.device.as_deref());
        let (user_id, key, labels) = (user_id.as_str(), key.id(), labels(carried));
        audit.tell(now, &Event::Minted { user_id, device_id, session, kind, key, labels });
        note(&format!("session {}, {}", grant.session, life(grant.expires_at)));
        note("It counts as begun a minute ago: a logout of the last minute ends it too.");
        say(token.reveal())
    }

    fn user_id(&self, config: &Config) -> String {
        match self.user.strip_prefix('@') {
            Some(_) => self.user.clone(),
            None => config.server_name.user_id(&self.user),
        }
    }

    fn ends_at(&self, config: &Config, now: Timestamp) -> Result<Option<Timestamp>, Trouble> {
        let life = match (self.expires.as_deref(), self.kind) {
            (Some("never"), Kind::Access | Kind::Refresh) => return Ok(None),
            (Some("never"), kind) => {
                return Err(Trouble::new(format!("a token of kind {kind} has to expire")));
            }
            (Some(text), _) => match parse_duration(text)? {
                0 => return Err(Trouble::new("a token has to live longer than that")),
                life => life,
            },
            (None, Kind::Login) => config.login_token_lifetime.get(),
            (None, _) => config.access_token_lifetime.get(),
        };
        Ok(Some(now.plus(life)))
    }
}

fn no_key(config: &Config) -> Trouble {
    let folder = config.keys.display();
    Trouble::new(format!("there is no whole key in {folder}: `amaretti keys new` makes one"))
}

/// How far the session of a token minted offline is dated back, in milliseconds: no tick of a store
/// was taken for it, and an ending that this clock does not know of yet must still lie behind it.
const BACK_DATED: u64 = 60_000;

impl Attenuate {
    fn run(self) -> Done {
        let caveats: Vec<_> = self.caveats.iter().map(String::as_str).collect();
        say(attenuate(&self.given.text()?, &caveats)?.reveal())
    }
}

impl Revoke {
    async fn run(self) -> Done {
        let what = read(self.what.as_deref())?;
        let config = self.place.resolve(None, None)?;
        let store = existing_store(&config).await?;
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
    let authentic = presented.authenticate(&ring(config, Vec::new())?)?;
    Ok((authentic.user_id().as_str().to_owned(), authentic.session()))
}
