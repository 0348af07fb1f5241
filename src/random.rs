//! The operating system's randomness: the one place that asks for it.
//!
//! It refuses to know what the bytes become.

/// The operating system gave no randomness; nothing can be made that has to be unguessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness;

/// Bytes from the operating system's source of randomness.
///
/// # Errors
/// [`NoRandomness`] when it fails.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}
