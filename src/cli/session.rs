//! `amaretti session`: which sessions there are, and the end of all of them.

use clap::{Args, Subcommand};

use super::outcome::{instant, table};
use super::{Done, Place, Trouble, block_on, existing_store, say};

#[derive(Subcommand)]
pub(super) enum Session {
    /// List the sessions that live on a device
    List(List),
    /// End every session of everybody
    EndAll(EndAll),
}

#[derive(Args)]
#[command(after_help = "\
Everybody has to log in again, and clients throw their encryption keys away. It is for two cases:
a database was restored from a backup and has forgotten logouts; or a key was stolen, and then
retire the key first (`amaretti keys retire`), or whoever has it makes tokens of any age.")]
pub(super) struct EndAll {
    /// Really do it
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(super) struct List {
    /// Only those of this user (user id or localpart)
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Session {
    pub(super) fn run(self) -> Done {
        match self {
            Self::List(list) => block_on(list.run()),
            Self::EndAll(end_all) => block_on(end_all.run()),
        }
    }
}

impl EndAll {
    async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let store = existing_store(&config).await?;
        if !self.yes {
            let devices = store.devices(None).await?.len();
            return Err(Trouble::new(format!(
                "this logs everybody out, on {devices} devices, and their clients throw encryption \
                 keys away: say --yes if that is meant"
            )));
        }
        let ended = super::service(&config, store).await?.end_every_session().await;
        let (from, devices) = ended?;
        let began = instant(from);
        say(&format!("ended every session that began before {began}; devices: {devices}"))
    }
}

impl List {
    async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let store = existing_store(&config).await?;
        let user = self.user.map(|user| super::user::user_id(&config, &user)).transpose()?;
        let devices = store.devices(user.as_deref()).await?;
        let rows: Vec<_> = devices
            .into_iter()
            .map(|device| {
                let name = device.display_name.unwrap_or_default();
                let began = instant(device.session.beginning());
                vec![
                    device.session.to_string(),
                    device.user_id,
                    device.device_id,
                    began,
                    printable(&name),
                ]
            })
            .collect();
        say(&table(&["SESSION", "USER", "DEVICE", "BEGAN", "NAME"], &rows))
    }
}

/// A display name comes from outside: what could move the cursor is written out.
fn printable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() })
        .collect()
}
