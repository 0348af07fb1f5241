//! What holders can do to a token: narrow it, in our words or any library's, and nothing else.

use amaretti::ident::MAX_ID_BYTES;
use amaretti::token::{
    AttenuateError, CaveatError, Kind, Malformed, MintError, NormalizeError, Refusal, attenuate,
    normalize,
};
use proptest::prelude::*;

use crate::config;
use crate::plans::{Plan, appendable, circumstances, judge, open, plans, purpose_of, ring, terms};
use crate::raw::{Raw, Spelling};

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn no_appended_caveat_ever_grants(
        plan in plans(),
        before in prop::collection::vec(terms(), 0..3),
        caveat in appendable(),
        circumstances in circumstances(),
    ) {
        let occasion = circumstances.occasion();
        let mut token = Raw::of(&plan.mint());
        before.iter().for_each(|text| token.append(text.as_bytes()));
        let first = judge(&token.text(), &ring(), &occasion);
        token.append(&caveat);
        let second = judge(&token.text(), &ring(), &occasion);

        if let Ok(second) = second {
            let first = first.map_err(|why| TestCaseError::fail(format!("it was {why:?} before")))?;
            prop_assert_eq!(&second.appended[..first.appended.len()], &first.appended[..]);
            prop_assert_eq!(
                (second.identifier, second.user, second.device, second.account),
                (first.identifier, first.user, first.device, first.account)
            );
        }
    }

    #[test]
    fn the_order_of_appended_caveats_does_not_matter(
        plan in plans(),
        (one, other) in prop::collection::vec(appendable(), 0..5)
            .prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
        circumstances in circumstances(),
    ) {
        let with = |caveats: &[Vec<u8>]| {
            let mut token = Raw::of(&plan.mint());
            caveats.iter().for_each(|caveat| token.append(caveat));
            judge(&token.text(), &ring(), &circumstances.occasion()).is_ok()
        };

        prop_assert_eq!(with(&one), with(&other));
    }

    #[test]
    fn attenuating_is_extending_the_chain(
        plan in plans(),
        caveats in prop::collection::vec(terms(), 0..4),
    ) {
        let text = plan.mint();
        let caveats: Vec<_> = caveats.iter().map(String::as_str).collect();
        let issuers = caveats.iter().any(|c| c.starts_with("user_id") || c.starts_with("device_id"));
        let sealed = plan.kind == Kind::Refresh
            && caveats.iter().any(|c| !c.starts_with("time") && !c.starts_with("ip"));
        let mut token = Raw::of(&text);
        caveats.iter().for_each(|caveat| token.append(caveat.as_bytes()));

        match attenuate(&text, &caveats) {
            Ok(narrowed) => {
                prop_assert!(!issuers && !sealed, "{caveats:?} on a {} token", plan.kind);
                prop_assert_eq!(narrowed.reveal(), token.text());
            }
            Err(why) => prop_assert!(issuers || sealed, "{caveats:?} refused: {why}"),
        }
    }

    #[test]
    fn any_spelling_is_mended_to_the_one_that_is_read(
        plan in plans(),
        padded: bool,
        standard: bool,
        location in prop::option::of(0..300_usize),
        spare in 0..2_usize,
        bare: bool,
    ) {
        let text = plan.mint();
        let spelling = Spelling { padded, standard, location, spare, bare };
        let spelled = Raw::of(&text).spelled(spelling);
        let mended = normalize(&spelled).map(|token| token.reveal().to_owned());
        let again = mended.clone().and_then(|text| normalize(&text));

        prop_assert_eq!(mended, Ok(text.clone()));
        prop_assert_eq!(again.map(|token| token.reveal().to_owned()), Ok(text.clone()));
        if spelled != text {
            let seen = judge(&spelled, &ring(), &open(purpose_of(plan.kind)));
            prop_assert!(seen.is_err(), "{spelled} passes for {text}");
        }
    }
}

fn access(carried: &[&str]) -> String {
    Plan::plain(Kind::Access).carrying(carried).mint()
}

#[test]
fn a_caveat_nobody_would_understand_is_not_appended() {
    let text = access(&[]);
    let why = |caveat: &str| attenuate(&text, &[caveat]).err();

    assert_eq!(why("tenant = x"), Some(AttenuateError::Caveat(CaveatError::Key)));
    assert_eq!(why(""), Some(AttenuateError::Caveat(CaveatError::Form)));
    assert_eq!(why("label = a\tb"), Some(AttenuateError::Mint(MintError::Unprintable)));
    assert_eq!(why("user_id = @alice:example.com"), Some(AttenuateError::Issuers("user_id")));
    assert_eq!(why("device_id = ABCDEFGHIJ"), Some(AttenuateError::Issuers("device_id")));
}

