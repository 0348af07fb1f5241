//! Forgeries: what somebody without a key may try on a token, byte by byte.
//!
//! Each is well formed, so that nothing but its signature can give it away.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::tally::{Trouble, said};

/// The bytes of a macaroon in base64url, padded or not.
pub(crate) fn bytes_of(text: &str) -> Result<Vec<u8>, Trouble> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(said)
}

/// Forgeries of a token with two appended caveats, each with what was done.
pub(crate) fn forgeries(
    token: &str,
    [first, second]: [&str; 2],
) -> Result<Vec<(&'static str, String)>, Trouble> {
    let (prefix, body) = token.split_at(4);
    let bytes = bytes_of(body)?;
    let whole = [packet(first), packet(second)].concat();
    let exchanged = [packet(second), packet(first)].concat();
    let longer = first.replace("time < 3", "time < 9");
    // Behind version, type and length: generation at 29 to 32, expiry at 39 to 44.
    let (generation, expiry, tag) = (3 + 32, 3 + 44, bytes.len() - 1);
    let made = [
        ("a changed caveat of the issuer", replaced(&bytes, b"@alice:", b"@alicf:")?),
        ("a changed caveat of a holder", replaced(&bytes, first.as_bytes(), longer.as_bytes())?),
        ("a changed byte of the identifier", flipped(&bytes, generation)?),
        ("a later expiry", flipped(&bytes, expiry)?),
        ("a dropped caveat", replaced(&bytes, &packet(second), b"")?),
        ("a dropped caveat between others", replaced(&bytes, &packet(first), b"")?),
        ("two caveats exchanged", replaced(&bytes, &whole, &exchanged)?),
        ("a changed signature", flipped(&bytes, tag)?),
    ];
    let text = |bytes: Vec<u8>| format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
    Ok(made.into_iter().map(|(what, bytes)| (what, text(bytes))).collect())
}

/// A token with a caveat that nobody signed.
pub(crate) fn unsigned(token: &str, caveat: &str) -> Result<String, Trouble> {
    let (prefix, body) = token.split_at(4);
    let bytes = bytes_of(body)?;
    let (head, tail) = bytes.split_at(bytes.len() - 35);
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode([head, &packet(caveat), tail].concat())))
}

/// A caveat of a first party as it stands in a macaroon.
fn packet(caveat: &str) -> Vec<u8> {
    [&[2, caveat.len() as u8], caveat.as_bytes(), &[0]].concat()
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>, Trouble> {
    let at = bytes.windows(old.len()).position(|window| window == old);
    let at = at.ok_or_else(|| format!("no {} in the token", String::from_utf8_lossy(old)))?;
    let (head, tail) = (bytes.get(..at), bytes.get(at + old.len()..));
    Ok([head.unwrap_or_default(), new, tail.unwrap_or_default()].concat())
}

fn flipped(bytes: &[u8], at: usize) -> Result<Vec<u8>, Trouble> {
    let mut bytes = bytes.to_vec();
    *bytes.get_mut(at).ok_or("a short token")? ^= 1;
    Ok(bytes)
}
