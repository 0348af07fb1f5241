//! Checking a token: ours beside what others use, in one interleaved run.
//!
//! ```text
//! cd benches/peers && cargo build --release && taskset -c 1 target/release/amaretti-peers
//! ```
//!
//! Everybody ends with user and device, has looked at the clock, and reads ten thousand tokens in
//! turn. `PEERS_POSTGRES` and `PEERS_REDIS` are the addresses of servers to ask; one that is not
//! named is told to be absent. `--quick` is one short round, and `--json FILE` keeps the figures.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
#[path = "../../support/mod.rs"]
mod support;

mod biscuit;
mod jwt;
mod macaroons;
mod opaque;
mod paseto;

use std::error::Error;

use amaretti::time::CoarseClock;
use amaretti::token::{NoFacts, Scratch};
use support::sessions::Pool;
use support::{Contestant, Effort, interleave_all, json, print};

/// How many caveats holders have appended.
const APPENDED: [usize; 4] = [0, 1, 4, 16];

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Whoever reads tokens without asking anybody.
struct Readers {
    jwt: jwt::Jwt,
    paseto: paseto::Paseto,
    macaroons: macaroons::Macaroons,
    biscuits: biscuit::Biscuits,
}

/// Their tokens; of those that can be narrowed, once for each of [`APPENDED`].
struct Texts {
    ours: Vec<Vec<String>>,
    macaroons: Vec<Vec<String>>,
    biscuits: Vec<Vec<String>>,
    hs256: Vec<String>,
    eddsa: Vec<String>,
    rusty: Vec<String>,
    pasetors: Vec<String>,
    opaque: Vec<String>,
}

fn main() -> Outcome<()> {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let effort = if quick { Effort::short() } else { Effort::full() };
    let (pool, clock) = (&Pool::new(effort.sessions)?, &CoarseClock::default());
    let readers = Readers {
        jwt: jwt::Jwt::new(pool),
        paseto: paseto::Paseto::new(pool)?,
        macaroons: macaroons::Macaroons::new(pool)?,
        biscuits: biscuit::Biscuits::new(pool, if quick { 5 } else { 200 })?,
    };
    let texts = Texts::of(pool, &readers)?;
    let mut rows = rows(pool, clock, &readers, &texts);
    let absent = opaque::rows(pool, &texts.opaque, &mut rows)?;

    let table = interleave_all(effort, rows)?;
    let [first, ..] = table.as_slice() else { return Err("nothing was measured".into()) };
    print(effort, &table, &[("x ours", first.median)]);
    absent.iter().for_each(|absent| println!("absent: {absent}"));
    let mut arguments = std::env::args().skip_while(|arg| arg != "--json").skip(1);
    if let Some(file) = arguments.next() {
        std::fs::write(file, json(&table))?;
    }
    Ok(())
}

impl Texts {
    fn of(pool: &Pool, readers: &Readers) -> Outcome<Self> {
        let caveats: Vec<_> = (0..16).map(|n| format!("time < 40000000000{n:02}")).collect();
        let caveats: Vec<_> = caveats.iter().map(String::as_str).collect();
        let ours = APPENDED.map(|count| pool.tokens(caveats.get(..count).unwrap_or_default()));
        let ours = ours.into_iter().collect::<Outcome<Vec<_>>>()?;
        let macaroons = ours.iter().map(|tokens| macaroons::bare(tokens)).collect();
        let biscuits = APPENDED.map(|count| readers.biscuits.tokens(count));
        Ok(Self {
            ours,
            macaroons,
            biscuits: biscuits.into_iter().collect::<Outcome<Vec<_>>>()?,
            hs256: readers.jwt.hs256(pool)?,
            eddsa: readers.jwt.eddsa(pool)?,
            rusty: readers.paseto.rusty(pool)?,
            pasetors: readers.paseto.pasetors(pool)?,
            opaque: opaque::texts(pool),
        })
    }
}

fn rows<'a>(
    pool: &'a Pool,
    clock: &'a CoarseClock,
    readers: &'a Readers,
    texts: &'a Texts,
) -> Vec<Contestant<'a>> {
    let Readers { jwt, paseto, macaroons, biscuits } = readers;
    let mut rows = Vec::new();
    for (count, tokens) in APPENDED.into_iter().zip(&texts.ours) {
        rows.push(Contestant::reading(name("amaretti", count), tokens, |text| {
            pool.admits(clock, &NoFacts, &mut Scratch::new(), text)
        }));
    }
    for (count, tokens) in APPENDED.into_iter().zip(&texts.macaroons) {
        let read = |text: &str| macaroons.admits(text);
        rows.push(Contestant::reading(name("macaroon 0.3", count), tokens, read));
    }
    let alone = [("jsonwebtoken HS256", &texts.hs256), ("jsonwebtoken EdDSA", &texts.eddsa)];
    for (name, tokens) in alone {
        rows.push(Contestant::reading(name, tokens, |text| jwt.admits(text)));
    }
    let read = |text: &str| paseto.admits_rusty(text);
    rows.push(Contestant::reading("rusty_paseto v4.local", &texts.rusty, read));
    let read = |text: &str| paseto.admits_pasetors(text);
    rows.push(Contestant::reading("pasetors v4.local", &texts.pasetors, read));
    for (count, tokens) in APPENDED.into_iter().zip(&texts.biscuits) {
        let read = |text: &str| biscuits.admits(text);
        rows.push(Contestant::reading(name("biscuit-auth", count), tokens, read));
    }
    rows
}

/// A row's name lives as long as the program.
fn name(who: &str, appended: usize) -> &'static str {
    let name = match appended {
        0 => who.to_owned(),
        1 => format!("{who}, 1 caveat appended"),
        _ => format!("{who}, {appended} caveats appended"),
    };
    Box::leak(name.into_boxed_str())
}
