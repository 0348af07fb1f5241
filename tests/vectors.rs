//! Holds the crate to the vectors in `tests/vectors`: what each token is admitted or refused for.
//!
//! The vectors are written by another implementation, `tests/vectors/generate.py`, which shares no
//! code with the crate. How a file reads stands in `tests/vectors/README.md`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use amaretti::ident::{DeviceId, UserId};
use amaretti::keyring::Keyring;
use amaretti::time::Timestamp;
use amaretti::token::{
    Action, Bearer, CaveatAt, Grant, KEY_BYTES, Key, KeyId, Keys, Kind, NoFacts, Occasion,
    Presented, Purpose, Refusal, Scratch, SessionId, Subkey, VOCABULARY,
};

/// What a vector gives: the header names a reader must know.
const GIVEN: &[&str] =
    &["comment", "purpose", "key", "subkey", "now", "action", "room_id", "address", "audience"];

/// What a vector expects, in the order in which it stands in a file.
const EXPECTED: &[&str] = &[
    "expect",
    "kind",
    "user_id",
    "device_id",
    "session",
    "guest",
    "generation",
    "issued_at",
    "expires_at",
    "caveat",
];

/// Why a vector cannot be judged, in words.
type Trouble = String;

#[test]
fn every_vector_is_admitted_or_refused_as_it_says() {
    let vectors = all();
    assert!(!vectors.is_empty(), "no vector found");

    let wrong: Vec<_> = vectors.iter().filter_map(|(name, text)| difference(name, text)).collect();

    assert!(wrong.is_empty(), "{} vectors differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_golden_token_is_minted_again_letter_by_letter() {
    let golden: Vec<_> =
        all().into_iter().filter(|(name, _)| name.starts_with("golden-")).collect();
    assert!(!golden.is_empty(), "no golden vector found");

    let minted = |(name, text): (String, String)| {
        let trouble = Vector::read(&text).and_then(|vector| vector.mint_again()).err()?;
        Some(format!("{name}: {trouble}"))
    };
    let wrong: Vec<_> = golden.into_iter().filter_map(minted).collect();

    assert!(wrong.is_empty(), "{} tokens differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_sort_of_refusal_is_shown_by_a_vector() {
    let shown: BTreeSet<_> = all().iter().filter_map(|(_, text)| sort_of_refusal(text)).collect();

    // The others need facts or announcements, which a file does not carry.
    let wanted = [
        "Expired",
        "Forged",
        "Foreign",
        "Malformed(Alphabet)",
        "Malformed(Framing)",
        "Malformed(Identifier)",
        "Malformed(Identity)",
        "Malformed(Length)",
        "Malformed(Location)",
        "Malformed(LooseBits)",
        "Malformed(ThirdParty)",
        "Malformed(TooManyCaveats)",
        "Malformed(TrailingBytes)",
        "Malformed(Unprintable)",
        "Predecessor",
        "ReservedBits",
        "Sealed",
        "TooLong",
        "Truncated",
        "UnknownCaveat",
        "UnknownFormat",
        "UnknownKey",
        "Unmet",
        "WrongKind",
        "WrongPrefix",
    ];
    assert_eq!(shown, wanted.map(String::from).into());
}

#[test]
fn every_kind_and_every_term_of_the_vocabulary_is_golden() {
    let golden: String = all()
        .into_iter()
        .filter_map(|(name, text)| name.starts_with("golden-").then_some(text))
        .collect();

    for kind in Kind::ALL {
        assert!(golden.contains(&format!("\nkind: {kind}\n")), "no golden token of kind {kind}");
    }
    for term in VOCABULARY {
        let line = format!("\ncaveat: {} {} ", term.key, term.operator);
        assert!(golden.contains(&line), "no golden token with the caveat {}", term.key);
    }
}

#[test]
fn a_vector_with_a_header_nobody_knows_is_refused() {
    let trouble = Vector::read("expect: admitted\nresult: good\n\nmma_\n").err();

    assert_eq!(trouble.as_deref(), Some("unknown header `result`"));
}

#[test]
fn a_vector_that_says_a_thing_twice_is_refused() {
    let trouble = Vector::read("now: 1\nnow: 2\n\nmma_\n").err();

    assert_eq!(trouble.as_deref(), Some("header `now` twice"));
}

#[test]
fn a_vector_that_expects_something_else_is_told() {
    let (_, text) = all().into_iter().find(|(name, _)| name == "golden-access-device.txt").unwrap();

    let device = difference("x", &text.replace("device_id: ABCDEFGHIJ\n", "")).unwrap();
    let refusal = difference("x", &text.replace("expect: admitted", "expect: refused: Expired"));

    assert!(device.contains("device_id: ABCDEFGHIJ"), "{device}");
    assert!(refusal.is_some(), "an admitted token passed for an expired one");
}

/// Every vector: the file's name and its text, in the order of names.
fn all() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let read = |entry: io::Result<fs::DirEntry>| {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_vector = name.ends_with(".txt");
        Ok(if is_vector { Some((name, fs::read_to_string(path)?)) } else { None })
    };
    let found: io::Result<Vec<_>> = fs::read_dir(folder)
        .and_then(|entries| entries.filter_map(|e| read(e).transpose()).collect());
    let mut found = found.unwrap_or_default();
    found.sort();
    found
}

/// The refusal that a vector expects, without its particulars; those of *malformed* are kept.
fn sort_of_refusal(text: &str) -> Option<String> {
    let why = text.split_once("\nexpect: refused: ")?.1.lines().next()?;
    let kept = if why.starts_with("Malformed") { why } else { why.split('(').next()? };
    Some(kept.to_owned())
}

/// How what happens differs from what a vector expects, if it does.
fn difference(name: &str, text: &str) -> Option<String> {
    let outcome = Vector::read(text).and_then(|vector| Ok((vector.expected(), vector.judge()?)));
    match outcome {
        Ok((expected, seen)) if expected == seen => None,
        Ok((expected, seen)) => Some(format!("{name}: expected\n{expected}\nand saw\n{seen}")),
        Err(trouble) => Some(format!("{name}: {trouble}")),
    }
}

/// A vector taken apart.
struct Vector<'t> {
    headers: Vec<(&'t str, &'t str)>,
    token: &'t str,
}

