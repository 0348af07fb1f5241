//! Password hashes of the server before us: bcrypt with a pepper, as Synapse makes them.
//!
//! Each is replaced at its user's next login. As long as any is left, every password is checked
//! against one, so that nobody learns from the time it takes who is here. This file refuses to know
//! where hashes are kept.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use zeroize::Zeroizing;

/// Longest password that bcrypt looks at, in bytes; Synapse cuts what is longer.
const LONGEST: usize = 72;

/// The most rounds, as a power of two, that are computed for anybody: each more doubles the time.
const MOST_ROUNDS: u32 = 16;

/// What the password of somebody without such a hash is checked against: of no password anybody
/// has, at the cost that Synapse chooses by default.
const NOBODY: &str = "$2b$12$abcdefghijklmnopqrstuuJXtxZr4WUOEOzvpGCl3eYPAz3wH9oxG";

/// Checks passwords against hashes of the server before us.
#[derive(Default)]
pub(super) struct Predecessor {
    pepper: Zeroizing<String>,
    left: AtomicBool,
}

impl Predecessor {
    pub(super) fn with_pepper(pepper: Zeroizing<String>) -> Self {
        Self { pepper, left: AtomicBool::new(false) }
    }

    /// Whether any such hash is left, as far as is known here.
    pub(super) fn left(&self) -> bool {
        self.left.load(Relaxed)
    }

    /// Notes whether any is left.
    pub(super) fn set_left(&self, left: bool) {
        self.left.store(left, Relaxed);
    }

    /// Whether a password, in Unicode's compatibility form, fits a hash. Without one the work is
    /// the same and the answer no.
    pub(super) fn verify(&self, stored: Option<&str>, password: &str) -> bool {
        let mut peppered = Zeroizing::new(Vec::with_capacity(password.len() + self.pepper.len()));
        peppered.extend_from_slice(password.as_bytes());
        peppered.extend_from_slice(self.pepper.as_bytes());
        peppered.truncate(LONGEST);
        let fits = bcrypt::verify(&*peppered, stored.unwrap_or(NOBODY)).unwrap_or(false);
        fits && stored.is_some()
    }
}

/// Whether a hash is one of the server before us, at a cost that can be paid.
#[must_use]
pub fn is_predecessors(hash: &str) -> bool {
    let form = ["$2a$", "$2b$", "$2y$"].iter().any(|form| hash.starts_with(form));
    let rounds = hash.get(4..6).and_then(|rounds| rounds.parse().ok());
    form && hash.len() == 60 && rounds.is_some_and(|rounds: u32| rounds <= MOST_ROUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's `bcrypt.hashpw(b"fisch" + b"pepper", bcrypt.gensalt(4))`.
    const FISCH: &str = "$2b$04$EJ2WA4qW5QEkEGzg4ZoawOv/94e8dx2OmVPAM2UqN8NeT1PP8YRYe";

    #[test]
    fn a_hash_that_another_library_made_is_fitted_by_its_password_and_pepper_alone() {
        let with = Predecessor::with_pepper(Zeroizing::new("pepper".to_owned()));

        assert!(is_predecessors(FISCH));
        assert!(with.verify(Some(FISCH), "fisch"));
        assert!(!with.verify(Some(FISCH), "fish"));
        assert!(!Predecessor::default().verify(Some(FISCH), "fisch"));
    }

    #[test]
    fn nobody_has_the_password_that_others_are_checked_against() {
        assert!(is_predecessors(NOBODY));
        assert!(!Predecessor::default().verify(None, ""));
    }

    #[test]
    fn a_hash_that_would_take_for_ever_is_none() {
        assert!(!is_predecessors(&NOBODY.replace("$12$", "$31$")));
        assert!(!is_predecessors("$2b$12$short"));
        assert!(!is_predecessors("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"));
    }
}
