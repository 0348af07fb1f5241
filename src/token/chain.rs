//! The chain of HMACs that a macaroon's tag is made of.
//!
//! This file knows SHA-256's block function and the padding of HMAC (RFC 2104, FIPS 180-4); it
//! refuses to know what a token looks like or whom it is for.
//!
//! The `hmac` crate builds a key object for every caveat. Here the pads are laid out in place and
//! only the block function of `sha2` is called, so that a caveat of at most 55 bytes costs exactly
//! four compressions in two calls. A property test holds every link to `hmac`, byte for byte.
//!
//! ```text
//! root  = HMAC("macaroons-key-generator", subkey)      prepared once per subkey
//! tag 0 = HMAC(root,  identifier)                      2 compressions
//! tag n = HMAC(tag n-1, caveat n)                      4 compressions, 1 more per 64 bytes over 55
//! ```

use constant_time_eq::constant_time_eq_32;
use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of a tag, of a key and of a subkey, in bytes.
pub const TAG_BYTES: usize = 32;

/// What libmacaroons derives every root key with (`generate_derived_key` in its macaroons.c).
const GENERATOR: &[u8] = b"macaroons-key-generator";

/// The initial hash value of SHA-256 (FIPS 180-4, section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// Most bytes of a message that the block with its length has room for.
const LAST_BYTES: usize = 55;
/// Bytes of the block that a key fills.
const KEY_BLOCK: usize = 64;
const INNER_PAD: u32 = 0x3636_3636;
const OUTER_PAD: u32 = 0x5c5c_5c5c;

type State = [u32; 8];
type Block = [u8; 64];

/// The two states of HMAC once its key block has gone in; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Prepared {
    inner: State,
    outer: State,
}

impl Prepared {
    /// The root state of a macaroon whose secret is `subkey`, derived as libmacaroons does.
    pub(crate) fn root(subkey: &[u8; TAG_BYTES]) -> Self {
        let mut generator = [0; TAG_BYTES];
        for (to, from) in generator.iter_mut().zip(GENERATOR) {
            *to = *from;
        }
        let mut key = Self::keyed(&words(&generator)).tag(subkey);
        let root = Self::keyed(&key.0);
        key.0.zeroize();
        root
    }

    #[inline]
    fn keyed(key: &State) -> Self {
        let (mut inner, mut outer) = (INITIAL, INITIAL);
        compress256(&mut inner, &[key_block(key, INNER_PAD)]);
        compress256(&mut outer, &[key_block(key, OUTER_PAD)]);
        Self { inner, outer }
    }

    /// The tag of `message` under this key.
    #[inline]
    pub(crate) fn tag(&self, message: &[u8]) -> Tag {
        let (mut inner, mut outer) = (self.inner, self.outer);
        absorb(&mut inner, message, KEY_BLOCK);
        let mut digest = DIGEST_BLOCK;
        put(&mut digest, &inner);
        compress256(&mut outer, &[digest]);
        Tag(outer)
    }
}

/// A link of the chain. Secret: whoever holds the tag of a shorter chain can undo its caveats.
///
/// It has no `==`: [`Tag::matches`] is the one way to compare it.
pub(crate) struct Tag(State);

impl Tag {
    /// The tag of the next caveat: HMAC with this tag as key.
    #[inline]
    pub(crate) fn extend(&self, caveat: &[u8]) -> Self {
        let (mut inner, mut outer) = (INITIAL, INITIAL);
        let mut outer_blocks = [key_block(&self.0, OUTER_PAD), DIGEST_BLOCK];
        let mut inner_blocks = [key_block(&self.0, INNER_PAD), [0; 64]];
        let [inner_key, message] = &mut inner_blocks;
        if caveat.len() > LAST_BYTES {
            compress256(&mut inner, &[*inner_key]);
            absorb(&mut inner, caveat, KEY_BLOCK);
        } else {
            // Between the blocks of one call the state stays in registers: 20 ns less a caveat.
            pad(message, caveat, KEY_BLOCK + caveat.len());
            compress256(&mut inner, &inner_blocks);
        }
        let [_, digest] = &mut outer_blocks;
        put(digest, &inner);
        compress256(&mut outer, &outer_blocks);
        Tag(outer)
    }

    /// Takes a tag as it stands at the end of a token.
    pub(crate) fn from_bytes(bytes: &[u8; TAG_BYTES]) -> Self {
        Self(words(bytes))
    }

