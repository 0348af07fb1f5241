//! Nodes whose clocks differ: by seconds they agree on every session, by an hour one steps aside.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use crate::excuses::{Harm, Place};
use crate::http::get;
use crate::node::START;
use crate::process::until;
use crate::reads::{BOUND, WHOAMI, audit, verify};
use crate::world::{FULL, World};
use crate::writes::{self, login_at, logout_at, turn_of_somebody};

const ALL: [Harm; 3] = [Harm::Reads, Harm::Writes, Harm::Lag];
const SLOW: usize = 1;
const FAST: usize = 2;

/// Starts a node with another clock.
async fn restart(world: &World, index: usize, off: Option<&'static str>) -> Result<(), String> {
    let node = &world.nodes[index];
    let excuse = world.excuses.open("clock", &[index], &ALL);
    node.stop().await;
    world.lines.hang_up(node.public);
    *node.clock.borrow_mut() = off;
    node.start(&world.lines).await?;
    excuse.over_in(Duration::from_secs(3));
    Ok(())
}

/// Two nodes that write are two seconds apart while everything goes on.
pub(crate) async fn seconds_apart(world: &Rc<World>) -> Result<(), String> {
    restart(world, SLOW, Some("-1s")).await?;
    restart(world, FAST, Some("+1s")).await?;
    restart(world, FULL, Some("-1s")).await?;
    restart(world, FULL + 1, Some("+1s")).await?;
    world.tally.count("fault: clocks two seconds apart");
    for round in 0..if world.options.long { 20 } else { 4 } {
        let who = turn_of_somebody(world).await;
        let (begins, ends) = if round % 2 == 0 { (FAST, SLOW) } else { (SLOW, FAST) };
        let Some(begun) = login_at(world, Place::Node(begins), &who).await else { continue };
        let Some(ender) = login_at(world, Place::Node(ends), &who).await else { continue };
        // What began on one node ends with all others by the word of the other.
        if !logout_at(world, Place::Node(ends), &ender, true).await {
            continue;
        }
        sleep(BOUND).await;
        audit(world, &[begun, ender]).await;
        // Its name and password let it in at once, and that session lives, whatever the clocks say.
        for node in [SLOW, FAST, 0] {
            let again = writes::login_by_password(world, Place::Node(node), &who).await;
            let sentence = "a login right after a logout of all lives on every node";
            world.tally.holds(sentence, again.is_some(), || world.nodes[node].name.clone());
            if let Some(again) = again {
                audit(world, &[again]).await;
            }
        }
        who.rest();
    }
    for index in [SLOW, FAST, FULL, FULL + 1] {
        restart(world, index, None).await?;
    }
    Ok(())
}

/// A node that is an hour off is not ready, says why, and refuses nobody for it.
pub(crate) async fn an_hour_apart(world: &Rc<World>) -> Result<(), String> {
    let who = turn_of_somebody(world).await;
    let ender = login_at(world, Place::Node(0), &who).await.ok_or("no login")?;
    for (index, off) in [(FAST, "+1h"), (FULL, "-1h")] {
        world.tally.count("fault: clock an hour off");
        let node = &world.nodes[index];
        let excuse = world.excuses.open("clock", &[index], &ALL);
        node.stop().await;
        world.lines.hang_up(node.public);
        *node.clock.borrow_mut() = Some(off);
        node.spawn()?;
        let up = until(START, || async { node.health(&world.lines, "live").await.0 == 200 }).await;
        up.ok_or(format!("{} an hour off does not answer", node.name))?;
        sleep(Duration::from_secs(2)).await;
        let (status, text) = node.health(&world.lines, "ready").await;
        let sentence = "a node whose clock is an hour off is not ready and says why";
        world.tally.holds(sentence, status == 503 && text.contains("clock"), || {
            format!("{} at {off}: {status} {text}", node.name)
        });
        let open: Vec<_> = world.model.open.borrow().iter().rev().take(30).cloned().collect();
        for session in open.iter().filter(|session| session.lives()) {
            // `verify` holds that no 401 comes of it.
            let token = session.token();
            verify(world, Place::Node(index), session, &token).await;
        }
        let expiring = world.mint.borrow().access(&world.model.users.borrow()[0].id, &world.dice);
        let asked = world.lines.ask(node.public, get(WHOAMI, Some(&expiring))).await;
        let sentence = "a token with an end is 503, never 401, where the clock is an hour off";
        let found = asked.map_or_else(|why| why, |answer| answer.shown());
        world.tally.holds(sentence, found.starts_with("503"), || found.clone());
        if index == FAST {
            // Ends are taken there, and reach no further than the present.
            logout_at(world, Place::Node(FAST), &ender, true).await;
        }
        node.stop().await;
        *node.clock.borrow_mut() = None;
        node.start(&world.lines).await?;
        excuse.over_in(Duration::from_secs(4));
    }
    // A login token that was minted after the end, by a clock that is right.
    sleep(Duration::from_secs(3)).await;
    login_at(world, Place::Node(0), &who).await;
    who.rest();
    Ok(())
}
