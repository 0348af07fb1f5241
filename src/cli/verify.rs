//! `amaretti token verify`: whether a token is good, and if not, exactly why.
//!
//! Judges as a node would, from the keys and the database at hand, and says which those were.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;

use super::anatomy::{caveat, life};
use super::outcome::instant;
use super::token::Given;
use super::{Done, Place, Trouble, place_of, say};
use crate::config::Config;
use crate::ident::DeviceId;
use crate::keyfile::{self, Held};
use crate::keyring::Keyring;
use crate::occasion::{self, PathScratch};
use crate::revocations::Revocations;
use crate::store::{Store, StoreError};
use crate::time::{Clock, SystemClock};
use crate::token::{Bearer, KeyId, Occasion, Presented, Purpose, Refusal, Scratch};

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

impl Verify {
    pub(super) async fn run(self) -> Done {
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
                if let Refusal::UnknownKey(id) = refusal
                    && !keyfile::read_folder(&config.keys)?
                        .iter()
                        .any(|file| file.id == id && matches!(file.held, Held::Key(_)))
                {
                    said += &format!("\n  no file in {} is for it", config.keys.display());
                }
                say(&said)?;
                Ok(ExitCode::FAILURE)
            }
        }
    }

    async fn judge(&self, text: &str, config: &Config) -> Result<Result<String, Refusal>, Trouble> {
        let mut scratch = Scratch::new();
        let presented = match Presented::read(text, &mut scratch) {
            Ok(presented) => presented,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let kind = presented.claimed().kind;
        let Known { facts, retired, source } = known(config, &presented).await?;
        let ring = ring(config, retired)?;
        let mut room = PathScratch::new();
        let asked = match &self.path {
            Some(path) => {
                Some(occasion::request(&self.method.to_ascii_uppercase(), path, &mut room)?)
            }
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
        Ok(verdict.map(|bearer| format!("{}\n{source}", admitted(&bearer))))
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

/// The keys in the folder, less those retired, as a ring in which nothing mints.
pub(super) fn ring(config: &Config, retired: Vec<KeyId>) -> Result<Keyring, Trouble> {
    let files = keyfile::read_folder(&config.keys)?;
    if files.is_empty() {
        let what = format!("there is no key in {} to verify with", config.keys.display());
        return Err(Trouble::new(what));
    }
    let mut ring = Keyring::without(retired.clone());
    for file in files.into_iter().filter(|file| !retired.contains(&file.id)) {
        match file.held {
            Held::Key(key) => ring.hold(&key)?,
            Held::Subkey(subkey) => ring.hold_subkey(subkey)?,
        }
    }
    Ok(ring)
}

/// What the database knows, as far as one token is concerned.
struct Known {
    facts: Revocations,
    retired: Vec<KeyId>,
    /// A sentence on where that is from.
    source: String,
}

async fn known(config: &Config, presented: &Presented<'_>) -> Result<Known, Trouble> {
    let place = place_of(config)?;
    match Store::open_existing(&place, &config.server_name).await {
        Ok(store) => {
            let mut tx = store.read().await?;
            let device = presented.device_id().map(DeviceId::as_str);
            let (session, user) = (presented.claimed().session, presented.user_id().as_str());
            let facts = tx.facts_against(Some(session), device, user).await?;
            let retired = tx.retired_keys().await?;
            let source = format!("logouts: as the database {place} has them");
            Ok(Known { facts, retired, source })
        }
        Err(StoreError::Missing(..)) => {
            let source = format!("logouts: not known, there is no database {place}");
            Ok(Known { facts: Revocations::default(), retired: Vec::new(), source })
        }
        Err(error) => Err(error.into()),
    }
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
