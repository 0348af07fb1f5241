//! `amaretti feed`: how long the feed is, who follows it, and what says nothing any more.

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::outcome::table;
use super::{Done, Place, Trouble, block_on, existing_store, say};
use crate::service::{Compaction, Service};
use crate::store::Overview;

#[derive(Subcommand)]
pub(super) enum Feed {
    /// Show how long the feed is, which nodes follow it, and how much could be dropped
    Status(Status),
    /// Drop what says nothing any more: what later entries cover, and what hits no living token
    Compact(Compact),
}

#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
#[command(
    after_help = "Nodes go on meanwhile; what they hold in memory becomes smaller at their next start. Tokens that
never end are dead when their key is retired: then all that was ever said of them can go."
)]
pub(super) struct Compact {
    /// Only say how much would be dropped
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

impl Feed {
    pub(super) fn run(self) -> Done {
        match self {
            Self::Status(status) => block_on(status.run()),
            Self::Compact(compact) => block_on(compact.run()),
        }
    }
}

impl Status {
    async fn run(self) -> Done {
        let (service, overview) = look(&self.place).await?;
        let found = compacted(&service, &overview, false).await?;
        let Overview { entries, head, beats, .. } = &overview;
        say(&format!("entries    {entries}\nhead       {head}\ndroppable  {}\n", found.droppable))?;
        let rows: Vec<_> = beats
            .iter()
            .map(|beat| {
                let behind = head.saturating_sub(beat.sequence).max(0);
                let name = beat.node.split('#').next().unwrap_or_default();
                let ahead = format!("{} ms", beat.ahead);
                vec![name.to_owned(), format!("{} ms", beat.lag), behind.to_string(), ahead]
            })
            .collect();
        say(&table(&["NODE", "LAG", "ENTRIES BEHIND", "CLOCK AHEAD"], &rows))
    }
}

impl Compact {
    async fn run(self) -> Done {
        let (service, overview) = look(&self.place).await?;
        let found = compacted(&service, &overview, !self.dry_run).await?;
        let word = if self.dry_run { "would be dropped" } else { "dropped" };
        say(&format!("{} of {} entries {word}", found.droppable, found.entries))
    }
}

async fn look(place: &Place) -> Result<(Service, Overview), Trouble> {
    let config = place.resolve(None, None)?;
    let store = existing_store(&config).await?;
    let service = super::service(&config, store.clone()).await?;
    let overview = store.overview(service.now()).await?;
    Ok((service, overview))
}

/// Looks at every entry, with a bar on the terminal if there is one.
async fn compacted(
    service: &Service,
    overview: &Overview,
    really: bool,
) -> Result<Compaction, Trouble> {
    let bar = ProgressBar::new(overview.entries).with_style(style());
    let found = service.compact(really, &|done| bar.set_position(done)).await;
    bar.finish_and_clear();
    Ok(found?)
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} entries, {eta} left");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
