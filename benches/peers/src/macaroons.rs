//! The crate `macaroon`, reading our tokens.

use amaretti::token::{Identifier, KeyId};
use macaroon::{ByteString, Caveat, Macaroon, MacaroonKey, Verifier};

use crate::Outcome;
use crate::support::sessions::Pool;

pub(crate) struct Macaroons {
    keys: Vec<(KeyId, MacaroonKey)>,
    verifier: Verifier,
}

/// The macaroons in our tokens.
pub(crate) fn bare(tokens: &[String]) -> Vec<String> {
    tokens.iter().filter_map(|token| token.get(4..).map(str::to_owned)).collect()
}

impl Macaroons {
    pub(crate) fn new(pool: &Pool) -> Outcome<Self> {
        macaroon::initialize()?;
        let key = |(id, secret): &(KeyId, [u8; 32])| (*id, MacaroonKey::generate(secret));
        let mut verifier = Verifier::default();
        verifier.satisfy_general(is_met);
        Ok(Self { keys: pool.secrets.iter().map(key).collect(), verifier })
    }

    pub(crate) fn admits(&self, text: &str) -> bool {
        let judge = || {
            let macaroon = Macaroon::deserialize(text).ok()?;
            let identifier = Identifier::read(macaroon.identifier().0.as_slice().try_into().ok()?);
            let identifier = identifier.ok()?;
            let (_, key) = self.keys.iter().find(|(id, _)| *id == identifier.key_id)?;
            self.verifier.verify(&macaroon, key, Vec::new()).ok()?;
            let lives = identifier.expires_at.is_none_or(|end| now() < end.millis());
            let caveats = macaroon.first_party_caveats();
            let text = |at: usize| match caveats.get(at) {
                Some(Caveat::FirstParty(caveat)) => String::from_utf8(caveat.predicate().0).ok(),
                _ => None,
            };
            let names = (text(0)?, text(1)?);
            (lives && names.0.starts_with("user_id = ")).then_some(std::hint::black_box(names))
        };
        judge().is_some()
    }
}

fn is_met(caveat: &ByteString) -> bool {
    let Ok(text) = std::str::from_utf8(&caveat.0) else { return false };
    match text.strip_prefix("time < ") {
        Some(end) => end.parse().is_ok_and(|end: u64| now() < end),
        None => text.starts_with("user_id = ") || text.starts_with("device_id = "),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}
