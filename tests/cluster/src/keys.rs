//! Keys change under load: rotated over all nodes, and retired.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::excuses::Place;
use crate::mint::{Mint, key_and_session};
use crate::model::{Life, Session};
use crate::node::hand_over;
use crate::process::until;
use crate::setup::export;
use crate::world::{FULL, World};
use crate::{reads, writes};

/// How long it may take until everybody mints with a key that everybody holds.
const ROTATION: Duration = Duration::from_secs(30);

/// A key is added on one node and carried to the others one by one; nobody mints with it before the
/// last has it.
pub(crate) async fn rotate(world: &Rc<World>) -> Result<(), String> {
    world.tally.count("fault: key rotated");
    let first = world.dice.below(FULL);
    let began = Instant::now();
    world.nodes[first].run(&["keys", "rotate"]).await?;
    let new = Mint::newest(&world.nodes[first].keys())?;
    *world.too_new.borrow_mut() = Some(new.key_id.clone());
    let pause = Duration::from_millis(700);
    for index in (0..FULL).filter(|index| *index != first) {
        sleep(pause).await;
        hand_over(&world.nodes[first].keys(), &world.nodes[index].keys())?;
    }
    let subkeys = export(&world.nodes[first]).await?;
    for node in &world.nodes[FULL..] {
        sleep(pause).await;
        if node.name == world.nodes[world.nodes.len() - 1].name {
            // From here on every node may know it.
            *world.too_new.borrow_mut() = None;
        }
        hand_over(&subkeys, &node.keys())?;
    }
    let held = Instant::now();
    mints_with(world, &new.key_id).await?;
    println!(
        "  {:>6.1} s  key rotated: every node mints with it {:.1} s after the last had it",
        began.elapsed().as_secs_f64(),
        held.elapsed().as_secs_f64(),
    );
    *world.mint.borrow_mut() = new;
    Ok(())
}

/// Waits until every node that writes mints with a key.
async fn mints_with(world: &Rc<World>, key: &str) -> Result<(), String> {
    let user = writes::turn_of_somebody(world).await;
    for node in 0..FULL {
        let anew = || async {
            let session = writes::login_at(world, Place::Node(node), &user).await;
            session.is_some_and(|session| key_and_session(&session.token()).0 == key)
        };
        let found = until(ROTATION, anew).await;
        found.ok_or(format!("{} does not mint with key {key}", world.nodes[node].name))?;
    }
    Ok(())
}

/// The sessions whose newest token was signed with a key. Older tokens of others are forgotten.
fn hit_by(world: &World, key: &str) -> Vec<Rc<Session>> {
    let signed = |token: &Rc<str>| key_and_session(token).0 == key;
    let open = world.model.open.borrow().clone();
    let (hit, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|s| signed(&s.token()));
    for session in &others {
        session.access.borrow_mut().retain(|token| !signed(token));
    }
    *world.model.open.borrow_mut() = others;
    world.model.over.borrow_mut().retain(|session| {
        let mut tokens = session.access.borrow_mut();
        tokens.retain(|token| !signed(token));
        !tokens.is_empty()
    });
    hit
}

/// A key is given up while some sessions still have its tokens: nobody else is hit.
pub(crate) async fn retire(
    world: &Rc<World>,
    key: &str,
    doomed: &[Rc<Session>],
) -> Result<(), String> {
    let doomed = [doomed, &hit_by(world, key)].concat();
    let node = &world.nodes[world.dice.below(FULL)];
    let refused = node.run(&["keys", "retire", key]).await;
    let sentence = "a key that somebody's tokens are signed with is not retired without --force";
    world.tally.holds(sentence, refused.is_err(), || refused.clone().unwrap_or_default());
    reads::audit(world, &doomed).await;
    for session in &doomed {
        session.life.set(Life::Ending);
    }
    node.run(&["keys", "retire", key, "--force"]).await?;
    world.tally.count("fault: key retired");
    let at = Instant::now();
    for session in &doomed {
        session.life.set(Life::Retired(at));
    }
    sleep(reads::BOUND + Duration::from_millis(100)).await;
    reads::audit(world, &doomed).await;
    let mut refused = 0;
    for session in &doomed {
        for place in 0..world.nodes.len() {
            let token = session.token();
            let status = reads::verify(world, Place::Node(place), session, &token).await;
            refused += usize::from(status == 401);
        }
    }
    let sentence = "what a retired key has signed is refused by every node";
    let all = doomed.len() * world.nodes.len();
    world.tally.holds(sentence, refused == all, || format!("{refused} of {all}"));
    Ok(())
}
