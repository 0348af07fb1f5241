//! Counts allocations: none from the text of a header to its bearer or its refusal, one to mint.
//!
//! A process of its own, because the allocator that counts is the whole program's. Each thread
//! counts for itself, so tests that run beside each other do not disturb one another.

#![expect(unsafe_code, reason = "an allocator cannot be written without it")]
#![expect(clippy::unwrap_used, reason = "a key or token made here is good or the test is wrong")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyring::Keyring;
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::Timestamp;
use amaretti::token::{
    Action, Grant, Key, Kind, Occasion, Presented, Purpose, Refusal, Scratch, SessionId, VOCABULARY,
};

const ALICE: &str = "@alice:example.com";
const DEVICE: &str = "ABCDEFGHIJ";
const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count_one() {
    COUNT.with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `f` returns, and how often it allocated on this thread.
fn counted<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = COUNT.with(Cell::get);
    let outcome = f();
    (outcome, COUNT.with(Cell::get) - before)
}

fn key(seed: u8) -> Key {
    Key::from_bytes(&core::array::from_fn(|i| seed ^ (i as u8).wrapping_mul(37))).unwrap()
}

/// A node that holds four keys and knows something of every sort about Alice.
struct Node {
    ring: Keyring,
    facts: Revocations,
}

impl Node {
    fn new() -> Self {
        let mut ring = Keyring::default();
        (1..5).for_each(|seed| ring.hold(&key(seed)).unwrap());
        ring.mint_with(key(3).id()).unwrap();
        let facts = Revocations::default();
        let (user, from) = (|| Box::from(ALICE), NOW.minus(1000));
        for device in [DEVICE, "OTHER", "THIRD"] {
            facts.append(&Fact::Device { user: user(), device: device.into(), from });
        }
        facts.append(&Fact::User { user: user(), from, exempt: Some(session(3)) });
        facts.append(&Fact::Session { user: user(), session: session(NOW.plus(9).millis()) });
        facts.append(&Fact::Server { from: Timestamp::from_millis(2) });
        let node = Self { ring, facts };
        // The first reader of a thread registers itself with the set of facts.
        assert!(node.judge(&node.mint(&[]), &occasion()).0.is_ok(), "the token is no good");
        node
    }

    fn mint(&self, carried: &[&str]) -> String {
        let grant = grant(session(NOW.minus(60).millis()), carried);
        grant.mint(self.ring.minting(Kind::Access).unwrap()).unwrap().reveal().to_owned()
    }

    /// From the text of a header to bearer or refusal, and what that allocated.
    fn judge(&self, text: &str, occasion: &Occasion<'_>) -> (Result<(), Refusal>, usize) {
        counted(|| {
            let mut scratch = Scratch::new();
            let presented = Presented::read(text, &mut scratch)?;
            let bearer = presented.authenticate(&self.ring)?.clear(&self.facts, occasion)?;
            let ends_at = bearer.ends_at();
            assert!(bearer.user_id().as_str() == ALICE && ends_at.is_none_or(|at| NOW < at));
            Ok(())
        })
    }
}

fn session(beginning: u64) -> SessionId {
    SessionId::new(Timestamp::from_millis(beginning), [5; 10])
}

fn grant<'a>(session: SessionId, carried: &'a [&'a str]) -> Grant<'a> {
    Grant {
        kind: Kind::Access,
        user: UserId::parse(ALICE).unwrap(),
        device: Some(DeviceId::parse(DEVICE).unwrap()),
        guest: false,
        session,
        generation: 1,
        issued_at: NOW,
        expires_at: Some(NOW.plus(900_000)),
        carried,
    }
}

/// One on which every example of the vocabulary clears.
fn occasion() -> Occasion<'static> {
    Occasion {
        action: Some(Action::Send),
        room_id: Some("!b:example.com"),
        address: Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7].into()),
        audience: Some("media"),
        ..Occasion::new(Purpose::Request, NOW)
    }
}

#[test]
fn a_token_is_admitted_without_an_allocation() {
    let node = Node::new();
    for term in VOCABULARY {
        for carried in [&[][..], &[term.example], &[term.example; 4]] {
            let text = node.mint(carried);
            let outcome = node.judge(&text, &occasion());

            assert_eq!(outcome, (Ok(()), 0), "{carried:?}");
        }
    }
}

