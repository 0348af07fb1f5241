//! Our tokens, read and signed with the `hmac` crate's own objects instead of `chain.rs`.
//!
//! The checks are the same as ours, so that what differs is the chain alone.

use amaretti::ident::{DeviceId, UserId};
use amaretti::time::Timestamp;
use amaretti::token::{IDENTIFIER_BYTES, Identifier, KeyId, Kind, MAX_CHARS, Route, TAG_BYTES};
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Engine, Simd};
use constant_time_eq::constant_time_eq_32;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::support::sessions::{END, Session};

const UNPADDED: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);

/// The keys, each prepared as an object that is cloned for every token.
pub(crate) struct HmacChain(Vec<(KeyId, Hmac<Sha256>)>);

impl HmacChain {
    pub(crate) fn new(secrets: &[(KeyId, [u8; 32])]) -> Self {
        let mut roots: Vec<_> = secrets
            .iter()
            .map(|(id, secret)| (*id, keyed(&tag(keyed(b"macaroons-key-generator"), secret))))
            .collect();
        roots.sort_by_key(|(id, _)| *id);
        Self(roots)
    }

    fn root(&self, id: KeyId) -> Option<Hmac<Sha256>> {
        let at = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.0.get(at).map(|(_, root)| root.clone())
    }

    /// From text to user and device.
    pub(crate) fn verify<'s>(
        &self,
        text: &str,
        scratch: &'s mut [u8; MAX_CHARS],
        now: Timestamp,
    ) -> Option<(UserId<'s>, DeviceId<'s>)> {
        let body = text.strip_prefix(Kind::Access.prefix())?;
        let length = Simd::url_safe(UNPADDED).decode_slice(body, scratch).ok()?;
        let (signed, mut rest) = scratch
            .get(..length)?
            .strip_prefix(&[2, 2, IDENTIFIER_BYTES as u8])?
            .split_first_chunk::<IDENTIFIER_BYTES>()?;
        rest = rest.strip_prefix(&[0])?;
        let identifier = Identifier::read(signed).ok()?;
        let mut tagged = tag(self.root(identifier.key_id)?, signed);
        let (mut user, mut device) = (None, None);
        while let [2, length @ ..0x80, tail @ ..] = rest {
            let (caveat, tail) = tail.split_at_checked(usize::from(*length))?;
            tagged = tag(keyed(&tagged), caveat);
            let caveat = str::from_utf8(caveat).ok()?;
            let named_user = caveat.strip_prefix("user_id = ").map(UserId::parse);
            user = user.or(named_user.transpose().ok()?);
            let named_device = caveat.strip_prefix("device_id = ").map(DeviceId::parse);
            device = device.or(named_device.transpose().ok()?);
            rest = tail.strip_prefix(&[0])?;
        }
        let claimed = rest.strip_prefix(&[0, 6, TAG_BYTES as u8])?.try_into().ok()?;
        let holds = constant_time_eq_32(&tagged, claimed);
        let lives = identifier.expires_at.is_none_or(|end| now < end);
        Some((user?, device?)).filter(|_| holds && lives)
    }

    /// From a session to text.
    pub(crate) fn mint(&self, session: &Session) -> Option<String> {
        let signed = identifier(session)?.encode();
        let mut bytes = Vec::with_capacity(MAX_CHARS);
        bytes.extend([2, 2, IDENTIFIER_BYTES as u8]);
        bytes.extend(signed);
        bytes.push(0);
        let mut tagged = tag(self.root(session.key)?, &signed);
        for (head, id) in [("user_id = ", &session.user), ("device_id = ", &session.device)] {
            bytes.extend([2, u8::try_from(head.len() + id.len()).ok()?]);
            let start = bytes.len();
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(id.as_bytes());
            tagged = tag(keyed(&tagged), bytes.get(start..)?);
            bytes.push(0);
        }
        bytes.extend([0, 6, TAG_BYTES as u8]);
        bytes.extend(tagged);
        let mut text = String::with_capacity(4 + bytes.len().div_ceil(3) * 4);
        text.push_str(Kind::Access.prefix());
        Simd::url_safe(UNPADDED).encode_string(&bytes, &mut text);
        Some(text)
    }
}

fn identifier(session: &Session) -> Option<Identifier> {
    Some(Identifier {
        kind: Kind::Access,
        has_device: true,
        guest: false,
        route: Route::of(UserId::parse(&session.user).ok()?),
        key_id: session.key,
        session: session.id,
        generation: 0,
        issued_at: session.id.beginning(),
        expires_at: Some(Timestamp::from_millis(END)),
    })
}

/// A key object; keys are at most 32 bytes long here.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new(&block)
}

fn tag(mut mac: Hmac<Sha256>, message: &[u8]) -> [u8; TAG_BYTES] {
    mac.update(message);
    mac.finalize().into_bytes().into()
}
