//! `amaretti doctor`: looks at an installation and says what to mend.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Done, Place, block_on, place_of, say};
use crate::doctor::{Check, Finding, Installation, Verdict};
use crate::time::SystemClock;

#[derive(Args)]
#[command(after_help = "Examples:
  amaretti doctor
  amaretti doctor --homeserver-yaml /etc/matrix-synapse/homeserver.yaml
  amaretti doctor --url https://matrix.example.com")]
pub(super) struct Doctor {
    /// Synapse's configuration, held against ours
    #[arg(long, value_name = "FILE")]
    homeserver_yaml: Option<PathBuf>,
    /// Where clients reach this server, through the proxy [default: public_url]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Doctor {
    pub(super) fn run(self) -> Done {
        block_on(self.examine())
    }

    async fn examine(self) -> Done {
        let config = match self.place.resolve(None, None) {
            Ok(config) => config,
            Err(trouble) => return report(&[Check::unreadable(&trouble.0)]),
        };
        let installation = Installation {
            config: &config,
            place: place_of(&config)?,
            homeserver_yaml: self.homeserver_yaml.as_deref(),
            url: self.url.as_deref(),
            clock: &SystemClock::default(),
        };
        report(&installation.examine().await)
    }
}

fn report(found: &[Finding]) -> Done {
    for Finding { check, verdict, found, advice } in found {
        let word = match verdict {
            Verdict::Good => "ok",
            Verdict::Doubtful => "warn",
            Verdict::Bad => "FAIL",
        };
        say(&format!("{word:4}  {}: {found}", check.name()))?;
        if let Some(advice) = advice {
            say(&format!("      what to do: {advice}"))?;
        }
    }
    let count = |verdict| found.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, doubtful) = (count(Verdict::Bad), count(Verdict::Doubtful));
    say(&format!("checks: {}, failed: {bad}, warnings: {doubtful}", found.len()))?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
