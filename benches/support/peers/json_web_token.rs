//! JSON web tokens by the `jsonwebtoken` crate: HS256, the key chosen by `kid`.
//!
//! The crate leaves the cryptography to a provider. Its own ones bring forty more crates or a build
//! in C; the one below does what its RustCrypto provider does, with the same two crates in their
//! present versions, so that compiling the benchmarks stays cheap. It is no slower than either.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode_header};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::support::sessions::{END, Session};
use amaretti::token::KeyId;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, key| Ok(Box::new(Hs256::new(key.as_bytes())?)),
    verifier_factory: |_, key| Ok(Box::new(Hs256::new(key.try_get_as_bytes()?)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(key: &[u8]) -> Result<Self> {
        Ok(Self(Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        let mac = self.0.clone().chain_update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(tag).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// What a token says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    sub: String,
    device: String,
    exp: u64,
    sid: String,
}

impl Claims {
    /// Of one session.
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            sub: session.user.clone(),
            device: session.device.clone(),
            exp: END / 1000,
            sid: session.id.to_string(),
        }
    }
}

/// The keys that sign and verify, by their names.
pub(crate) struct JsonWebTokens {
    keys: Vec<(String, Header, EncodingKey, DecodingKey)>,
    validation: Validation,
}

impl JsonWebTokens {
    pub(crate) fn new(secrets: &[(KeyId, [u8; 32])]) -> Self {
        // The first one to come installs it; there is no other.
        let _installed = PROVIDER.install_default();
        let key = |(id, secret): &(KeyId, [u8; 32])| {
            let header = Header { kid: Some(id.to_string()), ..Header::new(Algorithm::HS256) };
            let decoding = DecodingKey::from_secret(secret);
            (id.to_string(), header, EncodingKey::from_secret(secret), decoding)
        };
        let keys = secrets.iter().map(key).collect();
        Self { keys, validation: Validation::new(Algorithm::HS256) }
    }

    /// From text to claims.
    pub(crate) fn verify(&self, text: &str) -> Option<Claims> {
        let named = decode_header(text).ok()?.kid?;
        let (.., key) = self.keys.iter().find(|(id, ..)| *id == named)?;
        jsonwebtoken::decode(text, key, &self.validation).ok().map(|token| token.claims)
    }

    /// From claims to text, signed with the key of this place.
    pub(crate) fn mint(&self, claims: &Claims, key: usize) -> Option<String> {
        let (_, header, key, _) = self.keys.get(key)?;
        jsonwebtoken::encode(header, claims, key).ok()
    }
}
