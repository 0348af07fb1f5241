//! `amaretti registration-token`: who may register.

use clap::{Args, Subcommand};

use super::outcome::{instant, table};
use super::{Done, Place, Trouble, audit, block_on, existing_store, open_store, say};
use crate::config::parse_duration;
use crate::random::random;
use crate::service::Event;
use crate::store::RegistrationToken;
use crate::time::{Clock, SystemClock};

#[derive(Subcommand)]
pub(super) enum Registration {
    /// Make a token that lets somebody register
    New(New),
    /// List them
    List(Place),
    /// Take one away; accounts made with it stay
    Revoke(Revoke),
}

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti registration-token new --uses 1 --expires 7d
  amaretti registration-token new --token summer-school --uses 40")]
pub(super) struct New {
    /// How many accounts it may make [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    uses: Option<u32>,
    /// How long it is good (30m, 12h, 7d) [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Its text, up to 64 of A-Z a-z 0-9 . _ ~ - [default: 16 random letters]
    #[arg(long, value_name = "TEXT")]
    token: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The token
    #[arg(value_name = "TOKEN")]
    token: String,
    #[command(flatten)]
    place: Place,
}

impl Registration {
    pub(super) fn run(self) -> Done {
        match self {
            Self::New(new) => block_on(new.run()),
            Self::List(place) => block_on(list(place)),
            Self::Revoke(revoke) => block_on(revoke.run()),
        }
    }
}

impl New {
    async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let now = SystemClock::default().now();
        let life = self.expires.as_deref().map(parse_duration).transpose()?;
        let token = match self.token {
            Some(token) => token,
            None => letters()?,
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
        if !(1..=64).contains(&token.len()) || !token.bytes().all(allowed) {
            return Err(Trouble::new("a token has 1 to 64 characters of A-Z a-z 0-9 . _ ~ -"));
        }
        let audit = audit(&config)?;
        let store = open_store(&config).await?;
        let made = RegistrationToken {
            token: token.clone(),
            uses_left: self.uses.map(i64::from),
            used: 0,
            expires_at: life.map(|life| now.plus(life)),
        };
        let mut tx = store.begin().await?;
        if !tx.add_registration_token(&made, now).await? {
            return Err(Trouble::new(format!("there is a token {token} already")));
        }
        tx.commit().await?;
        audit.tell(now, &Event::RegistrationTokenMade { uses: self.uses.map(u64::from) });
        say(&token)
    }
}

impl Revoke {
    async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let audit = audit(&config)?;
        let store = existing_store(&config).await?;
        let mut tx = store.begin().await?;
        if !tx.delete_registration_token(&self.token).await? {
            let what = "there is no such token: `amaretti registration-token list` shows them";
            return Err(Trouble::new(what));
        }
        tx.commit().await?;
        audit.tell(SystemClock::default().now(), &Event::RegistrationTokenRevoked {});
        say(&format!("revoked {}", self.token))
    }
}

async fn list(place: Place) -> Done {
    let config = place.resolve(None, None)?;
    let store = existing_store(&config).await?;
    let row = |token: RegistrationToken| {
        let left = token.uses_left.map_or("any".to_owned(), |left| left.to_string());
        let expires = token.expires_at.map_or("never".to_owned(), instant);
        vec![token.token, left, token.used.to_string(), expires]
    };
    let rows: Vec<_> = store.registration_tokens().await?.into_iter().map(row).collect();
    say(&table(&["TOKEN", "USES LEFT", "USED", "EXPIRES"], &rows))
}

/// Sixteen letters: 75 random bits.
fn letters() -> Result<String, Trouble> {
    Ok(random::<16>()?.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}
