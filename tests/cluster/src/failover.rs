//! A standby that lacks the last commits is promoted: nothing acknowledged may be forgotten.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::excuses::{Harm, Place};
use crate::postgres::Postgres;
use crate::process::until;
use crate::reads::{BOUND, audit};
use crate::wire::{Mode, Wire};
use crate::world::{FULL, World};
use crate::writes::{calm, login_at, logout_at, refresh, turn_of_somebody};

const ALL: [Harm; 2] = [Harm::Writes, Harm::Lag];

/// Streams to a standby, cuts the stream, goes on, loses the primary, promotes the standby.
pub(crate) async fn run(world: &Rc<World>) -> Result<(), String> {
    let primary = world.postgres.borrow().clone();
    let stream = Wire::to(Rc::new(std::cell::Cell::new(primary.port))).await?;
    let folder = world.folder.join("postgres-standby");
    let mut standby = Postgres::standby_of(folder, stream.port).await?;
    standby.start().await?;
    let caught_up = || async {
        let lag =
            "select count(*) from pg_stat_replication where replay_lsn = pg_current_wal_lsn()";
        primary.sql("postgres", lag).await.is_ok_and(|count| count == "1")
    };
    // What others do meanwhile would be lost as well, and nobody would know what.
    let pace = world.pace.replace(0.0);
    calm(world).await;
    until(Duration::from_secs(20), caught_up).await.ok_or("the standby does not catch up")?;

    let mut known = Vec::new();
    for node in 0..FULL {
        let who = turn_of_somebody(world).await;
        for _ in 0..8 {
            known.extend(login_at(world, Place::Node(node), &who).await);
        }
    }
    until(Duration::from_secs(20), caught_up).await.ok_or("the standby does not catch up")?;
    stream.be(Mode::Cut);
    world.tally.count("fault: primary lost with its last commits");

    // None of this will reach the standby.
    let mut ended = Vec::new();
    for (index, session) in known.iter().enumerate() {
        if index % 2 == 0 && logout_at(world, Place::Node(index % FULL), session, false).await {
            ended.push(session.clone());
        } else if index % 4 == 1 {
            refresh(world, session).await;
        }
    }
    let who = turn_of_somebody(world).await;
    let last = login_at(world, Place::Node(1), &who).await;
    if let Some(last) = &last {
        ended.extend(world.model.open_of(who.index));
        logout_at(world, Place::Node(0), last, true).await;
    }
    who.rest();
    drop(who);
    sleep(BOUND).await;
    let lost_at = Instant::now();
    let excuse = world.excuses.open("failover", &[], &ALL);
    primary.stop(false).await?;
    world.pace.set(pace);
    standby.sql("postgres", "select pg_promote()").await?;
    world.target.set(standby.port);
    *world.postgres.borrow_mut() = Rc::new(standby);
    for node in &world.nodes {
        node.wire.flap().await;
    }
    for node in &world.nodes[..FULL] {
        let issues = || async { node.health(&world.lines, "issue").await.0 == 200 };
        let found = until(Duration::from_secs(20), issues).await;
        found.ok_or(format!("{} does not come back after the failover", node.name))?;
    }
    println!("  {:>6.1} s  every node writes to the new primary", lost_at.elapsed().as_secs_f64());
    audit(world, &ended).await;
    excuse.over_in(Duration::from_secs(4));
    written_back(world, &ended, lost_at).await?;
    for session in known.iter().filter(|session| session.lives()) {
        if session.refresh.borrow().is_some() {
            refresh(world, session).await;
        }
    }
    audit(world, &known).await;
    Ok(())
}

/// A node that knows only what the new database says refuses what the old one had acknowledged.
async fn written_back(
    world: &Rc<World>,
    ended: &[Rc<crate::model::Session>],
    lost_at: Instant,
) -> Result<(), String> {
    sleep(Duration::from_secs(6).saturating_sub(lost_at.elapsed())).await;
    let index = world.nodes.len() - 1;
    let node = &world.nodes[index];
    let excuse = world.excuses.open("restart", &[index], &[Harm::Reads, Harm::Writes, Harm::Lag]);
    node.kill().await;
    world.lines.hang_up(node.public);
    node.forget()?;
    node.start(&world.lines).await?;
    excuse.over_in(Duration::ZERO);
    let mut refused = 0;
    for session in ended {
        let token = session.token();
        let status = crate::reads::verify(world, Place::Node(index), session, &token).await;
        refused += usize::from(status == 401);
    }
    let sentence = "acknowledged logouts that a failover lost are written back";
    world.tally.holds(sentence, refused == ended.len(), || format!("{refused} of {}", ended.len()));
    println!("  {} lost endings, each known to a node that read the new database", ended.len());
    Ok(())
}