impl<'t> Vector<'t> {
    fn read(text: &'t str) -> Result<Self, Trouble> {
        let (head, body) = text.split_once("\n\n").ok_or("no blank line behind the headers")?;
        let token = body.strip_suffix('\n').ok_or("no line end behind the token")?;
        if token.contains('\n') {
            return Err("more than one line behind the headers".into());
        }
        let mut headers: Vec<(&str, &str)> = Vec::new();
        for line in head.lines() {
            let (name, value) = line.split_once(": ").ok_or(format!("no header: `{line}`"))?;
            if !GIVEN.contains(&name) && !EXPECTED.contains(&name) {
                return Err(format!("unknown header `{name}`"));
            }
            if name != "caveat" && headers.iter().any(|(known, _)| *known == name) {
                return Err(format!("header `{name}` twice"));
            }
            headers.push((name, value));
        }
        Ok(Self { headers, token })
    }

    fn one(&self, name: &str) -> Option<&'t str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn must(&self, name: &str) -> Result<&'t str, Trouble> {
        self.one(name).ok_or_else(|| format!("header `{name}` is missing"))
    }

    fn instant(&self, name: &str) -> Result<Timestamp, Trouble> {
        self.must(name)?.parse().map(Timestamp::from_millis).map_err(|e| format!("{name}: {e}"))
    }

    /// The lines that say what must come of it.
    fn expected(&self) -> String {
        let lines = EXPECTED.iter().flat_map(|name| {
            let same = self.headers.iter().filter(move |(known, _)| known == name);
            same.map(|(name, value)| format!("{name}: {value}\n"))
        });
        lines.collect()
    }

    /// The same lines, from what the crate does.
    fn judge(&self) -> Result<String, Trouble> {
        let (occasion, keys) = (self.occasion()?, self.keys()?);
        let mut scratch = Scratch::new();
        let bearer = Presented::read(self.token, &mut scratch)
            .and_then(|presented| presented.authenticate(&*keys))
            .and_then(|authentic| authentic.clear(&NoFacts, &occasion));
        Ok(bearer.map_or_else(|why| format!("expect: refused: {}\n", name_of(why)), |b| seen(&b)))
    }

