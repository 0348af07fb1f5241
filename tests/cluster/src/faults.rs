//! The faults of the steady phase, one after another by the seed, each with what it explains.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::excuses::{Harm, Place};
use crate::node::{FRESH, MAX_STALENESS};
use crate::process::until;
use crate::wire::Mode;
use crate::world::{FULL, World};
use crate::{keys, reads};

/// After a fault is mended, so long until nothing of it is left: pools connect again, HAProxy asks
/// for health twice a second.
const GRACE: Duration = Duration::from_secs(4);

/// How old the facts of a node are at most that hears the feed: a beat is a second old before the
/// next one is written.
const HEARD: Duration = Duration::from_secs(3);

const ALL: [Harm; 3] = [Harm::Reads, Harm::Writes, Harm::Lag];

/// Injects faults for so long, and each kind once at least.
pub(crate) async fn inject(world: &Rc<World>) -> Result<(), String> {
    let end = Instant::now() + Duration::from_secs(world.options.seconds);
    let mut round = 0;
    while round == 0 || Instant::now() < end {
        let mut kinds = [0, 1, 2, 3, 4, 5, 6];
        for last in (1..kinds.len()).rev() {
            kinds.swap(last, world.dice.below(last + 1));
        }
        for kind in kinds {
            if round > 0 && Instant::now() > end {
                break;
            }
            let node = world.dice.below(world.nodes.len());
            match kind {
                0 => kill(world, node).await?,
                1 => wire(world, node, "wire cut", Mode::Cut, secs(3)).await?,
                2 => {
                    wire(world, node, "wire slow", Mode::Slow(Duration::from_millis(30)), secs(3))
                        .await?
                }
                3 => silent(world, node).await?,
                4 => database_away(world).await?,
                5 => rolling(world).await?,
                _ => keys::rotate(world).await?,
            }
        }
        round += 1;
    }
    Ok(())
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Waits until a node is well, and counts what it took as a fault mended.
async fn well(world: &World, node: usize, what: &'static str) -> Result<(), String> {
    let began = Instant::now();
    let node = &world.nodes[node];
    node.ready(&world.lines, secs(20)).await.map_err(|why| format!("after {what}: {why}"))?;
    // Ready it is also with facts that the next fault would find almost too old.
    let fresh = || async { node.feed_age(&world.lines).await.is_some_and(|age| age < HEARD) };
    let found = until(secs(20), fresh).await;
    found.ok_or(format!("after {what}: {} does not hear the feed", node.name))?;
    if node.is_full() {
        let issues = || async { node.health(&world.lines, "issue").await.0 == 200 };
        let found = until(secs(20), issues).await;
        found.ok_or(format!("after {what}: {} does not issue", node.name))?;
    }
    println!("  {:>6.1} s  {what}: {} is well again", began.elapsed().as_secs_f64(), node.name);
    Ok(())
}

/// SIGKILL and a new start.
async fn kill(world: &Rc<World>, index: usize) -> Result<(), String> {
    world.tally.count("fault: node killed");
    let node = &world.nodes[index];
    let excuse = world.excuses.open("kill", &[index], &ALL);
    node.kill().await;
    world.lines.hang_up(node.public);
    sleep(Duration::from_millis(300 + world.dice.next() % 1500)).await;
    node.start(&world.lines).await?;
    well(world, index, "node killed").await?;
    excuse.over_in(GRACE);
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// The connection of one node to the database is harmed and healed.
async fn wire(
    world: &Rc<World>,
    index: usize,
    what: &'static str,
    mode: Mode,
    long: Duration,
) -> Result<(), String> {
    world.tally.count(&format!("fault: {what}"));
    let node = &world.nodes[index];
    let slow = matches!(mode, Mode::Slow(_));
    let harms: &[Harm] = if slow { &[Harm::Lag] } else { &[Harm::Writes, Harm::Lag] };
    let excuse = world.excuses.open("wire", &[index], harms);
    node.wire.be(mode);
    sleep(long).await;
    node.wire.be(Mode::Whole);
    well(world, index, what).await?;
    excuse.over_in(GRACE);
    Ok(())
}

/// A wire that carries nothing for longer than facts may age: 503 then, and never 401.
async fn silent(world: &Rc<World>, index: usize) -> Result<(), String> {
    world.tally.count("fault: wire silent");
    let node = &world.nodes[index];
    let excuse = world.excuses.open("wire", &[index], &[Harm::Writes, Harm::Lag]);
    let stale = world.excuses.open_in(FRESH, "stale", &[index], &[Harm::Reads]);
    node.wire.be(Mode::Silent);
    let unready = until(MAX_STALENESS + secs(8), || async {
        node.health(&world.lines, "ready").await.0 == 503
    });
    let unready = unready.await;
    let sentence = "a node that hears nothing for max_staleness is not ready";
    world.tally.holds(sentence, unready.is_some_and(|at| at > FRESH), || format!("{unready:?}"));
    let session = world.dice.pick(&world.model.open.borrow()).cloned();
    if let Some(session) = session {
        let token = session.token();
        let status = reads::verify(world, Place::Node(index), &session, &token).await;
        let sentence = "a node whose facts are too old answers 503";
        world.tally.holds(sentence, status == 0, || status.to_string());
    }
    node.wire.be(Mode::Whole);
    well(world, index, "wire silent").await?;
    stale.over_in(secs(1));
    excuse.over_in(GRACE);
    Ok(())
}

/// The database is stopped and started again; a node is started meanwhile, from its snapshot.
async fn database_away(world: &Rc<World>) -> Result<(), String> {
    let before = world.tally.group("fault: database").iter().map(|(_, count)| count).sum::<u64>();
    let crashes = before % 2 == 0;
    world.tally.count(if crashes { "fault: database crashed" } else { "fault: database stopped" });
    let long = if world.options.long { secs(60) } else { secs(8) };
    let excuse = world.excuses.open("database", &[], &[Harm::Writes, Harm::Lag]);
    let stale = world.excuses.open_in(FRESH, "stale", &[], &[Harm::Reads]);
    let postgres = world.postgres.borrow().clone();
    postgres.stop(!crashes).await?;
    let began = Instant::now();
    let given_up = start_without_database(world).await?;
    let nodes = world.nodes.iter().enumerate();
    let up: Vec<_> = nodes.filter(|(index, _)| Some(*index) != given_up).map(|(_, n)| n).collect();
    if began.elapsed() < FRESH {
        let lives = world
            .model
            .open
            .borrow()
            .iter()
            .filter(|s| s.lives())
            .take(20)
            .cloned()
            .collect::<Vec<_>>();
        reads::audit(world, &lives).await;
        for node in &up {
            let (status, text) = node.health(&world.lines, "ready").await;
            let sentence = "a node is ready while the database is away for less than max_staleness";
            world.tally.holds(sentence, status == 200, || format!("{}: {text}", node.name));
        }
    }
    for node in up.iter().filter(|node| node.is_full()) {
        let (status, text) = node.health(&world.lines, "issue").await;
        let sentence = "the second health page says that a node without its database cannot log in";
        world.tally.holds(sentence, status == 503, || format!("{}: {status} {text}", node.name));
    }
    sleep(long.saturating_sub(began.elapsed())).await;
    world.restart_database().await?;
    if let Some(index) = given_up {
        world.nodes[index].start(&world.lines).await?;
    }
    for node in 0..world.nodes.len() {
        well(world, node, "database away").await?;
    }
    excuse.over_in(GRACE);
    stale.over_in(GRACE);
    Ok(())
}

/// A node is killed and started while the database is away. One that gives up is given back, and
/// has no excuse but this until it is started again.
async fn start_without_database(world: &Rc<World>) -> Result<Option<usize>, String> {
    world.tally.count("fault: node started without the database");
    let index = world.dice.below(world.nodes.len());
    let node = &world.nodes[index];
    let excuse = world.excuses.open("kill", &[index], &ALL);
    node.kill().await;
    world.lines.hang_up(node.public);
    node.spawn()?;
    let started = node.ready(&world.lines, Duration::from_secs(6)).await;
    let sentence = "a node starts from its snapshot while the database is away";
    let found = || format!("{}: {started:?}; it says:\n{}", node.name, node.last_words());
    world.tally.holds(sentence, started.is_ok(), found);
    if let Ok(took) = started {
        println!("  {:>6.1} s  {} started from its snapshot", took.as_secs_f64(), node.name);
        excuse.over_in(GRACE);
        return Ok(None);
    }
    node.kill().await;
    Ok(Some(index))
}

/// Every full node is stopped in order and started again, one after another, as an upgrade does.
async fn rolling(world: &Rc<World>) -> Result<(), String> {
    world.tally.count("fault: rolling restart");
    for index in 0..FULL {
        let node = &world.nodes[index];
        let excuse = world.excuses.open("restart", &[index], &ALL);
        node.stop().await;
        world.lines.hang_up(node.public);
        node.start(&world.lines).await?;
        well(world, index, "restart").await?;
        excuse.over_in(secs(2));
        sleep(secs(2)).await;
    }
    Ok(())
}
