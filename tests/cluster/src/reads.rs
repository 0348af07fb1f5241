//! Verifications: who lives is never refused, who has ended is refused once the bound has passed.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;
use tokio::time::{interval, sleep};

use crate::excuses::{Harm, Place};
use crate::http::get;
use crate::model::{Life, Session};
use crate::node::MAX_STALENESS;
use crate::world::{FULL, World, place_name};

pub(crate) const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
/// From the acknowledgement of an end to its refusal everywhere, at most.
pub(crate) const BOUND: Duration = Duration::from_secs(2);

/// Asks a place who bears a token of a session, and holds the answer to the model.
pub(crate) async fn verify(world: &World, place: Place, session: &Session, token: &str) -> u16 {
    let before = session.life.get();
    let asked = world.ask(place, Harm::Reads, get(WHOAMI, Some(token))).await;
    let Some(answer) = asked.answer else { return 0 };
    let shown = || {
        let at = place_name(world, place);
        format!("{at}: {} on {}, {:?}", answer.shown(), session.device, session.life.get())
    };
    match answer.status {
        200 => {
            let late = match before {
                Life::Ended(at) | Life::Retired(at) => is_late(world, place, at, asked.sent),
                _ => false,
            };
            let sentence = "no token is admitted once the bound has passed since its end";
            world.tally.holds(sentence, !late, || {
                let since = match before {
                    Life::Ended(at) | Life::Retired(at) => asked.sent.duration_since(at),
                    _ => Duration::ZERO,
                };
                format!("{}, {since:?} after its end", shown())
            });
            let says = "a token says whose it is";
            let right = answer.member("device_id").as_ref() == Some(&session.device);
            world.tally.holds(says, right, shown);
        }
        401 => {
            let sentence = "no token that is good is ever refused";
            world.tally.holds(sentence, session.life.get() != Life::Lives, shown);
            match session.life.get() {
                Life::Retired(_) => {
                    let sentence = "a retired key makes no client throw its keys away";
                    world.tally.holds(sentence, answer.is_soft(), shown);
                }
                _ => {
                    let sentence = "an end is told as an end";
                    world.tally.holds(sentence, answer.is_hard(), shown);
                }
            }
        }
        _ => {
            let sentence = "who am I is answered by 200, 401 or 503 alone";
            world.tally.holds(sentence, false, shown);
        }
    }
    answer.status
}

/// Whether a place that was asked at `sent` should have known of an end at `at`.
fn is_late(world: &World, place: Place, at: Instant, sent: Instant) -> bool {
    if !world.excuses.explain(place, Harm::Lag, sent - BOUND, sent) {
        return sent > at + BOUND;
    }
    // It may not have heard; but it has to know that it does not hear, and to say 503 then.
    match place {
        Place::Node(_) => sent > at + MAX_STALENESS + BOUND,
        Place::Front => false,
    }
}

/// Verifies all the time: each node directly, and through the balancer.
pub(crate) fn keep_verifying(world: &Rc<World>, a_second: f64) {
    let places = (0..world.nodes.len()).map(Place::Node).chain([Place::Front, Place::Front]);
    for place in places {
        let world = world.clone();
        spawn_local(async move {
            let mut tick = interval(Duration::from_secs_f64(1.0 / a_second));
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !world.enough.get() {
                tick.tick().await;
                let Some((session, token)) = somebody(&world) else { continue };
                verify(&world, place, &session, &token).await;
            }
        });
    }
}

/// A session and one of its tokens: four of five live.
fn somebody(world: &World) -> Option<(Rc<Session>, Rc<str>)> {
    let over = world.dice.below(5) == 0;
    let session = {
        let sessions = if over { &world.model.over } else { &world.model.open };
        let sessions = sessions.borrow();
        // Of those that are over, rather one that ended just now.
        let recent = sessions.len().saturating_sub(if over && world.dice.below(2) == 0 {
            40
        } else {
            usize::MAX
        });
        world.dice.pick(&sessions[recent..])?.clone()
    };
    let token = world.dice.pick(&session.access.borrow())?.clone();
    Some((session, token))
}

/// Measures how long it takes until the nodes refuse a session that was just ended.
pub(crate) fn watch_the_end(world: &Rc<World>, session: &Rc<Session>, asked: Place, at: Instant) {
    for node in 0..world.nodes.len() {
        let (world, session) = (world.clone(), session.clone());
        spawn_local(async move {
            let (place, token) = (Place::Node(node), session.token());
            loop {
                let status = verify(&world, place, &session, &token).await;
                let now = Instant::now();
                if status == 401 {
                    // The node that was asked knows at once: that is no measure of the feed.
                    if asked != place && asked != Place::Front && world.measures.get() {
                        world.latencies.add(now - at);
                    }
                    return;
                }
                if asked == place && status == 200 {
                    let sentence = "the node that acknowledged an end knows it at once";
                    world.tally.holds(sentence, false, || world.nodes[node].name.clone());
                }
                if now > at + BOUND + Duration::from_secs(1) {
                    return;
                }
                // Closely at first, for the histogram; no longer once something keeps it.
                let late = now > at + Duration::from_millis(300);
                sleep(Duration::from_millis(if late { 50 } else { 1 })).await;
            }
        });
    }
}

/// Asks every node about sessions, whether they live and whether they ended.
pub(crate) async fn audit(world: &Rc<World>, sessions: &[Rc<Session>]) {
    let mut tasks = Vec::new();
    for node in 0..world.nodes.len() {
        let (world, sessions) = (world.clone(), sessions.to_vec());
        tasks.push(spawn_local(async move {
            for session in sessions {
                let token = session.token();
                verify(&world, Place::Node(node), &session, &token).await;
            }
        }));
    }
    for task in tasks {
        let _ = task.await;
    }
}

/// Asks for the devices of everybody: every login that was acknowledged has its own.
pub(crate) async fn devices(world: &World) {
    let users = world.model.users.borrow().len();
    for user in 0..users {
        let open = world.model.open_of(user);
        let Some(session) = open.first() else { continue };
        let token = session.token();
        let ask = get("/_matrix/client/v3/devices", Some(&token));
        let place = Place::Node(user % FULL);
        let Some(answer) = world.ask(place, Harm::Writes, ask).await.answer else { continue };
        for session in &open {
            let sentence = "the device of an acknowledged login is there";
            let named = format!("\"{}\"", session.device);
            world.tally.holds(sentence, answer.text.contains(&named), || session.device.clone());
        }
    }
}
