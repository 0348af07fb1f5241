//! What one more costs: keys in the ring, caveats, characters, ended devices of one user, tokens
//! that were taken over.
//!
//! ```text
//! taskset -c 1 cargo bench --no-default-features --bench growth
//! ```
//!
//! Each table is one run in which all its rows are called in turn. Under it stands the straight line
//! that fits its least times best. `-- --json FILE` keeps the figures; `scripts/growth` draws them,
//! and measures what takes a running node. Users of whom something is known: `benches/revocations.rs`.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use amaretti::imports::{Digest, Imported, Imports};
use amaretti::keyring::Keyring;
use amaretti::revocations::{Fact, Revocations};
use amaretti::time::{SystemClock, Timestamp};
use amaretti::token::{
    Kind, MAX_CAVEATS, MAX_CHARS, NoFacts, Presented, Refusal, Scratch, SessionId,
};
use support::sessions::{Pool, bearer};
use support::{Contestant, Effort, Figures, interleave_all};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How many keys are in the ring, all of them in use.
const KEYS: [(&str, usize); 5] =
    [("1 key", 1), ("2 keys", 2), ("10 keys", 10), ("100 keys", 100), ("1000 keys", 1000)];

/// How many caveats a holder has appended; the last is as many as a token may bear.
const CAVEATS: [(&str, usize); 7] = [
    ("none", 0),
    ("1 caveat", 1),
    ("2 caveats", 2),
    ("4 caveats", 4),
    ("8 caveats", 8),
    ("16 caveats", 16),
    ("30 caveats", MAX_CAVEATS - 2),
];

/// How many characters a text has that is no token.
const CHARACTERS: [(&str, usize); 4] = [
    ("64 characters", 64),
    ("191 characters", 191),
    ("1000 characters", 1000),
    ("2048 characters", MAX_CHARS),
];

/// How long the label of a forged token is; the last fills what a token may be long.
const FORGED: [(&str, usize); 3] = [("short", 8), ("middling", 680), ("longest", 1370)];

/// How many devices of one user have been logged out.
const DEVICES: [(&str, usize); 5] = [
    ("none", 0),
    ("10 devices", 10),
    ("100 devices", 100),
    ("1000 devices", 1000),
    ("10,000 devices", 10_000),
];

/// How many tokens of another issuer were taken over.
const IMPORTED: [(&str, usize); 4] = [
    ("none", 0),
    ("1000 tokens", 1000),
    ("100,000 tokens", 100_000),
    ("1,000,000 tokens", 1_000_000),
];

/// After every beginning of a session that is measured.
const LATER: u64 = 1_700_000_100_000;
/// More than two days before.
const BEFORE: u64 = 1_699_800_000_000;

fn main() -> Outcome<()> {
    let effort = Effort::asked_for();
    if !effort.in_earnest {
        println!("one short round: the times mean nothing; `cargo bench` measures them");
    }
    let mut kept = Vec::new();
    let mut table = |name, unit, (sizes, figures): (Vec<usize>, Vec<Figures>)| {
        kept.push(told(name, unit, &sizes, &figures));
    };
    table("keys in the ring", "key", keys(effort)?);
    table("caveats appended", "caveat", caveats(effort)?);
    table("refused: characters of a text that is no token", "character", garbage(effort)?);
    table("refused: characters of a forged token", "character", forged(effort)?);
    let ended = ended(effort)?;
    table("ended devices of the user, on another day", "device", ended.0);
    table("ended devices of the user, on the day the session began", "device", ended.1);
    table("one more end, by ended devices of that user", "device", ended.2);
    table("tokens taken over: finding one", "token", imported(effort)?);
    let mut arguments = std::env::args().skip_while(|argument| argument != "--json").skip(1);
    if let Some(file) = arguments.next() {
        std::fs::write(file, format!("[\n{}\n]\n", kept.join(",\n")))?;
    }
    Ok(())
}

type Table = (Vec<usize>, Vec<Figures>);

