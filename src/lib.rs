//! Matrix access tokens and login tokens as macaroons, verified by cryptography alone.
//!
//! Floors, each knowing only itself and those above it in this list: names and instants ([`ident`],
//! [`time`]), tokens ([`token`]), keys, facts and occasions ([`keyring`], [`revocations`]).

#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod http;
pub mod ident;
#[cfg(feature = "server")]
pub mod keyfile;
pub mod keyring;
pub mod occasion;
pub mod revocations;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
pub mod time;
pub mod token;
