//! What any macaroon library can do with our tokens, and the crate `macaroon` doing it.
//!
//! Texts are macaroons without our prefix. This file refuses to know what a caveat says.

use macaroon::{ByteString, Caveat, Format, Macaroon, MacaroonKey, Verifier};

use crate::tally::Trouble;

/// What a library reads in a macaroon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The identifier.
    pub(crate) identifier: Vec<u8>,
    /// The caveats, in order.
    pub(crate) caveats: Vec<String>,
}

/// Which caveats count as met.
#[derive(Clone, Copy)]
pub(crate) enum Met<'c> {
    /// All of them: what is left to judge is the signature.
    Any,
    /// Those that are one of these.
    These(&'c [String]),
}

/// A macaroon library that shares no code with ours.
pub(crate) trait Library {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// The identifier and the caveats of a macaroon.
    fn read(&mut self, text: &str) -> Result<Reading, Trouble>;
    /// Whether a macaroon holds under a secret; the reason if not.
    fn verify(&mut self, text: &str, secret: &[u8], met: Met<'_>) -> Result<(), Trouble>;
    /// Appends caveats.
    fn narrow(&mut self, text: &str, caveats: &[&str]) -> Result<String, Trouble>;
    /// Appends a caveat of a third party.
    fn involve(&mut self, text: &str) -> Result<String, Trouble>;
    /// Makes a new macaroon; the library derives the root key from the secret.
    fn mint(&mut self, secret: &[u8], new: &Reading) -> Result<String, Trouble>;
}

/// The crate `macaroon`.
pub(crate) struct Crate;

impl Library for Crate {
    fn name(&self) -> &'static str {
        "crate macaroon"
    }

    fn read(&mut self, text: &str) -> Result<Reading, Trouble> {
        let macaroon = open(text)?;
        let caveat = |caveat: &Caveat| match caveat {
            Caveat::FirstParty(first) => {
                String::from_utf8(first.predicate().0).map_err(|error| error.to_string())
            }
            Caveat::ThirdParty(_) => Err("a caveat of a third party".to_owned()),
        };
        let caveats = macaroon.caveats().iter().map(caveat).collect::<Result<_, _>>()?;
        Ok(Reading { identifier: macaroon.identifier().0, caveats })
    }

    fn verify(&mut self, text: &str, secret: &[u8], met: Met<'_>) -> Result<(), Trouble> {
        holds(text, &MacaroonKey::generate(secret), met)
    }

    fn narrow(&mut self, text: &str, caveats: &[&str]) -> Result<String, Trouble> {
        let mut macaroon = open(text)?;
        for caveat in caveats {
            macaroon.add_first_party_caveat(ByteString::from(*caveat));
        }
        written(&macaroon, Format::V2)
    }

    fn involve(&mut self, text: &str) -> Result<String, Trouble> {
        let mut macaroon = open(text)?;
        let key = MacaroonKey::generate(b"the key of the third party");
        macaroon.add_third_party_caveat("https://third.example", &key, ByteString::from("id"));
        written(&macaroon, Format::V2)
    }

    fn mint(&mut self, secret: &[u8], new: &Reading) -> Result<String, Trouble> {
        let identifier = ByteString(new.identifier.clone());
        let made = Macaroon::create(None, &MacaroonKey::generate(secret), identifier);
        let mut macaroon = made.map_err(|error| error.to_string())?;
        for caveat in &new.caveats {
            macaroon.add_first_party_caveat(ByteString::from(caveat.as_str()));
        }
        written(&macaroon, Format::V2)
    }
}

/// Whether a macaroon holds under a root key that nothing is derived from.
pub(crate) fn holds(text: &str, root: &MacaroonKey, met: Met<'_>) -> Result<(), Trouble> {
    let mut verifier = Verifier::default();
    match met {
        Met::Any => verifier.satisfy_general(|_| true),
        Met::These(caveats) => {
            for caveat in caveats {
                verifier.satisfy_exact(ByteString::from(caveat.as_str()));
            }
        }
    }
    verifier.verify(&open(text)?, root, Vec::new()).map_err(|error| error.to_string())
}

/// A macaroon in another format.
pub(crate) fn converted(text: &str, format: Format) -> Result<String, Trouble> {
    written(&open(text)?, format)
}

fn open(text: &str) -> Result<Macaroon, Trouble> {
    Macaroon::deserialize(text).map_err(|error| error.to_string())
}

fn written(macaroon: &Macaroon, format: Format) -> Result<String, Trouble> {
    macaroon.serialize(format).map_err(|error| error.to_string())
}
