//! `amaretti provision` and `amaretti token for-label`: devices for bots, bridges, kiosks and tests.
//!
//! Both may be repeated: what is there is left as it is, and nobody is logged out unless asked.

mod list;
mod tokens;

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::outcome::note;
use super::{Done, Place, Trouble, audit, existing_store, passwords, say, serve};
use crate::config::{Config, parse_duration};
use crate::service::{Provisioned, Service, Wanted, device_of_label};
use crate::store::Store;
use crate::time::SystemClock;
use list::{Wish, Wishes};
use tokens::Tokens;

#[derive(Args)]
#[command(
    after_help = "The list is CSV with a line of headings. `user` has to be there and, on each line, a \
device_id or a
label; display_name and any number of columns named caveat may be there too:
  user,device_id,display_name,label,caveat
  door,DOOR1,Front door,,\"action in read,sync\"
  report,,,night job,room_id in !abc:example.com

Examples:
  amaretti provision devices.csv --to tokens.csv"
)]
pub(super) struct Provision {
    /// The list of devices
    #[arg(value_name = "LIST")]
    list: PathBuf,
    /// File for the tokens, made with mode 0600; one that is there is brought up to date
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// How long each token lives (12h, 30d); the device lives on [default: as long as the device]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Log out whoever lives on a device of the list, and begin anew
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti token for-label 'ansible on host7' --user deploy
  amaretti token for-label nightly --user report --expires 1h --caveat 'action in read'")]
pub(super) struct ForLabel {
    /// What the token is for: shown to operators, and the same device at each call
    #[arg(value_name = "LABEL")]
    label: String,
    /// User id or localpart
    #[arg(long, value_name = "USER")]
    user: String,
    /// How long the token lives (12h, 30d); the device lives on [default: as long as the device]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A caveat to append; may be given more than once
    #[arg(long = "caveat", value_name = "CAVEAT")]
    caveats: Vec<String>,
    /// Log out whoever lives on the device, and begin anew
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: Place,
}

impl ForLabel {
    pub(super) async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let user_id = super::user::user_id(&config, &self.user)?;
        let label = list::label(&self.label).map_err(Trouble::new)?;
        let mut caveats = vec![label];
        for caveat in self.caveats {
            caveats.push(list::caveat(&caveat).map_err(Trouble::new)?);
        }
        let device_id = device_of_label(&user_id, &self.label);
        let (service, _) = minter(&config).await?;
        let provisioned = service
            .provision(&Wanted {
                user_id: &user_id,
                device_id: &device_id,
                display_name: Some(&self.label),
                caveats: &caveats.iter().map(String::as_str).collect::<Vec<_>>(),
                life: life(self.expires.as_deref())?,
                replace: self.replace,
            })
            .await?;
        let began = if provisioned.new { "begun now" } else { "which lived already" };
        note(&format!("device {device_id}, session {}, {began}", provisioned.session));
        say(provisioned.token.reveal())
    }
}

impl Provision {
    pub(super) async fn run(self) -> Done {
        let config = self.place.resolve(None, None)?;
        let life = life(self.expires.as_deref())?;
        let (service, store) = minter(&config).await?;
        let wishes = Wishes::read(&self.list, &config)?;
        wishes.check_users(&store).await?;
        let mut tokens = Tokens::open(&self.to)?;

        let bar = ProgressBar::new(wishes.len()).with_style(style());
        let (mut done, mut new) = (0, 0);
        for wish in wishes.iter() {
            let provisioned = self.provision(&service, wish, life).await.and_then(|provisioned| {
                tokens.keep(wish, &provisioned, life.is_some())?;
                Ok(provisioned.new)
            });
            match provisioned {
                Ok(began) => new += u64::from(began),
                Err(Trouble(why)) => {
                    bar.abandon();
                    let what = format!(
                        "{}, line {}: {why}\ndevices done before it: {done}, their tokens are in {}: \
                         mend the list and run this again",
                        self.list.display(),
                        wish.line,
                        self.to.display()
                    );
                    return Err(Trouble::new(what));
                }
            }
            done += 1;
            bar.inc(1);
        }
        bar.finish_and_clear();
        tokens.finish(&wishes)?;
        let (lived, to) = (done - new, self.to.display());
        say(&format!("devices begun now: {new}, living already: {lived}; tokens: {to}"))
    }

    async fn provision(
        &self,
        service: &Service,
        wish: &Wish,
        life: Option<u64>,
    ) -> Result<Provisioned, Trouble> {
        let caveats: Vec<_> = wish.caveats.iter().map(String::as_str).collect();
        let wanted = Wanted {
            user_id: &wish.user_id,
            device_id: &wish.device_id,
            display_name: wish.display_name.as_deref().or(wish.label.as_deref()),
            caveats: &caveats,
            life,
            replace: self.replace,
        };
        Ok(service.provision(&wanted).await?)
    }
}

/// A service that mints beside the nodes of the installation.
async fn minter(config: &Config) -> Result<(Service, Store), Trouble> {
    let store = existing_store(config).await?;
    let clock = std::sync::Arc::new(SystemClock::default());
    let (server, policy) = (config.server_name.clone(), serve::policy(config));
    let service = Service::new(server, Some(store.clone()), passwords(config)?, policy, clock)
        .audited(audit(config)?);
    service.mint_aside(&store, &config.keys).await?;
    Ok((service, store))
}

fn life(expires: Option<&str>) -> Result<Option<u64>, Trouble> {
    match expires.map(parse_duration).transpose()? {
        Some(0) => Err(Trouble::new("a token has to live longer than that")),
        life => Ok(life),
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} devices, {eta} left");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
