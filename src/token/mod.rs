//! What a token is: a prefix and a macaroon of libmacaroons' second format, in base64url.
//!
//! This floor knows bytes, MACs and caveats. It refuses to know files, sockets, clocks and
//! randomness: instants, keys and nonces reach it as values.
//!
//! ```text
//! mma_ AgIt AQEBYWFhYWFh ...                       characters 12 to 19 hold the route
//!
//! 02                                               version
//! 02 2d  identifier (45 bytes)  00
//!        ├─  0   1  format: 1
//!        ├─  1   1  kind: 1 access, 2 refresh, 3 login, 4 inner
//!        ├─  2   1  flags: 1 has a device, 2 guest
//!        ├─  3   6  route: first 6 bytes of SHA-256(user_id), for load balancers alone
//!        ├─  9   4  key id
//!        ├─ 13  16  session id: 6 bytes beginning, 10 random
//!        ├─ 29   4  generation
//!        ├─ 33   6  issued at, ms
//!        └─ 39   6  expires at, ms; 0 = never
//! 02 nn  user_id = @alice:example.com  00          the issuer's caveats, by position
//! 02 nn  device_id = ABCDEFGHIJ  00
//! 02 nn  time < 1790000000000  00                  appended by a holder, any number up to 32 in all
//! 00
//! 06 20  tag (32 bytes)
//! ```
//!
//! A token on its way in is [`Presented`], then [`Authentic`], then a [`Bearer`]; each type can be
//! made only by the step before it.

mod anatomy;
mod attenuate;
mod caveat;
mod chain;
mod clear;
pub(crate) mod hex;
mod identifier;
mod key;
mod mint;
mod pack;
mod refusal;
mod taken_over;
mod verify;
mod wire;

pub use anatomy::{Anatomy, Ending, Part, Piece};
pub use attenuate::{AttenuateError, NormalizeError, attenuate, normalize};
pub use caveat::{Caveat, CaveatError, Term, VOCABULARY};
pub use chain::TAG_BYTES;
pub use clear::{Action, Gate, Occasion, Purpose};
pub use identifier::{IDENTIFIER_BYTES, Identifier, Kind, Route, SessionId};
pub use key::{KEY_BYTES, Key, KeyId, SealingKey, Subkey, WeakKey};
pub use mint::{Grant, Token};
pub use refusal::{CaveatAt, EndedBy, Malformed, MintError, Refusal};
pub use verify::{Account, AccountState, Authentic, Bearer, Facts, Keys, NoFacts};
pub use wire::{Caveats, Presented, Scratch};

/// Longest token, prefix included, in characters.
pub const MAX_CHARS: usize = 2048;

/// Most caveats a token may carry, the issuer's included.
pub const MAX_CAVEATS: usize = 32;