#[test]
fn what_does_not_fit_is_not_appended() {
    let text = access(&[]);
    let long = |length| format!("label = {}", "x".repeat(length));
    let many: Vec<_> = (0..31).map(|n| format!("label = {n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let why = |caveats: &[&str]| attenuate(&text, caveats).err();

    assert_eq!(why(&[&long(1382)]), Some(AttenuateError::Mint(MintError::TooLong)));
    assert_eq!(why(&[&long(1381)]), None);
    assert_eq!(why(&[&long(20_000)]), Some(AttenuateError::Mint(MintError::TooLong)));
    assert_eq!(why(&many), Some(AttenuateError::Mint(MintError::TooManyCaveats)));
    assert_eq!(why(&many[1..]), None);
}

#[test]
fn a_refresh_token_takes_time_and_ip_alone() {
    let text = Plan::plain(Kind::Refresh).mint();
    let why = |caveat: &str| attenuate(&text, &[caveat]).err();

    assert_eq!(why("time < 5"), None);
    assert_eq!(why("ip in 192.0.2.7"), None);
    for caveat in ["action in read", "room_id in !a:hs", "audience = media", "label = x"] {
        assert_eq!(why(caveat), Some(AttenuateError::Mint(MintError::Sealed)), "{caveat}");
    }
}

#[test]
fn what_is_no_token_is_neither_narrowed_nor_mended() {
    let text = access(&[]);
    let bytes = crate::raw::bytes_of(&text);
    let mut tag_of_31 = Raw::of(&text);
    tag_of_31.tag.pop();
    let normal = |text: &str| normalize(text).err();

    assert_eq!(attenuate("", &[]).err(), Some(AttenuateError::Token(Refusal::Foreign)));
    assert_eq!(attenuate(&text[..99], &[]).err(), Some(AttenuateError::Token(Refusal::Truncated)));
    assert_eq!(normal("no token"), Some(NormalizeError::NotAMacaroon("not base64")));
    assert_eq!(normal(&text[..text.len() - 1]), Some(NormalizeError::Truncated));
    assert_eq!(
        normal(&crate::raw::text_of("mma_", &[&bytes[..], &[0]].concat())),
        Some(NormalizeError::NotAMacaroon("bytes behind the tag"))
    );
    assert_eq!(
        normal(&tag_of_31.text()),
        Some(NormalizeError::NotAMacaroon("the signature is not 32 bytes long"))
    );
}

#[test]
fn a_macaroon_that_is_not_ours_is_not_made_ours() {
    let ours = Raw::of(&access(&[]));
    let why = |change: &dyn Fn(&mut Raw)| {
        let mut token = ours.clone();
        change(&mut token);
        normalize(&token.text()).err()
    };
    let not_ours = |refusal: Refusal| Some(NormalizeError::NotOurs(refusal));
    let malformed = |what| not_ours(Refusal::Malformed(what));

    assert_eq!(why(&|t| t.signed.truncate(44)), malformed(Malformed::Identifier));
    assert_eq!(why(&|t| t.signed.push(0)), malformed(Malformed::Identifier));
    assert_eq!(why(&|t| t.signed[0] = 2), not_ours(Refusal::UnknownFormat));
    assert_eq!(why(&|t| t.prefix = "mmr_".into()), not_ours(Refusal::WrongPrefix));
    assert_eq!(why(&|t| t.caveats.clear()), malformed(Malformed::Identity));
    assert_eq!(why(&|t| t.append(b"label = a\nb")), malformed(Malformed::Unprintable));
    assert_eq!(why(&|t| t.append(b"")), malformed(Malformed::Unprintable));
    assert_eq!(
        why(&|t| (0..31).for_each(|_| t.append(b"label = x"))),
        malformed(Malformed::TooManyCaveats)
    );
    for length in [1500, 20_000] {
        assert_eq!(why(&|t| t.append(&vec![b'x'; length])), not_ours(Refusal::TooLong));
    }
}

#[test]
fn a_caveat_of_a_third_party_is_neither_kept_nor_dropped() {
    let bytes = crate::raw::bytes_of(&access(&[]));
    let (head, tag) = bytes.split_at(bytes.len() - 35);
    let with = |field: &[u8]| crate::raw::text_of("mma_", &[head, field, tag].concat());

    let verified = with(&[2, 1, b'x', 4, 1, b'y', 0]);
    let placed = with(&[1, 1, b'x', 2, 1, b'y', 0]);
    assert_eq!(normalize(&verified).err(), Some(NormalizeError::ThirdParty));
    assert_eq!(normalize(&placed).err(), Some(NormalizeError::ThirdParty));
}

#[test]
fn white_space_around_a_token_is_no_part_of_it() {
    let text = access(&["label = note"]);

    let mended = normalize(&format!("  {text}\n")).map(|token| token.reveal().to_owned());
    assert_eq!(mended, Ok(text));
}

#[test]
fn ids_of_the_greatest_length_fit_every_kind() {
    for kind in Kind::ALL {
        let user = format!("@{}:hs", "u".repeat(MAX_ID_BYTES - 4));
        let device = Some("d".repeat(MAX_ID_BYTES));
        let plan = Plan { user: user.clone(), device: device.clone(), ..Plan::plain(kind) };
        let seen = judge(&plan.mint(), &ring(), &open(purpose_of(kind)));

        assert_eq!(seen.map(|seen| (seen.user, seen.device)), Ok((user, device)));
    }
}
