//! JSON web tokens by `jsonwebtoken` on RustCrypto, the key chosen by `kid`.

use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode_header};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::support::sessions::{END, Pool, Session};

#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    pub(crate) device: String,
    pub(crate) exp: u64,
    pub(crate) sid: String,
}

impl Claims {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            sub: session.user.clone(),
            device: session.device.clone(),
            exp: END / 1000,
            sid: session.id.to_string(),
        }
    }
}

struct Named {
    name: String,
    algorithm: Algorithm,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

pub(crate) struct Jwt {
    keys: Vec<Named>,
    validations: [Validation; 2],
}

impl Jwt {
    pub(crate) fn new(pool: &Pool) -> Self {
        let mut keys = Vec::new();
        for (id, secret) in &pool.secrets {
            keys.push(Named {
                name: id.to_string(),
                algorithm: Algorithm::HS256,
                encoding: EncodingKey::from_secret(secret),
                decoding: DecodingKey::from_secret(secret),
            });
            // RFC 8410: the 32 bytes behind a head that is always the same.
            let mut der =
                b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
            der.extend(secret);
            keys.push(Named {
                name: format!("{id}e"),
                algorithm: Algorithm::EdDSA,
                encoding: EncodingKey::from_ed_der(&der),
                decoding: DecodingKey::from_ed_der(
                    SigningKey::from_bytes(secret).verifying_key().as_bytes(),
                ),
            });
        }
        let validations = [Algorithm::HS256, Algorithm::EdDSA].map(Validation::new);
        Self { keys, validations }
    }

    pub(crate) fn hs256(&self, pool: &Pool) -> Outcome<Vec<String>> {
        self.mint(pool, Algorithm::HS256, "")
    }

    pub(crate) fn eddsa(&self, pool: &Pool) -> Outcome<Vec<String>> {
        self.mint(pool, Algorithm::EdDSA, "e")
    }

    fn mint(&self, pool: &Pool, algorithm: Algorithm, ending: &str) -> Outcome<Vec<String>> {
        let mint = |session: &Session| {
            let name = format!("{}{ending}", session.key);
            let key = self.keys.iter().find(|key| key.name == name).ok_or("no such key")?;
            let header = Header { kid: Some(name), ..Header::new(algorithm) };
            Ok(jsonwebtoken::encode(&header, &Claims::of(session), &key.encoding)?)
        };
        pool.sessions.iter().map(mint).collect()
    }

    pub(crate) fn admits(&self, text: &str) -> bool {
        let judge = || {
            let name = decode_header(text).ok()?.kid?;
            let key = self.keys.iter().find(|key| key.name == name)?;
            let [hs256, eddsa] = &self.validations;
            let validation = if key.algorithm == Algorithm::HS256 { hs256 } else { eddsa };
            jsonwebtoken::decode::<Claims>(text, &key.decoding, validation).ok()
        };
        judge().map(std::hint::black_box).is_some()
    }
}
