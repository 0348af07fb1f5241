//! JSON web tokens by the `jsonwebtoken` crate: HS256, the key chosen by `kid`.
//!
//! The crate leaves the cryptography to a provider. Its own ones bring forty more crates or a build
//! in C; the one below does what its RustCrypto provider does, with the same two crates in their
//! present versions, so that compiling the benchmarks stays cheap. It is no slower than either.

use amaretti::token::KeyId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode_header};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::support::sessions::{END, Session};

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
pub(crate) struct Claims<S> {
    sub: S,
    device: S,
    exp: u64,
    sid: String,
}

/// A key under its name.
struct Named {
    id: KeyId,
    /// As it stands in `kid`.
    name: String,
    header: Header,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// The keys that sign and verify.
pub(crate) struct JsonWebTokens {
    keys: Vec<Named>,
    validation: Validation,
}

impl JsonWebTokens {
    pub(crate) fn new(secrets: &[(KeyId, [u8; 32])]) -> Self {
        // It is installed once in the process; a second time would change nothing.
        let _installed = PROVIDER.install_default();
        let key = |(id, secret): &(KeyId, [u8; 32])| Named {
            id: *id,
            name: id.to_string(),
            header: Header { kid: Some(id.to_string()), ..Header::new(Algorithm::HS256) },
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        };
        let keys = secrets.iter().map(key).collect();
        Self { keys, validation: Validation::new(Algorithm::HS256) }
    }

    /// From text to claims.
    pub(crate) fn verify(&self, text: &str) -> Option<Claims<String>> {
        let name = decode_header(text).ok()?.kid?;
        let key = self.keys.iter().find(|key| key.name == name)?;
        let token = jsonwebtoken::decode(text, &key.decoding, &self.validation).ok()?;
        Some(token.claims)
    }

    /// From a session to text.
    pub(crate) fn mint(&self, session: &Session) -> Option<String> {
        let claims = Claims {
            sub: session.user.as_str(),
            device: session.device.as_str(),
            exp: END / 1000,
            sid: URL_SAFE_NO_PAD.encode(session.id.to_bytes()),
        };
        let key = self.keys.iter().find(|key| key.id == session.key)?;
        jsonwebtoken::encode(&key.header, &claims, &key.encoding).ok()
    }
}