fn measured(effort: Effort, rows: Vec<(usize, Contestant<'_>)>) -> Outcome<Table> {
    let (sizes, rows) = rows.into_iter().unzip();
    Ok((sizes, interleave_all(effort, rows)?))
}

fn keys(effort: Effort) -> Outcome<Table> {
    let clock = &SystemClock::default();
    let pools: Outcome<Vec<_>> =
        KEYS.iter().map(|(_, n)| Pool::keyed(*n as u64, 0, effort.sessions)).collect();
    let pools = pools?;
    let tokens: Outcome<Vec<_>> = pools.iter().map(|pool| pool.tokens(&[])).collect();
    let tokens = tokens?;
    let rows =
        KEYS.into_iter().zip(pools.iter().zip(&tokens)).map(|((name, n), (pool, tokens))| {
            let admits = move |text: &str| pool.admits(clock, &NoFacts, &mut Scratch::new(), text);
            (n, Contestant::reading(name, tokens, admits))
        });
    measured(effort, rows.collect())
}

fn caveats(effort: Effort) -> Outcome<Table> {
    let (pool, clock) = (&Pool::new(effort.sessions)?, &SystemClock::default());
    let each = ["time < 4000000000000"; MAX_CAVEATS];
    let tokens: Outcome<Vec<_>> =
        CAVEATS.iter().map(|(_, n)| pool.tokens(each.get(..*n).unwrap_or_default())).collect();
    let tokens = tokens?;
    let rows = CAVEATS.into_iter().zip(&tokens).map(|((name, n), tokens)| {
        let admits = |text: &str| pool.admits(clock, &NoFacts, &mut Scratch::new(), text);
        (n, Contestant::reading(name, tokens, admits))
    });
    measured(effort, rows.collect())
}

/// Texts of the alphabet of tokens, behind the prefix of one.
fn garbage(effort: Effort) -> Outcome<Table> {
    let pool = &Pool::new(1)?;
    let texts = CHARACTERS.map(|(_, n)| vec![format!("mma_{}", "A".repeat(n - 4))]);
    let rows = CHARACTERS.into_iter().zip(&texts);
    let rows = rows.map(|((name, n), texts)| {
        (n, Contestant::reading(name, texts, |text| refusal(pool, text).is_some()))
    });
    measured(effort, rows.collect())
}

/// Tokens with one long caveat whose signature is another's.
fn forged(effort: Effort) -> Outcome<Table> {
    let pool = &Pool::new(effort.sessions)?;
    let texts: Outcome<Vec<_>> = FORGED.iter().map(|(_, n)| forgeries(pool, *n)).collect();
    let texts = texts?;
    let rows = FORGED.into_iter().zip(&texts).map(|((name, _), tokens)| {
        let forged = |text: &str| refusal(pool, text) == Some(Refusal::Forged);
        (tokens.first().map_or(0, String::len), Contestant::reading(name, tokens, forged))
    });
    measured(effort, rows.collect())
}

/// Each bears a caveat with so long a label.
fn forgeries(pool: &Pool, label: usize) -> Outcome<Vec<String>> {
    let mut tokens = pool.tokens(&[&format!("label = {}", "a".repeat(label))])?;
    for token in &mut tokens {
        // Some letter of the signature.
        let at = token.len() - 8;
        let other = if token.as_bytes().get(at) == Some(&b'A') { "B" } else { "A" };
        token.replace_range(at..=at, other);
    }
    Ok(tokens)
}

fn refusal(pool: &Pool, text: &str) -> Option<Refusal> {
    let mut scratch = Scratch::new();
    Presented::read(text, &mut scratch).and_then(|read| read.authenticate(&pool.keys)).err()
}

/// Verifying a user of whom so many devices have been logged out, long before the session began and
/// a moment before; and what one more end costs in memory.
fn ended(effort: Effort) -> Outcome<(Table, Table, Table)> {
    let (pool, clock) = (&Pool::new(1)?, &SystemClock::default());
    let user = pool.sessions.first().map(|session| session.user.clone()).unwrap_or_default();
    let tokens = &pool.tokens(&[])?;
    let sizes = DEVICES.map(|(_, n)| if effort.in_earnest { n } else { n.min(10) });
    let sets = |at| sizes.map(|n| logged_out(&user, n, at));
    let (old, recent) = (sets(BEFORE), sets(LATER - 101_000));
    let verifying = |sets| -> Outcome<Table> {
        let rows = DEVICES.into_iter().zip(sets).map(|((name, n), facts)| {
            (
                n,
                Contestant::reading(name, tokens, move |text| {
                    admits(&pool.keys, clock, facts, text)
                }),
            )
        });
        measured(effort, rows.collect())
    };
    let (by_horizon, by_record) = (verifying(&old)?, verifying(&recent)?);
    let more: Vec<Vec<Fact>> = DEVICES.map(|_| vec![ended_device(&user, "AGAIN", 0)]).into();
    let rows = DEVICES.into_iter().zip(old.iter().zip(&more)).map(|((name, n), (facts, fact))| {
        let mut at = BEFORE;
        let append = move |fact: &Fact| {
            let Fact::Device { user, device, .. } = fact else { return false };
            at += 1;
            let from = Timestamp::from_millis(at);
            facts.append(&Fact::Device { user: user.clone(), device: device.clone(), from });
            true
        };
        (n, Contestant::over(name, fact, append))
    });
    Ok((by_horizon, by_record, measured(effort, rows.collect())?))
}

fn logged_out(user: &str, devices: usize, at: u64) -> Revocations {
    let (facts, start) = (Revocations::default(), Instant::now());
    for number in 0..devices {
        facts.append(&ended_device(user, &format!("D{number:09}"), at));
    }
    if devices >= 1000 {
        let each = start.elapsed().as_secs_f64() * 1e6 / devices as f64;
        println!("{devices} ended devices of one user were taken in at {each:.1} us each");
    }
    facts
}

fn ended_device(user: &str, device: &str, at: u64) -> Fact {
    Fact::Device { user: user.into(), device: device.into(), from: Timestamp::from_millis(at) }
}

/// As a node does it.
#[inline]
fn admits(keys: &Keyring, clock: &SystemClock, facts: &Revocations, text: &str) -> bool {
    let mut scratch = Scratch::new();
    let Ok(presented) = Presented::read(text, &mut scratch) else { return false };
    let facts = facts.ahead(&presented);
    bearer(presented.authenticate_while(keys, || facts.nearer()), &facts, clock)
}

/// Texts that were taken over, among so many of them; with none the text is not looked for.
fn imported(effort: Effort) -> Outcome<Table> {
    let text = |number: usize| format!("syt_{number:012}_abcdefghijklmnopqrst_0a1b2c");
    let sizes = IMPORTED.map(|(_, n)| if effort.in_earnest { n } else { n.min(10) });
    let sets = sizes.map(|size| {
        let (imports, before) = (Imports::default(), resident());
        for number in 0..size {
            imports.learn(&taken_over(number, &text(number)));
        }
        if let (Some(before), Some(after)) = (before, resident())
            && size >= 1_000_000
        {
            let each = after.saturating_sub(before) as f64 / size as f64;
            println!("{size} tokens taken over: {each:.0} bytes each");
        }
        imports
    });
    let asked = sizes.map(|size| {
        let some = 0..effort.sessions.min(size.max(1));
        some.map(|n| text(n.wrapping_mul(0x9e37_79b9) % size.max(1))).collect::<Vec<_>>()
    });
    let rows =
        IMPORTED.into_iter().zip(sets.iter().zip(&asked)).map(|((name, n), (set, texts))| {
            let find = move |text: &str| black_box(set.find(text)).is_some() == (n > 0);
            (n, Contestant::reading(name, texts, find))
        });
    measured(effort, rows.collect())
}

fn taken_over(number: usize, text: &str) -> Imported {
    Imported {
        digest: Digest::of(text),
        kind: Kind::Access,
        user: format!("@{number:07}:example.com").into(),
        device: Some("ABCDEFGHIJ".into()),
        session: SessionId::new(Timestamp::from_millis(LATER), [7; 10]),
        expires_at: None,
    }
}

/// Bytes of memory that the process has, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
}

