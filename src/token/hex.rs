//! Bytes as lower-case hexadecimal digits, for the names that people read and type.
//!
//! It refuses upper case, so that a name has one spelling.

use core::fmt;

/// Bytes that are written at a time.
const AT_ONCE: usize = 16;

pub(crate) fn write(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.chunks(AT_ONCE).try_for_each(|some| {
        let mut text = [0; 2 * AT_ONCE];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(some) {
            *pair = [letter(byte >> 4), letter(byte & 15)];
        }
        let text = text.get(..2 * some.len()).and_then(|text| str::from_utf8(text).ok());
        f.write_str(text.unwrap_or_default())
    })
}

/// The digit of four bits.
const fn letter(four: u8) -> u8 {
    if four < 10 { b'0' + four } else { b'a' - 10 + four }
}

pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (to, [high, low]) in bytes.iter_mut().zip(pairs) {
        *to = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
