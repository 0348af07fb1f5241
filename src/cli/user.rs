//! `amaretti user`: accounts, by an operator's hand.
//!
//! A change counts in a running server within 250 ms.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::outcome::{instant, table};
use super::{Done, Place, Trouble, block_on, existing_store, open_store, passwords, say, service};
use crate::config::{Config, HomeserverKind};
use crate::ident::{Localpart, UserId};
use crate::service::Change;

#[derive(Subcommand)]
pub(super) enum User {
    /// Add a user
    Add(Add),
    /// Give a user another password and end all sessions
    Password(Named),
    /// End all sessions of a user
    Logout(Who),
    /// Lock an account: it may do nothing but log out, and keeps its sessions
    Lock(Who),
    /// Unlock an account
    Unlock(Who),
    /// Let a user administer the homeserver, or no longer
    Admin(Admin),
    /// End an account for ever; its name stays taken
    Deactivate(Who),
    /// List users
    List(Place),
}

#[derive(Args)]
pub(super) struct Named {
    /// Localpart or user id
    #[arg(value_name = "NAME")]
    name: String,
    /// Read the password from the first line of standard input instead of asking
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct Add {
    #[command(flatten)]
    named: Named,
    /// It is the account of this name that the homeserver has already, and nobody else's
    #[arg(long)]
    adopt: bool,
}

#[derive(Args)]
pub(super) struct Who {
    /// Localpart or user id
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct Admin {
    #[command(flatten)]
    who: Who,
    /// Whether it does
    #[arg(value_enum)]
    switch: Switch,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Admin {
    async fn change(self) -> Done {
        match self.switch {
            Switch::On => self.who.change(Change::Admin(true), "administers from now on:").await,
            Switch::Off => self.who.change(Change::Admin(false), "administers no longer:").await,
        }
    }
}

impl User {
    pub(super) fn run(self) -> Done {
        match self {
            Self::Add(add) => block_on(add.add()),
            Self::Password(named) => block_on(named.change()),
            Self::Logout(who) => block_on(who.logout()),
            Self::Lock(who) => block_on(who.change(Change::Lock, "locked")),
            Self::Unlock(who) => block_on(who.change(Change::Unlock, "unlocked")),
            Self::Admin(admin) => block_on(admin.change()),
            Self::Deactivate(who) => block_on(who.change(Change::Deactivate, "deactivated")),
            Self::List(place) => block_on(list(place)),
        }
    }
}

impl Add {
    async fn add(self) -> Done {
        let Self { named, adopt } = self;
        let config = named.place.resolve(None, None)?;
        let user_id = user_id(&config, &named.name)?;
        let localpart = UserId::parse(&user_id)?.localpart();
        Localpart::parse(localpart, &config.server_name)
            .map_err(|error| Trouble::new(format!("{localpart}: {error}")))?;
        if adopt && config.homeserver.kind == HomeserverKind::None {
            return Err(Trouble::new("no homeserver is linked that could have this account"));
        }
        let store = open_store(&config).await?;
        let exists = store.password_hash(&user_id).await?.is_some();
        if exists && !adopt {
            let what = format!("{user_id} exists: `amaretti user password {localpart}` changes it");
            return Err(Trouble::new(what));
        }
        let service = service(&config, store).await?;
        if exists {
            service.add_account(&user_id, "", adopt).await?;
            return say(&format!("adopted {user_id}"));
        }
        let password = named.password()?;
        let hash = passwords(&config)?.hash(&password).await?;
        if !service.add_account(&user_id, &hash, adopt).await? {
            return Err(Trouble::new(format!("{user_id} was added by somebody else meanwhile")));
        }
        say(&format!("added {user_id}"))
    }
}

impl Named {
    async fn change(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let user_id = user_id(&config, &self.name)?;
        let password = self.password()?;
        let hash = passwords(&config)?.hash(&password).await?;
        let store = existing_store(&config).await?;
        let service = service(&config, store).await?;
        let ended = service.replace_password(&user_id, &hash).await?;
        let ended = ended.ok_or_else(|| no_such(&user_id))?;
        say(&format!("changed the password of {user_id}; devices logged out: {}", ended.devices))
    }

    /// The password, from standard input or asked for twice; never from the command line, where
    /// every process of the machine could read it.
    fn password(&self) -> Result<Zeroizing<String>, Trouble> {
        let password = if self.password_stdin {
            let mut line = Zeroizing::new(String::new());
            io::stdin().lock().take(4096).read_line(&mut line)?;
            if line.len() == 4096 {
                return Err(Trouble::new("a password may have 4095 bytes"));
            }
            Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned())
        } else if io::stdin().is_terminal() {
            let password = Zeroizing::new(rpassword::prompt_password("Password: ")?);
            if *password != *Zeroizing::new(rpassword::prompt_password("Once more: ")?) {
                return Err(Trouble::new("the two are not the same: nothing was done"));
            }
            password
        } else {
            let what = "there is no terminal to ask on: give --password-stdin and pipe it in";
            return Err(Trouble::new(what));
        };
        if password.is_empty() { Err(Trouble::new("the password is empty")) } else { Ok(password) }
    }
}

impl Who {
    async fn logout(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let user_id = user_id(&config, &self.name)?;
        let store = existing_store(&config).await?;
        let ended = service(&config, store).await?.end_sessions_of(&user_id).await?;
        let ended = ended.ok_or_else(|| no_such(&user_id))?;
        let from = instant(ended.from);
        say(&format!(
            "ended every session of {user_id} begun before {from}; devices: {}",
            ended.devices
        ))
    }
}

impl Who {
    async fn change(self, change: Change, done: &str) -> Done {
        let config = self.place.resolve(None, None)?;
        let user_id = user_id(&config, &self.name)?;
        let store = existing_store(&config).await?;
        if !service(&config, store).await?.set_standing(&user_id, change).await? {
            return Err(no_such(&user_id));
        }
        say(&format!("{done} {user_id}"))
    }
}

async fn list(place: Place) -> Done {
    let config = place.resolve(None, None)?;
    let store = existing_store(&config).await?;
    let users = store.users().await?;
    let row = |user: crate::store::User| {
        vec![user.user_id, user.devices.to_string(), instant(user.created_at)]
    };
    say(&table(&["USER", "DEVICES", "ADDED"], &users.into_iter().map(row).collect::<Vec<_>>()))
}

fn no_such(user_id: &str) -> Trouble {
    Trouble::new(format!("there is no user {user_id}: `amaretti user list` shows who there is"))
}

/// The user id that was typed: a whole one of this server, or a localpart.
pub(super) fn user_id(config: &Config, name: &str) -> Result<String, Trouble> {
    let server = &config.server_name;
    let user_id = if name.starts_with('@') { name.to_owned() } else { server.user_id(name) };
    let parsed = UserId::parse(&user_id).map_err(|e| Trouble::new(format!("{user_id}: {e}")))?;
    if parsed.server_name() == server.as_str() {
        Ok(user_id)
    } else {
        let what = format!("{user_id} is not of {server}: name the server by --server-name");
        Err(Trouble::new(what))
    }
}