    /// The tag as it stands at the end of a token.
    #[inline]
    pub(crate) fn to_bytes(&self) -> [u8; TAG_BYTES] {
        let mut bytes = [0; TAG_BYTES];
        put(&mut bytes, &self.0);
        bytes
    }

    /// Whether this is the tag of a token, compared in constant time.
    #[inline]
    pub(crate) fn matches(&self, claimed: &[u8; TAG_BYTES]) -> bool {
        constant_time_eq_32(&self.to_bytes(), claimed)
    }
}

/// SHA-256 without a key.
#[inline]
pub(super) fn sha256(message: &[u8]) -> [u8; TAG_BYTES] {
    let mut state = INITIAL;
    absorb(&mut state, message, 0);
    Tag(state).to_bytes()
}

/// Takes a message and its padding into a state that so many bytes have gone into before.
#[inline]
fn absorb(state: &mut State, message: &[u8], before: usize) {
    let (whole, rest) = message.as_chunks::<64>();
    if !whole.is_empty() {
        compress256(state, whole);
    }
    if rest.len() > LAST_BYTES {
        let mut last = [[0; 64]; 2];
        pad(last.as_flattened_mut(), rest, before + message.len());
        compress256(state, &last);
    } else {
        let mut last = [0; 64];
        pad(&mut last, rest, before + message.len());
        compress256(state, &[last]);
    }
}

/// Lays out the end of a message in blocks of zeros: the rest, one bit, and at last how many bits
/// went in, those of a key block included.
#[inline]
fn pad(blocks: &mut [u8], rest: &[u8], length: usize) {
    if let Some((text, [bit, ..])) = blocks.split_at_mut_checked(rest.len()) {
        text.copy_from_slice(rest);
        *bit = 0x80;
    }
    if let Some(bits) = blocks.last_chunk_mut() {
        *bits = (length as u64 * 8).to_be_bytes();
    }
}

/// The padding of a block that holds one digest behind one key block: 96 bytes in all.
const DIGEST_BLOCK: Block = {
    let mut block = [0; 64];
    block[32] = 0x80;
    block[62] = 0x03;
    block
};

/// A key block of HMAC: the key and zeros, each byte XORed with the pad.
#[inline]
fn key_block(key: &State, pad: u32) -> Block {
    let [byte, ..] = pad.to_be_bytes();
    let mut block = [byte; 64];
    put(&mut block, &key.map(|word| word ^ pad));
    block
}

#[inline]
fn put<const N: usize>(bytes: &mut [u8; N], words: &State) {
    for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *to = from.to_be_bytes();
    }
}

#[inline]
fn words(bytes: &[u8; TAG_BYTES]) -> State {
    let mut state = [0; 8];
    for (to, from) in state.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *to = u32::from_be_bytes(*from);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha2::Sha256;

    fn reference(key: &[u8], message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    proptest! {
        #[test]
        fn every_link_is_hmac_sha256(
            subkey: [u8; 32],
            identifier in proptest::collection::vec(any::<u8>(), 0..200),
            caveats in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5),
        ) {
            let mut expected = reference(&reference(GENERATOR, &subkey), &identifier);
            let mut tag = Prepared::root(&subkey).tag(&identifier);
            prop_assert_eq!(tag.to_bytes(), expected);

            for caveat in &caveats {
                expected = reference(&expected, caveat);
                tag = tag.extend(caveat);
                prop_assert_eq!(tag.to_bytes(), expected);
            }
        }
    }

    #[test]
    fn a_digest_without_a_key_is_sha_256_at_every_length_around_a_block() {
        use sha2::Digest;

        for length in 0..=260 {
            let message = vec![0x5a; length];
            assert_eq!(sha256(&message), *Sha256::digest(&message), "{length} bytes");
        }
    }

    #[test]
    fn every_length_around_a_block_is_padded_as_hmac_pads_it() {
        let key = [7; 32];
        for length in 0..=260 {
            let message = vec![0xa5; length];
            let tag = Tag::from_bytes(&key).extend(&message);

            assert_eq!(tag.to_bytes(), reference(&key, &message), "{length} bytes");
        }
    }

    #[test]
    fn a_tag_matches_itself_and_nothing_one_bit_away() {
        let tag = Tag::from_bytes(&[3; 32]).extend(b"time < 5");
        let bytes = tag.to_bytes();
        assert!(tag.matches(&bytes));

        for bit in 0..256 {
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!tag.matches(&other), "bit {bit}");
        }
    }
}
