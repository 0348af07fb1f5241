//! What our tokens are measured against: the same chain on the `hmac` crate, JSON web tokens, and
//! the bare block function of SHA-256.

pub(crate) mod hmac_chain;
pub(crate) mod json_web_token;

use std::hint::black_box;

use sha2::block_api::compress256;

/// Calls the block function so many times, each on the state that the call before left: the least
/// that a chain of HMACs can cost, divided by the number of its blocks.
#[must_use]
pub(crate) fn compressions(times: u64) -> u64 {
    let mut state = [0x6a09_e667; 8];
    let block = black_box([0x36; 64]);
    for _ in 0..times {
        compress256(&mut state, &[block]);
    }
    black_box(state);
    times
}
