//! Many facts: what they cost at the start of a node, in its memory, and at each verification.

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use amaretti::ident::UserId;
use amaretti::keyring::Keyring;
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::Timestamp;
use amaretti::token::{Grant, Key, Kind, Occasion, Presented, Purpose, Scratch, SessionId};

use crate::world::World;

/// How long before the sessions that are judged the known users were ended, in milliseconds.
const DAY: u64 = 86_400_000;
const SECOND: u64 = 1000;

/// What was measured.
pub(crate) struct Cost {
    pub(crate) facts: usize,
    /// From the start of the process until it is ready, reading the database.
    pub(crate) start: Duration,
    /// The same with nothing to read.
    pub(crate) start_empty: Duration,
    /// From its snapshot and the database.
    pub(crate) start_again: Duration,
    pub(crate) bytes_each: f64,
    pub(crate) ns_empty: f64,
    pub(crate) ns_full: f64,
    /// The same two where every known user was ended a second before the session began.
    pub(crate) recent: (f64, f64),
}

/// Starts a node on very many facts.
pub(crate) async fn measure(world: &Rc<World>) -> Result<Cost, String> {
    let facts = world.options.facts;
    let (ns_empty, ns_full) = verifying(facts, DAY);
    let recent = verifying(facts, SECOND);
    let index = world.nodes.len() - 1;
    let node = &world.nodes[index];
    // Whoever else runs would read all of it at the same time.
    for other in &world.nodes[..index] {
        other.stop().await;
    }
    node.stop().await;
    node.forget()?;
    let start_empty = node.start(&world.lines).await?;
    let empty = node.memory();
    node.stop().await;
    node.forget()?;
    let began = Instant::now();
    load(world, facts).await?;
    println!("  {facts} facts written in {:.1} s", began.elapsed().as_secs_f64());
    node.spawn()?;
    let start = node.ready(&world.lines, Duration::from_secs(300)).await?;
    let full = node.memory();
    node.stop().await;
    node.spawn()?;
    let start_again = node.ready(&world.lines, Duration::from_secs(300)).await?;
    let bytes_each = full.saturating_sub(empty) as f64 / facts as f64;
    Ok(Cost { facts, start, start_empty, start_again, bytes_each, ns_empty, ns_full, recent })
}

/// Appends so many facts, each about a user of its own, as a node would.
async fn load(world: &World, facts: usize) -> Result<(), String> {
    let rows = format!(
        "begin;
         select pg_advisory_xact_lock(1634558322, 1), pg_notify('amaretti_feed', '');
         insert into feed (sequence, random, kind, user_id, tick, hits_until, hits_keys)
         select last + n, substr(md5(n::text), 1, 16), 'user', '@bulk' || n || ':localhost',
             1790000000000 + n, 0, ''
         from generate_series(1, {facts}) n,
             (select coalesce(max(sequence), 0) as last from feed) there;
         commit;"
    );
    let postgres = world.postgres.borrow().clone();
    postgres.sql("amaretti", &rows).await.map(drop)
}

/// Nanoseconds for a verification, knowing nothing and knowing so many facts: medians of rounds
/// that alternate.
fn verifying(facts: usize, age: u64) -> (f64, f64) {
    let key = Key::from_bytes(&std::array::from_fn(|i| i as u8 ^ 0x80)).unwrap();
    let mut ring = Keyring::default();
    ring.hold(&key).unwrap();
    let now = Timestamp::from_millis(1_790_000_000_000);
    let name = |number: usize| format!("@user{number}:localhost");
    let (empty, full) = (Revocations::default(), Revocations::default());
    for number in 0..facts {
        let user = name(number);
        full.append(&Fact::User { user: user.into(), from: now.minus(age), exempt: None });
    }
    let tokens: Vec<String> = (0..4096)
        .map(|number| {
            // Spread over the users, half of them known.
            let user = name(number * (facts.max(4096) / 2048));
            let grant = Grant {
                kind: Kind::Access,
                user: UserId::parse(&user).unwrap(),
                device: None,
                guest: false,
                session: SessionId::new(now, [7; 10]),
                generation: 0,
                issued_at: now,
                expires_at: Some(now.plus(900_000)),
                carried: &[],
            };
            grant.mint(&key.subkey(Kind::Access)).unwrap().reveal().to_owned()
        })
        .collect();
    let round = |known: &Revocations| {
        let began = Instant::now();
        for token in &tokens {
            let mut scratch = Scratch::new();
            let presented = Presented::read(token, &mut scratch).unwrap();
            let known = known.ahead(&presented);
            let authentic = presented.authenticate_while(&ring, || known.nearer());
            let occasion = Occasion::new(Purpose::Request, now);
            black_box(authentic.unwrap().clear(&known, &occasion).is_ok());
        }
        began.elapsed().as_nanos() as f64 / tokens.len() as f64
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..41 {
        without.push(round(&empty));
        with.push(round(&full));
    }
    without.sort_by(f64::total_cmp);
    with.sort_by(f64::total_cmp);
    (without[20], with[20])
}
