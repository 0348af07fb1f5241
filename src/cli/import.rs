//! `amaretti import`: taking over accounts, devices and live tokens from the server before us.
//!
//! It reads the other server's database and writes nothing there. It may be given again: what is
//! here already stays as it is.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::outcome::{note, table};
use super::{Done, Place, Trouble, block_on, existing_store, say, service};
use crate::homeserver::{Engine, HomeserverYaml};
use crate::service::{Rehearsal, Service, TakenOver};
use crate::store::{Synapse, Totals};
use crate::time::{Clock, SystemClock};

/// How many users are taken over in one transaction.
const AT_ONCE: u32 = 100;

#[derive(Subcommand)]
pub(super) enum Import {
    /// Take over users, devices and live tokens from a Synapse that has been stopped
    Synapse(FromSynapse),
}

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti import synapse --homeserver-yaml /etc/matrix-synapse/homeserver.yaml --dry-run
  amaretti import synapse --homeserver-yaml /etc/matrix-synapse/homeserver.yaml")]
pub(super) struct FromSynapse {
    /// Synapse's configuration: it says where its database is
    #[arg(long, value_name = "FILE")]
    homeserver_yaml: PathBuf,
    /// Say what would be taken over, and take over nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(super) fn run(self) -> Done {
        match self {
            Self::Synapse(from) => block_on(from.take_over()),
        }
    }
}

impl FromSynapse {
    async fn take_over(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let yaml = HomeserverYaml::read(&self.homeserver_yaml)?;
        if yaml.server_name != config.server_name.as_str() {
            return Err(Trouble::new(format!(
                "this Synapse serves {}, and these settings are for {}: name the server by \
                 --server-name",
                yaml.server_name, config.server_name
            )));
        }
        let pepper = super::pepper(&config)?.unwrap_or_default();
        if *pepper != *yaml.pepper {
            return Err(Trouble::new(
                "Synapse's password_config.pepper is not the one set here, so that no password \
                 would fit: write it into a file of mode 0600 and name that file by \
                 password_hashing.pepper_file",
            ));
        }
        let synapse = open(&yaml.database).await?;
        let totals = synapse.totals().await?;
        let store = existing_store(&config).await?;
        let rehearsal = if self.dry_run { Rehearsal::Yes } else { Rehearsal::No };
        let taken = all(&service(&config, store).await?, &synapse, totals, rehearsal).await?;
        report(totals, taken, rehearsal)
    }
}

async fn open(engine: &Engine) -> Result<Synapse, Trouble> {
    let opened = match engine {
        Engine::Sqlite(file) => Synapse::in_file(file).await,
        Engine::Postgres(parameters) => Synapse::on_server(parameters),
    };
    opened.map_err(|error| Trouble::new(format!("cannot read Synapse's database: {error}")))
}

async fn all(
    service: &Service,
    synapse: &Synapse,
    totals: Totals,
    rehearsal: Rehearsal,
) -> Result<TakenOver, Trouble> {
    let bar = ProgressBar::new(totals.users);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} users, {eta} left")?;
    bar.set_style(style);
    let (mut taken, mut last) = (TakenOver::default(), String::new());
    loop {
        let users = synapse.users_after(&last, AT_ONCE, SystemClock::default().now()).await?;
        let Some(user) = users.last() else { break };
        last.clone_from(&user.user_id);
        taken.add(service.take_over(&users, rehearsal).await?);
        bar.inc(users.len() as u64);
    }
    bar.finish_and_clear();
    Ok(taken)
}

fn report(totals: Totals, taken: TakenOver, rehearsal: Rehearsal) -> Done {
    let row = |what: &str, there: u64, taken: u64| {
        vec![what.to_owned(), there.to_string(), taken.to_string()]
    };
    let rows = [
        row("users", totals.users, taken.users),
        row("devices", totals.devices, taken.devices),
        row("access tokens", totals.access_tokens, taken.access_tokens),
        row("refresh tokens", totals.refresh_tokens, taken.refresh_tokens),
    ];
    let heading = match rehearsal {
        Rehearsal::Yes => ["", "IN SYNAPSE", "WOULD BE TAKEN OVER"],
        Rehearsal::No => ["", "IN SYNAPSE", "TAKEN OVER"],
    };
    if taken.left_out > 0 {
        let what = "users left out, who are guests, of application services or of other servers";
        note(&format!("{what}: {}", taken.left_out));
    }
    let silent = taken.users - taken.passwords - taken.deactivated;
    if silent > 0 {
        note(&format!("users without a password that could be checked: {silent}"));
    }
    if rehearsal == Rehearsal::Yes {
        note("this was a rehearsal: nothing was taken over");
    }
    say(&table(&heading, &rows))
}
