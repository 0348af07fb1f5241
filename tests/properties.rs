//! What holds for every token: what is minted is what is read, and nothing but the issuer's word
//! makes a token good.

#![expect(clippy::unwrap_used, reason = "what is made here is good or the test is wrong")]

#[path = "properties/anatomy.rs"]
mod anatomy;
#[path = "properties/holders.rs"]
mod holders;
#[path = "properties/plans.rs"]
mod plans;
#[path = "properties/raw.rs"]
mod raw;
#[path = "properties/state.rs"]
mod state;
#[path = "properties/verdict.rs"]
mod verdict;

use amaretti::ident::{DeviceId, Localpart, ServerName, UserId};
use amaretti::token::{
    Anatomy, Caveat, Kind, Malformed, Presented, Purpose, Refusal, Route, Scratch, attenuate,
    normalize,
};
use plans::{PURPOSES, Plan, Seen, judge, open, plans, purpose_of, ring};
use proptest::prelude::*;
use raw::{Raw, bytes_of, text_of};

/// A failing case is printed whole, so nothing is kept on disk.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What the issuer must have meant, going by what a verifier sees.
fn said(seen: &Seen) -> Plan {
    let id = seen.identifier;
    assert_eq!(id.has_device, seen.device.is_some());
    Plan {
        kind: id.kind,
        user: seen.user.clone(),
        device: seen.device.clone(),
        guest: id.guest,
        session: id.session.to_bytes(),
        generation: id.generation,
        issued_at: id.issued_at.millis(),
        expires_at: id.expires_at.map(|at| at.millis()),
        carried: seen.appended.clone(),
    }
}

/// One token of each kind, bare and with appended caveats.
fn samples() -> Vec<Plan> {
    let bare = Kind::ALL.map(Plan::plain);
    let narrowed = bare.clone().map(|plan| {
        plan.carrying(&["time < 99999999", "ip in 192.0.2.0/24,2001:db8::/32,198.51.100.17"])
    });
    let unbound = bare.clone().map(|plan| Plan { device: None, expires_at: None, ..plan });
    [bare, narrowed, unbound].concat()
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn what_was_granted_is_what_the_bearer_says(plan in plans()) {
        let seen = judge(&plan.mint(), &ring(), &open(purpose_of(plan.kind)));

        if plan.expires_at.is_some_and(|end| end <= 1) {
            prop_assert_eq!(seen, Err(Refusal::Expired));
        } else {
            prop_assert_eq!(seen.map(|seen| said(&seen)), Ok(plan));
        }
    }

    #[test]
    fn a_grant_has_one_text(plan in plans()) {
        let text = plan.mint();

        prop_assert_eq!(&plan.mint(), &text);
        prop_assert_eq!(&Raw::of(&text).text(), &text);
    }

    #[test]
    fn the_route_of_a_token_stands_at_characters_12_to_19(plan in plans()) {
        let text = plan.mint();
        let user = UserId::parse(&plan.user).unwrap();

        let route = Route::of(user);
        prop_assert_eq!(&text_of("", &route.0), &text[12..20]);
    }

    #[test]
    fn a_wrong_purpose_is_always_refused(plan in plans()) {
        let text = plan.mint();
        for purpose in PURPOSES.into_iter().filter(|purpose| !purpose.admits(plan.kind)) {
            let seen = judge(&text, &ring(), &open(purpose));

            prop_assert_eq!(seen, Err(Refusal::WrongKind(plan.kind)));
        }
    }

    #[test]
    fn one_bit_anywhere_makes_any_token_bad(plan in plans(), at: prop::sample::Index) {
        let text = plan.mint();
        let mut bytes = bytes_of(&text);
        let bit = at.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);

        let seen = judge(&text_of(plan.kind.prefix(), &bytes), &ring(), &open(purpose_of(plan.kind)));
        prop_assert!(seen.is_err(), "bit {bit} of {text} makes no difference");
    }

    #[test]
    fn every_part_of_a_text_that_begins_it_is_truncated(plan in plans(), at: prop::sample::Index) {
        let text = plan.mint();
        let cut = 4 + at.index(text.len() - 4);

        let seen = judge(&text[..cut], &ring(), &open(purpose_of(plan.kind)));
        prop_assert_eq!(seen, Err(Refusal::Truncated));
    }

    #[test]
    fn no_text_makes_anything_panic(text in near_tokens(), caveat in ".{0,40}") {
        let mut scratch = Scratch::new();
        let _ = Presented::read(&text, &mut scratch).map(|presented| *presented.claimed());
        let anatomy = Anatomy::of(&text);
        anatomy.pieces.iter().for_each(|piece| drop(anatomy.bytes_of(piece).to_vec()));
        let _ = (normalize(&text).is_ok(), attenuate(&text, &[&caveat, &text]).is_ok());
        let _ = (Caveat::read(&text), Caveat::read(&caveat));
        let _ = (UserId::parse(&text), DeviceId::parse(&text));

        if let Ok(server) = ServerName::parse(&text) {
            prop_assert!(Localpart::parse(&caveat, &server).is_err() || !caveat.is_empty());
        }
    }
}

