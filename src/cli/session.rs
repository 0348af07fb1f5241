//! `amaretti session`: which sessions there are.

use clap::{Args, Subcommand};

use super::outcome::{instant, table};
use super::{Done, Place, block_on, existing_store, say};

#[derive(Subcommand)]
pub(super) enum Session {
    /// List the sessions that live on a device
    List(List),
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
        let Self::List(list) = self;
        block_on(list.run())
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