/// Prints a table with its slope; gives it as JSON.
fn told(name: &str, unit: &str, sizes: &[usize], rows: &[Figures]) -> String {
    println!("\n{:<56}{:>12}{:>12}{:>8}{:>8}", name, "ns median", "ns least", "allocs", "chars");
    for row in rows {
        let characters = row.characters.map(|n| n.to_string()).unwrap_or_default();
        let (median, least) = (row.median, row.min);
        println!(
            "{:<56}{median:>12.1}{least:>12.1}{:>8}{characters:>8}",
            row.name, row.allocations
        );
    }
    let points = sizes.iter().zip(rows).map(|(size, row)| (*size as f64, row.min));
    let slope = slope(&points.collect::<Vec<_>>());
    println!("slope: {slope:.3} ns a {unit}");
    let row = |(size, row): (&usize, &Figures)| {
        let characters = row.characters.unwrap_or_default();
        let (median, least) = (row.median, row.min);
        format!(r#"[{size},{median:.1},{least:.1},{},{characters}]"#, row.allocations)
    };
    let rows: Vec<_> = sizes.iter().zip(rows).map(row).collect();
    let rows = rows.join(",");
    format!(r#"{{"table":"{name}","unit":"{unit}","slope":{slope:.4},"rows":[{rows}]}}"#)
}

/// Of the straight line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let along: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    along / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
