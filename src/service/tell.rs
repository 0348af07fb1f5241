//! What the store has to be told: which tokens have been used for the first time, and what it lost.
//!
//! What cannot be told now is told later, and nobody who follows the feed waits for it. This file
//! refuses to know why the store wants to know.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::lost::Lost;
use super::uses::Use;
use super::{Denial, Service};

/// How long to wait before trying again what could not be told.
const PAUSE: Duration = Duration::from_millis(500);

/// How many first uses are told at once.
const AT_ONCE: usize = 8;

/// Tells until `stop` says so.
pub(super) async fn run(service: Arc<Service>, lost: Arc<Lost>, mut stop: watch::Receiver<bool>) {
    let uses = async {
        loop {
            let used = service.uses().fresh().await;
            tell(&service, used).await;
        }
    };
    let facts = async {
        loop {
            lost.noted().await;
            while let Err(error) = lost.write_back(&service).await {
                tracing::warn!(%error, "cannot write back what the store has lost");
                sleep(PAUSE).await;
            }
        }
    };
    tokio::select! {
        () = uses => {}
        () = facts => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let rest = service.uses().take();
    report(&service, rest).await;
}

async fn tell(service: &Arc<Service>, mut used: Vec<Use>) {
    loop {
        used = report(service, used).await;
        if used.is_empty() {
            return;
        }
        sleep(PAUSE).await;
        used.extend(service.uses().take());
    }
}

/// Tells the store of first uses, some at once; gives those that could not be told.
async fn report(service: &Arc<Service>, used: Vec<Use>) -> Vec<Use> {
    let mut untold = Vec::new();
    let mut reports: JoinSet<Result<(), (Use, Denial)>> = JoinSet::new();
    let mut rest = used.into_iter();
    loop {
        while reports.len() < AT_ONCE
            && let Some(used) = rest.next()
        {
            let service = service.clone();
            reports.spawn(async move { service.report(&used).await.map_err(|why| (used, why)) });
        }
        match reports.join_next().await {
            None => break,
            Some(Ok(Err((used, error)))) => {
                tracing::warn!(%error, session = %used.session, "cannot write that a token was used");
                untold.push(used);
                // The rest would fare no better.
                untold.extend(rest.by_ref());
            }
            Some(_) => {}
        }
    }
    untold
}