#[test]
fn a_token_is_refused_without_an_allocation() {
    let node = Node::new();
    let (text, late) = (node.mint(&[]), Occasion { now: NOW.plus(900_000), ..occasion() });
    let minting = node.ring.minting(Kind::Access).unwrap();
    let of = |began: SessionId| grant(began, &[]).mint(minting).unwrap().reveal().to_owned();
    let (ended, old) = (of(session(NOW.plus(9).millis())), of(session(NOW.minus(5000).millis())));
    let unknown = grant(session(9), &[]).mint(&key(9).subkey(Kind::Access)).unwrap();
    let unmet = node.mint(&["time < 9"]);
    let foreign = node.mint(&["tenant = x"]);
    let cut = text.len() - 1;
    let forged = format!("{}A{}", &text[..cut - 1], &text[cut..]);
    let garbage = format!("mma_{}", "A".repeat(2044));
    let padded = format!("{text}=");
    let long = format!("{text}{}", "A".repeat(2048));

    let outcomes = [
        (node.judge(&text, &late), "Expired"),
        (node.judge(&forged, &occasion()), "Forged"),
        (node.judge(&ended, &occasion()), "Ended(Session)"),
        (node.judge(&old, &occasion()), "Ended(User)"),
        (node.judge(unknown.reveal(), &occasion()), "UnknownKey"),
        (node.judge(&unmet, &occasion()), "Unmet"),
        (node.judge(&foreign, &occasion()), "UnknownCaveat"),
        (node.judge(&garbage, &occasion()), "Malformed(Framing)"),
        (node.judge(&padded, &occasion()), "Malformed(Alphabet)"),
        (node.judge(&text[..cut], &occasion()), "Truncated"),
        (node.judge(&text[..cut - 1], &occasion()), "Truncated"),
        (node.judge(&text[..cut - 2], &occasion()), "Truncated"),
        (node.judge(&long, &occasion()), "TooLong"),
        (node.judge("", &occasion()), "Foreign"),
    ];
    for ((outcome, allocations), name) in outcomes {
        let why = format!("{:?}", outcome.unwrap_err());
        assert!(why.starts_with(name), "{why} for {name}");
        assert_eq!(allocations, 0, "{name}");
    }
}

#[test]
fn a_full_token_of_2048_characters_is_judged_without_an_allocation() {
    let node = Node::new();
    let label = format!("label = {}", "x".repeat(1381));
    let text = node.mint(&[&label]);
    assert_eq!(text.len(), 2048);

    let forged = text.replacen("eHh4", "eHh5", 1);
    assert_eq!(node.judge(&text, &occasion()), (Ok(()), 0));
    assert_eq!(node.judge(&forged, &occasion()), (Err(Refusal::Forged), 0));
}

#[test]
fn the_reference_token_has_191_characters() {
    let text = Node::new().mint(&[]);
    println!("the reference token has {} characters", text.len());

    assert_eq!(text.len(), 191);
}

#[test]
fn minting_allocates_the_text_and_nothing_else() {
    let node = Node::new();
    let minting = node.ring.minting(Kind::Access).unwrap();
    let examples: Vec<_> = VOCABULARY.iter().map(|term| term.example).collect();
    for carried in [&[][..], &["label = note"], &examples] {
        let grant = grant(session(9), carried);
        let (token, allocations) = counted(|| grant.mint(minting));

        assert!(token.is_ok(), "{:?}", token.err());
        assert_eq!(allocations, 1, "{carried:?}");
    }
}

#[cfg(feature = "server")]
#[test]
fn a_node_judges_and_counts_without_an_allocation() {
    use amaretti::service::{HashCost, Passwords, Policy, Service};
    let cost = HashCost { memory_kib: 64, iterations: 1, parallelism: 1 };
    let clock = std::sync::Arc::new(amaretti::time::ManualClock::at(NOW));
    let server = amaretti::ident::ServerName::parse("example.com").unwrap();
    let policy = Policy { no_feed_life: None, ..Policy::default() };
    let service = Service::new(server, None, Passwords::new(1, cost).unwrap(), policy, clock);
    let text = Node::new().mint(&[]);
    let admit = || {
        let mut scratch = Scratch::new();
        service.admit(&text, &mut scratch, &occasion()).is_ok()
    };
    admit();

    let (admitted, allocations) = counted(admit);

    assert!(!admitted, "it holds no key");
    assert_eq!(allocations, 0);
    let counts = service.metrics().verdicts().map(|(_, count)| count);
    assert_eq!(counts.sum::<u64>(), 2);
}

#[test]
fn the_counter_counts() {
    let (text, allocations) = counted(|| String::from("one"));

    assert_eq!((text.as_str(), allocations), ("one", 1));
}
