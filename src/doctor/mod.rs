//! Looks at an installation, changes nothing, and says what it found and what to do about it.
//!
//! A check that could not be made because of what another one found is left out. Tokens and secrets
//! go where they belong and never into what is found. This file refuses to know how anything is
//! shown.

mod ask;
mod front;
mod linked;
mod local;
mod node;
mod written;

use std::path::Path;

use crate::config::{Config, HomeserverKind};
use crate::store::Place;
use crate::time::{Clock, Timestamp};
use ask::{Asker, Whom};

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and somebody should look at it.
    Doubtful,
    /// Something does not work, or is open that must be closed.
    Bad,
}

/// What one check has found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which.
    pub check: Check,
    /// How good it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, unless all is well.
    pub advice: Option<String>,
}

/// Names the checks once: variants, names, and what each looks at.
macro_rules! checks {
    ($($check:ident $name:literal $about:literal)*) => {
        /// What is looked at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = $about] $check,)*
        }

        impl Check {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$check),*];

            /// What it is called.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$check => $name),* }
            }

            /// What it looks at.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$check => $about),* }
            }
        }
    };
}

checks! {
    Settings "settings" "The settings can be read, and fit each other."
    Data "data" "The data folder and the database in it belong to their owner alone."
    Database "database" "The database answers, soon, is for this server and in its present form."
    DatabaseClock "database clock" "The clock of a PostgreSQL server is that of this machine."
    Keys "keys" "The key files can be read and belong to this database; one can mint; none is retired."
    Nodes "nodes" "Every node that uses the database is heard of, and holds every key that is here."
    Secret "secret" "The secret shared with the homeserver is there and no placeholder."
    Internal "internal" "A node answers at its internal address."
    Version "version" "That node is of the version of this program."
    Ready "ready" "It can verify tokens."
    Issue "issue" "It can log people in."
    Public "public" "It answers where clients are served."
    Homeserver "homeserver" "Synapse answers at `homeserver.url`."
    HomeserverVersion "homeserver version" "It is 1.136 or later."
    HomeserverClock "homeserver clock" "Its clock is that of this machine."
    HomeserverLink "homeserver link" "It leaves its tokens to us, and takes our secret."
    WayBack "way back" "Asked with a token that cannot be good, it has heard from us that it is not: 401, not 503."
    YamlName "yaml server_name" "`homeserver.yaml` is for the same server."
    YamlDelegation "yaml delegation" "`matrix_authentication_service` is on, and `msc3861` is gone."
    YamlEndpoint "yaml endpoint" "Its `endpoint` is our internal address."
    YamlSecret "yaml secret" "Its `secret` or `secret_path` is the secret we have."
    YamlOptions "yaml options" "Nothing is set that Synapse refuses beside it."
    YamlListeners "yaml listeners" "A listener serves clients, and believes the proxy's `X-Forwarded-For`."
    YamlPepper "yaml pepper" "The pepper of its passwords is `password_hashing.pepper_file`."
    Url "url" "The public URL answers, by https."
    UrlClock "url clock" "The clock of whoever answers there is that of this machine."
    Login "login" "`/login` is answered by us."
    Versions "versions" "`/versions` is answered by Synapse, or by us where none is linked."
    Capabilities "capabilities" "`/capabilities` is answered by us."
    AuthMetadata "auth_metadata" "No client is sent to look for an OAuth server: 404."
    SynapseClosed "synapse closed" "`/_synapse/mas` and `/_synapse/admin` cannot be reached."
    InternalClosed "internal closed" "Nothing of our internal address can be reached."
    Appservices "appservices" "What an application service registers is decided by Synapse."
    Cors "cors" "OPTIONS is answered as browsers need it."
    Headers "headers" "Headers that proxies use among themselves gain a client nothing."
    WellKnown "well-known" "`/.well-known/matrix/client` names the public URL, if it is served there."
}

impl Check {
    fn good(self, found: impl Into<String>) -> Finding {
        Finding { check: self, verdict: Verdict::Good, found: found.into(), advice: None }
    }

    fn doubtful(self, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        let advice = Some(advice.into());
        Finding { check: self, verdict: Verdict::Doubtful, found: found.into(), advice }
    }

    fn bad(self, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        let advice = Some(advice.into());
        Finding { check: self, verdict: Verdict::Bad, found: found.into(), advice }
    }

    /// What is to be said of settings that cannot be read.
    #[must_use]
    pub fn unreadable(error: &impl std::fmt::Display) -> Finding {
        Self::Settings.bad(error.to_string(), "`amaretti config reference` lists what may be set")
    }
}

/// An installation.
pub struct Installation<'a> {
    /// Its settings.
    pub config: &'a Config,
    /// Where its database lies.
    pub place: Place,
    /// Synapse's own configuration, where it can be read.
    pub homeserver_yaml: Option<&'a Path>,
    /// Where clients reach it.
    pub url: Option<&'a str>,
    /// The clock of this machine.
    pub clock: &'a dyn Clock,
}

impl Installation<'_> {
    /// Looks at everything, in the order of [`Check::ALL`].
    pub async fn examine(&self) -> Vec<Finding> {
        let asker = Asker::new();
        let mut found = vec![Check::Settings.good(format!(
            "for the server {}, clients at {}",
            self.config.server_name, self.config.listen
        ))];
        found.extend(self.store_and_keys().await);
        found.extend(self.shared_secret());
        found.extend(self.running(&asker).await);
        if self.is_linked() {
            found.extend(self.behind(&asker).await);
        }
        if let Some(path) = self.homeserver_yaml {
            found.extend(self.homeserver_yaml(path));
        }
        if let Some(url) = self.url.or(self.config.public_url.as_deref()) {
            found.extend(self.in_front(&asker, url).await);
        }
        found.sort_by_key(|finding| finding.check);
        found
    }

    fn is_linked(&self) -> bool {
        self.config.homeserver.kind == HomeserverKind::Synapse
    }

    fn internal(&self) -> Whom {
        Whom::listening(&self.config.internal.to_string())
    }

    fn public(&self) -> Whom {
        Whom::listening(&self.config.listen.to_string())
    }

    /// Holds another clock against ours. It may have been read so long ago, and is told in steps.
    fn clocks(&self, check: Check, told: Timestamp, slack: u64) -> Finding {
        let now = self.clock.now();
        let off = now.millis().abs_diff(told.millis()).saturating_sub(slack);
        let word = if told > now { "ahead of" } else { "behind" };
        let found = format!("it is {} s {word} this machine's", off.div_ceil(1000));
        let advice = "have both keep time by NTP: `timedatectl set-ntp true`";
        match off {
            0..2_000 => check.good("it is that of this machine"),
            2_000..30_000 => check.doubtful(found, advice),
            _ => check.bad(found, advice),
        }
    }
}
