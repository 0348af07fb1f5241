//! How a token is taken apart for people: whole, cut short or broken.

use amaretti::token::{Anatomy, Ending, Kind, Part, Piece};

use crate::plans::Plan;
use crate::raw::{Raw, Spelling, bytes_of, text_of};

/// A token whose appended caveats have a length of one byte and of two.
fn token() -> String {
    let [short, long] = [119, 120].map(|length| format!("label = {}", "x".repeat(length)));
    Plan::plain(Kind::Login).carrying(&[&short, &long]).mint()
}

/// What each piece is and what it holds.
fn contents(anatomy: &Anatomy) -> Vec<(Part, Vec<u8>)> {
    anatomy.pieces.iter().map(|piece| (piece.part, anatomy.bytes_of(piece).to_vec())).collect()
}

#[test]
fn every_piece_of_a_whole_token_is_found_where_it_lies() {
    let raw = Raw::of(&token());
    let anatomy = Anatomy::of(&token());
    let mut expected = vec![(Part::Version, vec![2]), (Part::Identifier, raw.signed)];
    expected.extend(raw.caveats.into_iter().map(|caveat| (Part::Caveat, caveat)));
    expected.push((Part::Tag, raw.tag.clone()));

    assert_eq!((anatomy.prefix, anatomy.ending), (Some(Kind::Login), Ending::Whole));
    assert_eq!(contents(&anatomy), expected);
    assert_eq!(anatomy.first(Part::Tag), Some(&raw.tag[..]));
    assert_eq!(anatomy.first(Part::Location), None);
    assert_eq!(anatomy.bytes, bytes_of(&token()));
}

#[test]
fn other_spellings_are_taken_apart_too() {
    let raw = Raw::of(&token());
    for spare in 0..2 {
        let location = Some(7);
        let how = Spelling { padded: true, standard: true, location, spare, bare: true };
        let anatomy = Anatomy::of(&raw.spelled(how));

        assert_eq!((anatomy.prefix, anatomy.ending), (None, Ending::Whole), "{how:?}");
        assert_eq!(anatomy.first(Part::Location), Some(&b"xxxxxxx"[..]));
        assert_eq!(anatomy.first(Part::Tag), Some(&raw.tag[..]));
    }
}

#[test]
fn every_beginning_of_a_token_is_truncated_within_what_was_being_read() {
    let bytes = bytes_of(&token());
    let whole = Anatomy::of(&token());
    for cut in 0..bytes.len() {
        let anatomy = Anatomy::of(&text_of("mml_", &bytes[..cut]));
        let inside = |piece: &&Piece| piece.start <= cut && cut < piece.end;
        let missing = whole.pieces.iter().skip(1).find(inside).map(|piece| piece.end - cut);
        let Ending::Truncated { at, missing: said, .. } = anatomy.ending else {
            panic!("cut at {cut}: {:?}", anatomy.ending);
        };

        assert_eq!((at, said), (cut, missing), "cut at {cut}");
        for (part, held) in contents(&anatomy) {
            let known =
                contents(&whole).into_iter().any(|(p, all)| p == part && all.starts_with(&held));
            assert!(known, "cut at {cut}: a {part:?} that the token does not have");
        }
    }
}

#[test]
fn a_text_cut_at_any_character_is_truncated() {
    let text = token();
    for cut in 4..text.len() {
        let ending = Anatomy::of(&text[..cut]).ending;

        assert!(matches!(ending, Ending::Truncated { .. }), "cut at {cut}: {ending:?}");
    }
}

#[test]
fn a_cut_is_named_after_the_part_it_falls_in() {
    let bytes = bytes_of(&Plan::plain(Kind::Access).mint());
    let within = |cut: usize| match Anatomy::of(&text_of("", &bytes[..cut])).ending {
        Ending::Truncated { within, .. } => within,
        _ => "nothing",
    };

    assert_eq!(within(0), "the version");
    assert_eq!(within(1), "the header");
    assert_eq!(within(2), "the identifier");
    assert_eq!(within(47), "the identifier");
    assert_eq!(within(48), "the header");
    assert_eq!(within(49), "the list of caveats");
    assert_eq!(within(50), "a caveat");
    assert_eq!(within(79), "a caveat");
    assert_eq!(within(80), "the list of caveats");
    assert_eq!(within(bytes.len() - 34), "the tag");
    assert_eq!(within(bytes.len() - 1), "the tag");
}

#[test]
fn what_is_no_macaroon_is_broken_where_it_ceases_to_be_one() {
    let good = bytes_of(&Plan::plain(Kind::Access).mint());
    let ending = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Anatomy::of(&text_of("mma_", &bytes)).ending
    };
    let broken = |at, why| Ending::Broken { at, why };
    let end = good.len();

    assert_eq!(Anatomy::of("mma_ä").ending, broken(0, "not base64"));
    assert_eq!(ending(&|b| b[0] = 1), broken(0, "no version byte 2 at the start"));
    assert_eq!(ending(&|b| b[1] = 3), broken(1, "no identifier where one must be"));
    assert_eq!(ending(&|b| b[48] = 9), broken(48, "the header does not end behind its identifier"));
    assert_eq!(ending(&|b| b[49] = 9), broken(49, "no caveat where one must be"));
    assert_eq!(ending(&|b| b[79] = 9), broken(79, "a caveat that does not end"));
    assert_eq!(ending(&|b| b[end - 34] = 9), broken(end - 34, "no tag where it must be"));
    assert_eq!(ending(&|b| b.push(0)), broken(end, "bytes behind the tag"));
    let endless = |b: &mut Vec<u8>| b.splice(50..51, [0xff, 0xff, 0xff]).for_each(drop);
    assert_eq!(ending(&endless), broken(52, "a length beyond all bounds"));
}

#[test]
fn caveats_of_third_parties_are_shown() {
    let good = bytes_of(&Plan::plain(Kind::Access).mint());
    let (head, tag) = good.split_at(good.len() - 35);
    let with = |field: &[u8]| Anatomy::of(&text_of("mma_", &[head, field, tag].concat()));
    let whole = with(&[1, 1, b'a', 2, 1, b'b', 4, 1, b'c', 0]);

    assert_eq!(whole.ending, Ending::Whole);
    assert_eq!(whole.first(Part::CaveatLocation), Some(&b"a"[..]));
    assert_eq!(whole.first(Part::VerificationId), Some(&b"c"[..]));
    let lost = with(&[1, 1, b'a', 4, 1, b'c', 0]).ending;
    let why = "no caveat where one must be";
    assert_eq!(lost, Ending::Broken { at: head.len() + 3, why });
    let open = with(&[2, 1, b'b', 4, 1, b'c', 4]).ending;
    let why = "a caveat that does not end";
    assert_eq!(open, Ending::Broken { at: head.len() + 6, why });
}
