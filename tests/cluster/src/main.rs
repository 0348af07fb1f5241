//! Three nodes that write, three that only verify, HAProxy before them, one PostgreSQL behind them:
//! under load, under faults, held to a model of what must be true.
//!
//! Run by `scripts/suites/cluster`, which says what it needs.

mod capacity;
mod clocks;
mod dice;
mod drawing;
mod excuses;
mod facts;
mod failover;
mod faults;
mod front;
mod http;
mod keys;
mod latency;
mod machine;
mod mint;
mod model;
mod node;
mod options;
mod postgres;
mod process;
mod races;
mod reads;
mod report;
mod setup;
mod strangers;
mod tally;
mod wire;
mod world;
mod writes;

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::excuses::{Harm, Place};
use crate::machine::Ticks;
use crate::options::Options;
use crate::report::Figures;
use crate::world::World;

/// Verifications a second at each node; the balancer is asked twice as often.
const VERIFICATIONS: f64 = 25.0;
/// Acts for each logout that is wanted.
const ACTS: f64 = 3.0;
/// Acts a second while faults are injected.
const PACE: f64 = 40.0;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let folder = PathBuf::from(words.next().unwrap_or_default());
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    println!("seed {}; {}", options.seed, machine::processor());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, run(options, folder));
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(violations) => {
            println!("FAILED: {violations} violations");
            ExitCode::FAILURE
        }
        Err(trouble) => {
            println!("FAILED: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options, folder: PathBuf) -> Result<u64, String> {
    let began = Instant::now();
    let world = setup::set_up(options, folder).await?;
    println!("set up in {:.1} s", began.elapsed().as_secs_f64());
    let played = play(&world, began).await;
    world.enough.set(true);
    world.tally.report();
    println!(
        "\n{} faults injected, {} violations, {:.0} s, seed {}",
        world.tally.group("fault").iter().map(|(_, count)| count).sum::<u64>(),
        world.tally.violations(),
        began.elapsed().as_secs_f64(),
        world.options.seed
    );
    played.map(|()| world.tally.violations())
}

/// One scene after another, those alone that were asked for if any were.
async fn play(world: &Rc<World>, began: Instant) -> Result<(), String> {
    let wanted = |scene: &str| {
        let only = &world.options.only;
        let wanted = only.is_empty() || only.iter().any(|one| one == scene);
        if wanted {
            println!("\n== {scene}, after {:.0} s", began.elapsed().as_secs_f64());
        }
        wanted
    };
    let mut figures = Figures { idle: 0.0, cost: None, capacity: Vec::new() };
    let doomed = doomed(world).await;
    let old = world.mint.borrow().key_id.clone();
    keys::rotate(world).await?;
    reads::keep_verifying(world, VERIFICATIONS);
    writes::keep_acting(world);
    if wanted("latency") {
        figures.idle = measure_latency(world).await?;
        report::latency(world, &figures);
    }
    world.pace.set(PACE);
    if wanted("faults") {
        faults::inject(world).await?;
    }
    if wanted("retire") {
        keys::retire(world, &old, &doomed).await?;
    }
    if wanted("clocks") {
        clocks::seconds_apart(world).await?;
        clocks::an_hour_apart(world).await?;
    }
    if wanted("races") {
        races::run(world).await?;
    }
    if wanted("failover") {
        failover::run(world).await?;
    }
    if wanted("strangers") {
        strangers::run_one(world).await?;
        strangers::without_a_log(world).await?;
    }
    world.enough.set(true);
    writes::calm(world).await;
    sleep(reads::BOUND).await;
    if wanted("audit") {
        final_audit(world).await?;
    }
    if world.options.capacity && wanted("capacity") {
        figures.capacity = capacity::measure(world).await?;
    }
    if wanted("facts") {
        let cost = facts::measure(world).await?;
        report::cost(&cost);
        figures.cost = Some(cost);
    }
    if world.options.keep {
        report::keep(world, &figures)?;
    }
    Ok(())
}

/// Sessions of the first key, which will be retired.
async fn doomed(world: &Rc<World>) -> Vec<Rc<model::Session>> {
    let who = writes::turn_of_somebody(world).await;
    let mut doomed = Vec::new();
    for _ in 0..5 {
        doomed.extend(writes::login_at(world, Place::Node(0), &who).await);
    }
    // Nobody else acts upon them.
    let theirs = |session: &Rc<model::Session>| session.user != who.index;
    world.model.open.borrow_mut().retain(theirs);
    who.user.rests.set(Some(Instant::now() + Duration::from_secs(1 << 20)));
    doomed
}

/// Ends so many sessions at a steady pace and measures how soon every node knows.
async fn measure_latency(world: &Rc<World>) -> Result<f64, String> {
    world.pace.set(world.options.rate * ACTS);
    while world.model.open.borrow().len() < 200 {
        sleep(Duration::from_millis(50)).await;
    }
    world.measures.set(true);
    let (began, ticks) = (Instant::now(), Ticks::now());
    let done = || world.tally.counted("done: logouts");
    let end = done() + world.options.logouts as u64;
    while done() < end {
        sleep(Duration::from_millis(50)).await;
    }
    let idle = ticks.idle_since();
    let (took, offered) = (began.elapsed().as_secs_f64(), world.options.logouts as f64);
    println!("  {offered} logouts in {took:.1} s, {:.1} a second", offered / took);
    sleep(reads::BOUND).await;
    world.measures.set(false);
    Ok(idle)
}

/// Every session there was, on every node, after all of them have been killed and started anew.
async fn final_audit(world: &Rc<World>) -> Result<(), String> {
    for (index, node) in world.nodes.iter().enumerate() {
        let harms = [Harm::Reads, Harm::Writes, Harm::Lag];
        let excuse = world.excuses.open("restart", &[index], &harms);
        node.kill().await;
        world.lines.hang_up(node.public);
        node.start(&world.lines).await?;
        excuse.over_in(Duration::ZERO);
    }
    let all: Vec<_> = {
        let (open, over) = (world.model.open.borrow(), world.model.over.borrow());
        open.iter().chain(over.iter()).cloned().collect()
    };
    reads::audit(world, &all).await;
    reads::devices(world).await;
    println!("  all {} sessions there were, each asked of every node that was killed", all.len());
    Ok(())
}
