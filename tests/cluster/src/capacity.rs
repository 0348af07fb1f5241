//! What one database carries: logins, refreshes and logouts a second, and what a node at rest asks.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::excuses::Place;
use crate::world::{FULL, World};
use crate::writes::{login_at, logout_at, refresh, turn_of_somebody};

/// How many clients ask at once.
const CLIENTS: usize = 24;
/// For how long each is measured.
const LONG: Duration = Duration::from_secs(10);

/// Acts of one kind.
#[derive(Clone, Copy)]
enum Kind {
    Login,
    Refresh,
    Logout,
}

/// Measures, with no other load, and says what was found.
pub(crate) async fn measure(world: &Rc<World>) -> Result<Vec<(String, f64)>, String> {
    let mut found = vec![];
    let idle = transactions(world, LONG).await?;
    found.push(("transactions a second of one node at rest".to_owned(), idle / 6.0));
    for (name, kind) in
        [("logins", Kind::Login), ("refreshes", Kind::Refresh), ("logouts", Kind::Logout)]
    {
        let a_second = closed_loop(world, kind).await;
        found.push((format!("{name} a second, {CLIENTS} clients"), a_second));
    }
    for (what, a_second) in &found {
        println!("  {a_second:>9.1}  {what}");
    }
    Ok(found)
}

/// Transactions of the database a second.
async fn transactions(world: &World, long: Duration) -> Result<f64, String> {
    let count = || async {
        let sum = "select sum(xact_commit + xact_rollback) from pg_stat_database";
        let postgres = world.postgres.borrow().clone();
        let text = postgres.sql("postgres", sum).await?;
        text.parse::<f64>().map_err(|error| format!("{text}: {error}"))
    };
    // Sessions of the server report what they did once a second at most.
    let before = count().await?;
    sleep(long).await;
    Ok((count().await? - before) / long.as_secs_f64())
}

async fn closed_loop(world: &Rc<World>, kind: Kind) -> f64 {
    let done = Rc::new(Cell::new(0usize));
    let end = Instant::now() + LONG;
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (world, done) = (world.clone(), done.clone());
        clients.push(spawn_local(async move {
            let place = Place::Node(client % FULL);
            let who = turn_of_somebody(&world).await;
            let mut session = login_at(&world, place, &who).await;
            while Instant::now() < end {
                let Some(current) = session.clone() else { return };
                let acted = match kind {
                    Kind::Login => {
                        session = login_at(&world, place, &who).await;
                        session.is_some()
                    }
                    Kind::Refresh => refresh(&world, &current).await,
                    Kind::Logout => {
                        // Each logout wants a login before it, which is not counted.
                        let ended = logout_at(&world, place, &current, false).await;
                        session = login_at(&world, place, &who).await;
                        ended
                    }
                };
                done.set(done.get() + usize::from(acted));
            }
        }));
    }
    for client in clients {
        let _ = client.await;
    }
    done.get() as f64 / LONG.as_secs_f64()
}
