//! PASETO v4.local by two crates; one key, which spares them the choice.

use pasetors::claims::{Claims, ClaimsValidationRules};
use pasetors::keys::SymmetricKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::V4;
use rusty_paseto::core::{Key, Local, Paseto as Rusty, PasetoNonce, PasetoSymmetricKey, Payload};

use crate::Outcome;
use crate::jwt;
use crate::macaroons::now;
use crate::support::sessions::Pool;

type RustyV4 = rusty_paseto::core::V4;

pub(crate) struct Paseto {
    key: SymmetricKey<V4>,
    rusty: PasetoSymmetricKey<RustyV4, Local>,
    rules: ClaimsValidationRules,
}

impl Paseto {
    pub(crate) fn new(pool: &Pool) -> Outcome<Self> {
        let (_, secret) = pool.secrets.first().ok_or("no key")?;
        let key = SymmetricKey::<V4>::from(secret).map_err(|_| "no key for pasetors")?;
        let rusty = PasetoSymmetricKey::from(Key::<32>::from(secret));
        Ok(Self { key, rusty, rules: ClaimsValidationRules::new() })
    }

    pub(crate) fn rusty(&self, pool: &Pool) -> Outcome<Vec<String>> {
        let mut tokens = Vec::new();
        for session in &pool.sessions {
            let nonce = Key::<32>::try_new_random().map_err(|error| error.to_string())?;
            let nonce = PasetoNonce::<RustyV4, Local>::from(&nonce);
            let payload = serde_json::to_string(&jwt::Claims::of(session))?;
            let mut builder = Rusty::<RustyV4, Local>::builder();
            let built = builder.set_payload(Payload::from(payload.as_str()));
            tokens.push(built.try_encrypt(&self.rusty, &nonce).map_err(|error| error.to_string())?);
        }
        Ok(tokens)
    }

    pub(crate) fn admits_rusty(&self, text: &str) -> bool {
        let payload = Rusty::<RustyV4, Local>::try_decrypt(text, &self.rusty, None, None);
        let claims = payload.ok().and_then(|json| serde_json::from_str::<jwt::Claims>(&json).ok());
        claims.is_some_and(|claims| now() < std::hint::black_box(claims).exp * 1000)
    }

    pub(crate) fn pasetors(&self, pool: &Pool) -> Outcome<Vec<String>> {
        let mut tokens = Vec::new();
        for session in &pool.sessions {
            let mint = || {
                let mut claims = Claims::new()?;
                claims.subject(&session.user)?;
                claims.expiration("2096-10-02T07:06:40Z")?;
                claims.add_additional("device", session.device.as_str())?;
                claims.add_additional("sid", session.id.to_string())?;
                pasetors::local::encrypt(&self.key, &claims, None, None)
            };
            tokens.push(mint().map_err(|error: pasetors::errors::Error| format!("{error:?}"))?);
        }
        Ok(tokens)
    }

    pub(crate) fn admits_pasetors(&self, text: &str) -> bool {
        let judge = || {
            let token = UntrustedToken::<pasetors::Local, V4>::try_from(text).ok()?;
            let token =
                pasetors::local::decrypt(&self.key, &token, &self.rules, None, None).ok()?;
            let claims = token.payload_claims()?;
            let names = (claims.get_claim("sub")?.as_str()?, claims.get_claim("device")?.as_str()?);
            std::hint::black_box(names);
            Some(())
        };
        judge().is_some()
    }
}
