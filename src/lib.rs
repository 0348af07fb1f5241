//! Matrix access tokens and login tokens as macaroons, verified by cryptography alone.
//!
//! Whoever holds the key tells by arithmetic who a token belongs to and what it may do: no database,
//! no call to anybody, no allocation. A holder can narrow a token and nobody can widen it.
//!
//! ```
//! use amaretti::{ident::UserId, keyring::Keyring, time::*, token::*, verifier::Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Who mints holds a key: 32 random bytes, kept for long.
//! let key = Key::from_bytes(&core::array::from_fn(|i| i as u8 ^ 0x80))?;
//! let now = SystemClock::default().now();
//! let grant = Grant {
//!     kind: Kind::Access,
//!     user: UserId::parse("@alice:example.com")?,
//!     device: None,
//!     guest: false,
//!     session: SessionId::new(now, *b"ten random"),
//!     generation: 0,
//!     issued_at: now,
//!     expires_at: Some(now.plus(900_000)),
//!     carried: &[],
//! };
//! let token = grant.mint(&key.subkey(Kind::Access))?;
//!
//! // Who bears a token narrows it, without any key.
//! let narrow = attenuate(token.reveal(), &["action in media"])?;
//!
//! // Who verifies holds the subkey of one kind.
//! let mut ring = Keyring::default();
//! ring.hold_subkey(key.subkey(Kind::Access))?;
//! let verifier = Verifier::new(ring, NoFacts)?;
//! let mut scratch = Scratch::new();
//! let upload = Occasion { action: Some(Action::Media), ..verifier.occasion() };
//! let bearer = verifier.admit(narrow.reveal(), &mut scratch, &upload)?;
//! assert_eq!(bearer.user_id().as_str(), "@alice:example.com");
//!
//! let mut scratch = Scratch::new();
//! let send = Occasion { action: Some(Action::Send), ..verifier.occasion() };
//! assert!(verifier.admit(narrow.reveal(), &mut scratch, &send).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! | floor | modules | what it knows | feature |
//! | --- | --- | --- | --- |
//! | 0 | [`ident`], [`time`] | names and instants | |
//! | 1 | [`token`] | how a token is written, signed and judged | |
//! | 2 | [`keyring`], [`revocations`], [`occasion`] | keys, facts, and what a request does | |
//! | 2 | [`imports`] | tokens of another issuer that stand for sessions of ours | |
//! | 2 | [`verifier`], [`answer`] | keys, facts and clock put together; what a client is told | |
//! | 3 | `tower` | a layer and an axum extractor | `tower` |
//! | 3 | `keyfile` | the folder of key files | `tower` or `server` |
//! | 3 | `store`, `config`, `secret` | rows, settings, shared secrets | `server` |
//! | 4 | `homeserver` | what the homeserver behind is told | `server` |
//! | 4 | `service` | who may come in, what ends, which key mints | `server` |
//! | 5 | `http` | requests and answers | `server` |
//! | 5 | `doctor` | an installation, looked at from outside | `server` |
//! | 6 | `cli` | the command line | `server` |
//!
//! A file imports from its own floor and from those above it in this table; a test enforces that.
//!
//! A token on its way in passes three types, each made only by the step before it:
//! [`token::Presented`] is well formed, [`token::Authentic`] is signed, [`token::Bearer`] may pass.
//!
//! # Features
//!
//! - none: floors 0 to 2. Tokens are read, minted, narrowed and judged in process, without async, I/O
//!   or unsafe code of ours.
//! - `tower`: a layer that judges each request and answers as Matrix clients expect, an axum
//!   extractor for who has come in, and the reader of key files. No runtime and no database.
//! - `server`, the default: the node and the program `amaretti`.
//!
//! # Limits
//!
//! - Keys are shared: whoever can verify a kind of token can forge that kind.
//! - Arithmetic does not hear of logouts. [`token::NoFacts`] admits a token until it expires; what
//!   ends sessions reaches [`revocations::Revocations`] through the program that embeds it.
//! - A token has 2048 characters and 32 caveats at most.
//! - It is an issuer and verifier, not a homeserver: rooms, federation and single sign-on are
//!   somebody else's.

#![forbid(unsafe_code)]

pub mod answer;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod doctor;
#[cfg(feature = "server")]
pub mod homeserver;
#[cfg(feature = "server")]
pub mod http;
pub mod ident;
pub mod imports;
#[cfg(any(feature = "server", feature = "tower"))]
pub mod keyfile;
pub mod keyring;
pub mod occasion;
#[cfg(feature = "server")]
pub mod random;
#[cfg(feature = "server")]
mod reach;
pub mod revocations;
#[cfg(feature = "server")]
pub mod secret;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
pub mod time;
pub mod token;
#[cfg(feature = "tower")]
pub mod tower;
pub mod verifier;

/// The README's program is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
