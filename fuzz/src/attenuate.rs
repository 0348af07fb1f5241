//! What holds for a token that somebody narrows: the same bearer, the same session, and never more.

use std::sync::LazyLock;

use amaretti::ident::{DeviceId, UserId};
use amaretti::time::Timestamp;
use amaretti::token::{
    Action, Anatomy, AttenuateError, Caveat, Grant, Key, Kind, MintError, NoFacts, Occasion, Part,
    Presented, Purpose, Refusal, Scratch, SessionId, Subkey, attenuate, normalize,
};

/// When the tokens are minted and judged.
const NOW: u64 = 1_790_000_000_000;

/// A subkey of each kind and a token that it signed.
static TOKENS: LazyLock<Vec<(Subkey, String)>> = LazyLock::new(|| {
    let key = Key::from_bytes(&core::array::from_fn(|at| 0xa5 ^ at as u8)).unwrap();
    Kind::ALL.into_iter().map(|kind| token(key.subkey(kind))).collect()
});

fn token(subkey: Subkey) -> (Subkey, String) {
    let grant = Grant {
        kind: subkey.kind(),
        user: UserId::parse("@alice:example.com").unwrap(),
        device: Some(DeviceId::parse("ABCDEFGHIJ").unwrap()),
        guest: false,
        session: SessionId::from_bytes([7; 16]),
        generation: 3,
        issued_at: Timestamp::from_millis(NOW),
        expires_at: Some(Timestamp::from_millis(NOW + 900_000)),
        carried: &[],
    };
    let text = grant.mint(&subkey).unwrap().reveal().to_owned();
    (subkey, text)
}

/// Takes each line for a caveat and appends them all to a token of each kind.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<_> = text.split('\n').collect();
    for (subkey, token) in TOKENS.iter() {
        match attenuate(token, &lines) {
            Ok(narrowed) => {
                assert!(lines.iter().all(|line| may_append(subkey.kind(), line)));
                spelled(token, &lines, narrowed.reveal());
                judge(subkey, token, narrowed.reveal());
            }
            Err(error) => refused(subkey.kind(), &lines, error),
        }
    }
}

/// The caveats stand behind those that were there, and nothing else has changed.
fn spelled(token: &str, lines: &[&str], narrowed: &str) {
    let appended = lines.iter().map(|line| (*line).to_owned());
    let expected: Vec<_> = caveats(token).into_iter().chain(appended).collect();
    assert_eq!(caveats(narrowed), expected);
    let identifier = |text| Anatomy::of(text).first(Part::Identifier).map(<[u8]>::to_vec);
    assert_eq!(identifier(narrowed), identifier(token));
    let same = normalize(narrowed).ok().map(|mended| mended.reveal().to_owned());
    assert_eq!(same.as_deref(), Some(narrowed), "another spelling than the one that is read");
    let step =
        |text: String, line: &&str| Some(attenuate(&text, &[line]).ok()?.reveal().to_owned());
    let stepwise = lines.iter().try_fold(token.to_owned(), step);
    assert_eq!(stepwise.as_deref(), Some(narrowed), "one by one it is another token");
}

/// It holds, it is the same bearer's, and it clears nowhere the wider one does not.
fn judge(subkey: &Subkey, token: &str, narrowed: &str) {
    let occasion = Occasion {
        action: Some(Action::Read),
        room_id: Some("!a:example.com"),
        address: Some([192, 0, 2, 7].into()),
        audience: Some("media"),
        ..Occasion::new(Purpose::of(subkey.kind()), Timestamp::from_millis(NOW))
    };
    let (mut old, mut new) = (Scratch::new(), Scratch::new());
    let wide = Presented::read(token, &mut old).unwrap().authenticate(subkey).unwrap();
    let wide = wide.clear(&NoFacts, &occasion).unwrap();
    let narrow = Presented::read(narrowed, &mut new).unwrap().authenticate(subkey).unwrap();
    assert_eq!((narrow.user_id(), narrow.session()), (wide.user_id(), wide.session()));
    match narrow.clear(&NoFacts, &occasion) {
        Ok(narrow) => {
            assert_eq!(narrow.identifier(), wide.identifier());
            assert_eq!(narrow.device_id(), wide.device_id());
            assert!(narrow.ends_at() <= wide.ends_at() && narrow.ends_at().is_some());
        }
        Err(why) => assert!(matches!(why, Refusal::Unmet(_)), "what was appended: {why}"),
    }
}

/// Nothing is refused that is short enough and may be appended.
fn refused(kind: Kind, lines: &[&str], error: AttenuateError) {
    let full =
        matches!(error, AttenuateError::Mint(MintError::TooLong | MintError::TooManyCaveats));
    assert!(full || !lines.iter().all(|line| may_append(kind, line)), "{error}");
    let length: usize = lines.iter().map(|line| line.len()).sum();
    assert!(!full || lines.len() > 30 || length > 1000, "{error}");
}

/// Whether a holder may append this to a token of a kind.
fn may_append(kind: Kind, line: &str) -> bool {
    match Caveat::read(line) {
        Ok(Caveat::UserId(_) | Caveat::DeviceId(_)) | Err(_) => false,
        Ok(Caveat::Time(_) | Caveat::Ip(_)) => true,
        Ok(_) => kind != Kind::Refresh && !line.contains(char::is_control),
    }
}

fn caveats(text: &str) -> Vec<String> {
    let anatomy = Anatomy::of(text);
    let pieces = anatomy.pieces.iter().filter(|piece| piece.part == Part::Caveat);
    pieces.map(|piece| String::from_utf8_lossy(anatomy.bytes_of(piece)).into_owned()).collect()
}
