//! A whole node, asked in process over its faces: what comes of each request, what outlives a
//! restart, and what never happens.
#![cfg(test)]
#![cfg(feature = "server")]

mod support;

mod answers;
mod arbitrary;
mod audit;
mod behind;
mod body;
mod claims;
mod clock;
mod cors;
mod deactivate;
mod device_api;
mod devices;
mod families;
mod forged;
mod forward_auth;
mod generations;
mod get_token;
mod guests;
mod hashing;
mod headers;
mod health;
mod howto;
mod import;
mod inner;
mod interactive;
mod introspect;
mod keys;
mod limits;
mod locked;
mod login_get;
mod login_password;
mod login_token;
mod login_token_stage;
mod logout;
mod logout_all;
mod long_over;
mod metrics;
mod narrowed;
mod narrowed_login;
mod no_feed;
mod odd_texts;
mod pages;
mod password;
mod query_token;
mod races;
mod refresh;
mod refresh_narrowed;
mod register;
mod register_once;
mod restart;
mod retire;
mod rotation;
mod secrets;
mod sockets;
mod store_away;
mod sync;
mod unknown;
mod versions;
mod well_known;
mod whoami;