/// Texts of every sort, most of them close to a token.
fn near_tokens() -> impl Strategy<Value = String> {
    let bytes = prop::collection::vec(any::<u8>(), 0..120);
    let prefix = prop::sample::select(vec!["mma_", "mmr_", "mml_", "mmi_", "", "syt_"]);
    let framing =
        prop::collection::vec(prop::sample::select(vec![0, 1, 2, 4, 6, 32, 45, 0x80]), 0..60);
    let mended = (plans(), any::<prop::sample::Index>(), ".{0,3}").prop_map(|(plan, at, patch)| {
        let text = plan.mint();
        let at = at.index(text.len());
        format!("{}{patch}{}", &text[..at], text.get(at + 1..).unwrap_or_default())
    });
    prop_oneof![
        ".{0,200}",
        "mm[aril]_[A-Za-z0-9_-]{0,300}",
        (prefix, prop_oneof![bytes, framing]).prop_map(|(prefix, bytes)| text_of(prefix, &bytes)),
        mended,
    ]
}

#[test]
fn every_bit_of_a_token_counts() {
    for plan in samples() {
        let (on, bytes) = (open(purpose_of(plan.kind)), bytes_of(&plan.mint()));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let seen = judge(&text_of(plan.kind.prefix(), &changed), &ring(), &on);

            assert!(seen.is_err(), "bit {bit} of the {} token makes no difference", plan.kind);
        }
    }
}

#[test]
fn every_beginning_of_a_token_is_truncated_and_of_its_prefix_foreign() {
    for plan in samples() {
        let (on, text) = (open(purpose_of(plan.kind)), plan.mint());
        assert!(judge(&text, &ring(), &on).is_ok(), "{text}");

        for cut in 0..text.len() {
            let seen = judge(&text[..cut], &ring(), &on).err();
            let expected = if cut < 4 { Refusal::Foreign } else { Refusal::Truncated };
            assert_eq!(seen, Some(expected), "cut at {cut} of {}: {text}", text.len());
        }
    }
}

#[test]
fn every_character_of_a_token_counts() {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ .\u{0}ü";
    for plan in Kind::ALL.map(Plan::plain) {
        let (keys, on, text) = (ring(), open(purpose_of(plan.kind)), plan.mint());
        for at in 0..=text.len() {
            let (head, tail) = text.split_at(at);
            let behind = tail.get(1..).unwrap_or_default();
            let new = letters.chars().step_by(1 + at % 5);
            let edits =
                new.flat_map(|c| [format!("{head}{c}{tail}"), format!("{head}{c}{behind}")]);
            for edited in edits.chain([format!("{head}{behind}")]).filter(|edit| *edit != text) {
                let seen = judge(&edited, &keys, &on);

                assert!(seen.is_err(), "{edited}\npasses for\n{text}");
            }
        }
    }
}

#[test]
fn a_token_of_2048_characters_is_good_and_no_longer_one_is_read() {
    let of = |length| format!("label = {}", "x".repeat(length));
    let text = Plan::plain(Kind::Access).carrying(&[&of(1381)]).mint();
    assert_eq!(text.len(), 2048);
    assert!(judge(&text, &ring(), &open(Purpose::Request)).is_ok());

    let mut longer = Raw::of(&Plan::plain(Kind::Access).mint());
    longer.append(of(1382).as_bytes());
    assert_eq!(judge(&longer.text(), &ring(), &open(Purpose::Request)), Err(Refusal::TooLong));
}

#[test]
fn a_token_of_32_caveats_is_good_and_one_of_33_is_not() {
    let mut token = Raw::of(&Plan::plain(Kind::Access).mint());
    (0..30).for_each(|n| token.append(format!("label = {n}").as_bytes()));
    assert!(judge(&token.text(), &ring(), &open(Purpose::Request)).is_ok());

    token.append(b"label = x");
    let seen = judge(&token.text(), &ring(), &open(Purpose::Request));
    assert_eq!(seen, Err(Refusal::Malformed(Malformed::TooManyCaveats)));
}
