//! What a transcript finds: a key that is worth nothing, and tokens it has signed, the same in every
//! run. They are in variables of the shell; the key is in the folder `given`.

use std::path::Path;

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyfile::{self, StoreId};
use amaretti::time::Timestamp;
use amaretti::token::{Grant, Key, Kind, SessionId};
use base64::engine::{Engine, general_purpose::URL_SAFE, general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key for these tests, published by standing here: of no use anywhere else.
const KEY: [u8; 32] = *b"\x9e\x03amaretti: a key for no one\x00\x81\xfe\x17";
/// Another, which signs what nobody here admits.
const OTHER_KEY: [u8; 32] = *b"\x4c\x11amaretti: a key nobody has\x02\x93\xe4\x61";

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Puts the key into the folder and gives the variables.
pub(crate) fn given(folder: &Path) -> Vec<(String, String)> {
    let key = Key::from_bytes(&KEY).unwrap();
    keyfile::write(&folder.join("given"), &key, StoreId::from_bytes([0xa5; 16]), NOW).unwrap();
    let access = mint(&KEY, Kind::Access, None);
    let refresh = mint(&KEY, Kind::Refresh, None);
    let all = [
        ("INNER", mint(&KEY, Kind::Inner, None)),
        ("LOGIN", mint(&KEY, Kind::Login, Some(Timestamp::MAX))),
        ("EXPIRED", mint(&KEY, Kind::Access, Some(NOW))),
        ("STRANGER", mint(&OTHER_KEY, Kind::Access, None)),
        ("UNKNOWN", append(&access, "tenant = north")),
        ("MISSPELT", append(&access, "action in reed")),
        ("OTHER_USER", append(&access, "user_id = @mallory:example.com")),
        ("SEALED", append(&refresh, "action in read")),
        ("ESCAPES", append(&access, "label = \u{1b}[2J")),
        // Bytes 4 and 5 are its kind and its flags, behind a version and a header of two bytes.
        ("FORMAT", with_byte(&access, 3, 9)),
        ("RESERVED", with_byte(&access, 5, 0x81)),
        ("PADDED", spelled_by_others(&access)),
        ("LOOSE", with_loose_bits(&access)),
        ("REFRESH", refresh),
        ("ACCESS", access),
    ];
    all.map(|(name, token)| (name.to_owned(), token)).into()
}

fn mint(key: &[u8; 32], kind: Kind, expires_at: Option<Timestamp>) -> String {
    let grant = Grant {
        kind,
        user: UserId::parse("@alice:example.com").unwrap(),
        device: Some(DeviceId::parse("ABCDEFGHIJ").unwrap()),
        guest: false,
        session: SessionId::new(NOW.minus(60_000), *b"ten random"),
        generation: 0,
        issued_at: NOW,
        expires_at,
        carried: &[],
    };
    let subkey = Key::from_bytes(key).unwrap().subkey(kind);
    grant.mint(&subkey).unwrap().reveal().to_owned()
}

/// Narrows a token as anybody can, by a caveat that we would not append.
fn append(token: &str, caveat: &str) -> String {
    let macaroon = bytes(token);
    // What is left out: the end of the caveats, the header of the tag, the tag.
    let (head, tag) = (&macaroon[..macaroon.len() - 35], &macaroon[macaroon.len() - 32..]);
    let mut chain = Hmac::<Sha256>::new_from_slice(tag).unwrap();
    chain.update(caveat.as_bytes());
    let length = u8::try_from(caveat.len()).unwrap();
    let tag = chain.finalize().into_bytes();
    let narrowed = [head, &[2, length], caveat.as_bytes(), &[0, 0, 6, 32], &tag[..]].concat();
    text(token, &narrowed)
}

fn with_byte(token: &str, at: usize, byte: u8) -> String {
    let mut macaroon = bytes(token);
    macaroon[at] = byte;
    text(token, &macaroon)
}

/// With an empty location and with padding: what pymacaroons and `macaroon` make of it.
fn spelled_by_others(token: &str) -> String {
    let macaroon = bytes(token);
    let located = [&macaroon[..1], &[1, 0], &macaroon[1..]].concat();
    format!("{}{}", &token[..4], URL_SAFE.encode(located))
}

/// The last character of 140 bytes ends in two bits of no byte; its successor has one of them set.
fn with_loose_bits(token: &str) -> String {
    let (rest, last) = token.split_at(token.len() - 1);
    format!("{rest}{}", char::from(last.as_bytes()[0] + 1))
}

fn bytes(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&token[4..]).unwrap()
}

fn text(token: &str, macaroon: &[u8]) -> String {
    format!("{}{}", &token[..4], URL_SAFE_NO_PAD.encode(macaroon))
}
