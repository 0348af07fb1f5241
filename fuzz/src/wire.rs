//! What holds for every text that is taken for a token: one spelling, and one reading of it.

use amaretti::token::{Anatomy, Ending, Kind, Part, Presented, Refusal, Scratch, normalize};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Takes the bytes for a text, and then for the macaroon inside a token of each kind.
pub(crate) fn run(data: &[u8]) {
    let mut scratch = Scratch::new();
    judge(&String::from_utf8_lossy(data), &mut scratch);
    for kind in Kind::ALL {
        judge(&format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(data)), &mut scratch);
    }
}

fn judge(text: &str, used: &mut Scratch) {
    let anatomy = Anatomy::of(text);
    lies_in_its_bytes(&anatomy);
    let mended = normalize(text).ok().map(|token| token.reveal().to_owned());
    let seen = Presented::read(text, used).map(|presented| *presented.claimed());
    let mut scratch = Scratch::new();
    match Presented::read(text, &mut scratch) {
        Ok(presented) => {
            assert_eq!(seen, Ok(*presented.claimed()), "the room it is read in makes a difference");
            assert_eq!(mended.as_deref(), Some(text), "a second spelling is read");
            agree(&presented, &anatomy);
        }
        Err(refusal) => {
            assert_eq!(seen, Err(refusal), "the room it is read in makes a difference");
            let cut = matches!(anatomy.ending, Ending::Truncated { .. });
            assert!(refusal != Refusal::Truncated || cut, "truncated for some, whole for others");
            assert!(!refusal.to_string().is_empty());
        }
    }
    if let Some(mended) = mended {
        let again = normalize(&mended).ok().map(|token| token.reveal().to_owned());
        assert_eq!(again.as_deref(), Some(&*mended), "what was mended can be mended again");
        assert!(Presented::read(&mended, used).is_ok(), "what was mended is not read");
        assert!(URL_SAFE_NO_PAD.decode(mended.get(4..).unwrap_or_default()).is_ok());
    }
}

/// Every piece is where the bytes are, and behind the piece before it.
fn lies_in_its_bytes(anatomy: &Anatomy) {
    let mut behind = 0;
    for piece in &anatomy.pieces {
        assert!(behind <= piece.start && piece.start <= piece.end);
        assert!(piece.end <= anatomy.bytes.len());
        assert_eq!(anatomy.bytes_of(piece).len(), piece.end - piece.start);
        behind = piece.end;
    }
}

/// What verifies a token and what draws it see the same token.
fn agree(presented: &Presented<'_>, anatomy: &Anatomy) {
    let claimed = presented.claimed();
    assert_eq!((anatomy.ending, anatomy.prefix), (Ending::Whole, Some(claimed.kind)));
    assert_eq!(anatomy.first(Part::Identifier), Some(&claimed.encode()[..]));
    let user = format!("user_id = {}", presented.user_id());
    assert_eq!(anatomy.first(Part::Caveat), Some(user.as_bytes()));
    let parts: Vec<_> = anatomy.pieces.iter().map(|piece| piece.part).collect();
    let caveats = parts.iter().filter(|part| **part == Part::Caveat).count();
    assert!(caveats <= 32 && caveats + 3 == parts.len(), "{parts:?}");
}