    fn occasion(&self) -> Result<Occasion<'t>, Trouble> {
        let purpose = match self.must("purpose")? {
            "request" => Purpose::Request,
            "refresh" => Purpose::Refresh,
            "login" => Purpose::Login,
            "introspection" => Purpose::Introspection,
            other => return Err(format!("unknown purpose `{other}`")),
        };
        let action = self.one("action").map(|name| Action::from_name(name).ok_or("unknown action"));
        let address = self.one("address").map(|text| text.parse().map_err(|e| format!("{e}")));
        Ok(Occasion {
            action: action.transpose()?,
            room_id: self.one("room_id"),
            address: address.transpose()?,
            audience: self.one("audience"),
            ..Occasion::new(purpose, self.instant("now")?)
        })
    }

    fn keys(&self) -> Result<Box<dyn Keys>, Trouble> {
        match (self.one("key"), self.one("subkey")) {
            (Some(key), None) => {
                let mut ring = Keyring::default();
                ring.hold(&read_key(key)?).map_err(|error| error.to_string())?;
                Ok(Box::new(ring))
            }
            (None, Some(subkey)) => Ok(Box::new(read_subkey(subkey)?)),
            _ => Err("needs `key` or `subkey`, and not both".into()),
        }
    }

    /// Mints what the headers say and compares the text.
    fn mint_again(&self) -> Result<(), Trouble> {
        let kind = Kind::from_name(self.must("kind")?).ok_or("unknown kind")?;
        let subkey = match self.one("key") {
            Some(key) => read_key(key)?.subkey(kind),
            None => read_subkey(self.must("subkey")?)?,
        };
        let device = self.one("device_id").map(|id| DeviceId::parse(id).map_err(|e| e.to_string()));
        let carried = self.headers.iter().filter(|(name, _)| *name == "caveat");
        let carried: Vec<_> = carried.map(|(_, text)| *text).collect();
        let never = self.one("expires_at") == Some("never");
        let grant = Grant {
            kind,
            user: UserId::parse(self.must("user_id")?).map_err(|e| e.to_string())?,
            device: device.transpose()?,
            guest: self.must("guest")? == "yes",
            session: SessionId::parse(self.must("session")?).ok_or("not a session id")?,
            generation: self.must("generation")?.parse().map_err(|e| format!("{e}"))?,
            issued_at: self.instant("issued_at")?,
            expires_at: if never { None } else { Some(self.instant("expires_at")?) },
            carried: &carried,
        };
        let token = grant.mint(&subkey).map_err(|error| error.to_string())?;
        let same = token.reveal() == self.token;
        if same {
            Ok(())
        } else {
            Err(format!("\n{}\nis minted as\n{}", self.token, token.reveal()))
        }
    }
}

fn read_hex<const N: usize>(text: &str) -> Result<[u8; N], Trouble> {
    let byte = |at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("not {N} bytes in hexadecimal: {text}"))
}

fn read_key(text: &str) -> Result<Key, Trouble> {
    Key::from_bytes(&read_hex::<KEY_BYTES>(text)?).map_err(|error| error.to_string())
}

fn read_subkey(text: &str) -> Result<Subkey, Trouble> {
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or("a subkey is `kind id secret`");
    let kind = Kind::from_name(word()?).ok_or("unknown kind")?;
    let id = KeyId::parse(word()?).ok_or("not a key id")?;
    Ok(Subkey::from_bytes(kind, id, &read_hex(word()?)?))
}

/// A bearer as a vector writes one.
fn seen(bearer: &Bearer<'_>) -> String {
    let id = bearer.identifier();
    let device = bearer.device_id().map(|id| format!("device_id: {id}\n")).unwrap_or_default();
    let ends = id.expires_at.map_or("never".into(), |at| at.millis().to_string());
    let caveats: String = bearer.appended().map(|text| format!("caveat: {text}\n")).collect();
    [
        format!("expect: admitted\nkind: {}\nuser_id: {}\n{device}", id.kind, bearer.user_id()),
        format!("session: {}\n", bearer.session()),
        format!("guest: {}\n", if bearer.is_guest() { "yes" } else { "no" }),
        format!("generation: {}\nissued_at: {}\n", id.generation, id.issued_at.millis()),
        format!("expires_at: {ends}\n{caveats}"),
    ]
    .concat()
}

/// A refusal by the name that vectors know it by.
fn name_of(refusal: Refusal) -> String {
    let place = |at: CaveatAt| match at.key {
        Some(key) => format!("{} {key}", at.index),
        None => at.index.to_string(),
    };
    match refusal {
        Refusal::UnknownCaveat(at) => format!("UnknownCaveat({})", place(at)),
        Refusal::Sealed(at) => format!("Sealed({})", place(at)),
        Refusal::Unmet(at) => format!("Unmet({})", place(at)),
        Refusal::WrongKind(kind) => format!("WrongKind({kind})"),
        // The names of the others are names of ours: a vector that reads differently has found it.
        other => format!("{other:?}"),
    }
}
