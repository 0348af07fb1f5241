//! Matrix access tokens and login tokens as macaroons, verified by cryptography alone.
//!
//! Floors, each knowing only itself and those above it in this list: names and instants ([`ident`],
//! [`time`]), tokens ([`token`]), keys, facts and occasions ([`keyring`], [`revocations`]).

#![forbid(unsafe_code)]

pub mod ident;
pub mod keyring;
pub mod revocations;
pub mod time;
pub mod token;
