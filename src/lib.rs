//! Matrix access tokens and login tokens as macaroons, verified by cryptography alone.
//!
//! Without default features this is floors 0 to 2: tokens are read, minted, narrowed and judged in
//! process, without async, I/O or unsafe code. The feature `server` adds the node and the program.
//!
//! | floor | modules | what it knows |
//! | --- | --- | --- |
//! | 0 | [`ident`], [`time`] | names and instants |
//! | 1 | [`token`] | how a token is written, signed and judged |
//! | 2 | [`keyring`], [`revocations`], [`occasion`] | keys, facts, and what a request does |
//! | 3 | `store`, `keyfile`, `config` | rows, key files, settings |
//! | 4 | `service` | who may come in, what ends, which key mints |
//! | 5 | `http` | requests and answers |
//! | 6 | `cli` | the command line |
//!
//! A file imports from its own floor and from those above it in this table; a test enforces that.
//!
//! A token on its way in passes three types, each made only by the step before it:
//! [`token::Presented`] is well formed, [`token::Authentic`] is signed, [`token::Bearer`] may pass.

#![forbid(unsafe_code)]

#[cfg(feature = "server")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod http;
pub mod ident;
pub mod imports;
#[cfg(feature = "server")]
pub mod keyfile;
pub mod keyring;
pub mod occasion;
#[cfg(feature = "server")]
pub mod random;
pub mod revocations;
#[cfg(feature = "server")]
pub mod secret;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
pub mod time;
pub mod token;

/// The README's program is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
