//! Passwords: argon2id on a bounded number of threads.
//!
//! Unknown users cost the same hashes as known ones. This file refuses to know whose password it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::predecessor::{Predecessor, is_predecessors};
use super::{Failure, random};
use crate::random::NoRandomness;

/// How many passwords may wait for each one that is being hashed; more are turned away.
const QUEUE: usize = 64;

/// What one hash costs.
#[derive(Clone, Copy, Debug)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// Hashes and checks passwords, a few at once.
pub struct Passwords {
    params: Params,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// What the password of an unknown user is checked against.
    nobody: String,
    predecessor: Arc<Predecessor>,
    hashes: Arc<AtomicU64>,
}

impl Passwords {
    /// A hasher that runs on at most `at_once` threads.
    ///
    /// # Errors
    /// [`Failure::Randomness`]; a cost that argon2 does not take counts as the default one, since
    /// the configuration has checked it.
    pub fn new(at_once: usize, cost: HashCost) -> Result<Self, Failure> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None);
        let params = params.unwrap_or_default();
        let at_once = at_once.max(1);
        let nobody = hash(&params, &random::<16>()?).ok_or(NoRandomness)?;
        Ok(Self {
            params,
            running: Arc::new(Semaphore::new(at_once)),
            waiting: Arc::new(Semaphore::new(at_once * (QUEUE + 1))),
            nobody,
            predecessor: Arc::default(),
            hashes: Arc::default(),
        })
    }

    /// Checks hashes of the server before us too, which it made with this pepper.
    #[must_use]
    pub fn peppered(self, pepper: Zeroizing<String>) -> Self {
        Self { predecessor: Arc::new(Predecessor::with_pepper(pepper)), ..self }
    }

    /// Notes whether hashes of the server before us are left.
    pub(super) fn predecessors_left(&self, left: bool) {
        self.predecessor.set_left(left);
    }

    /// The hash of a new password, in PHC form.
    ///
    /// # Errors
    /// [`Failure::Busy`] when too many are waiting, [`Failure::Randomness`] without a salt.
    pub async fn hash(&self, password: &str) -> Result<String, Failure> {
        let (params, password) = (self.params.clone(), normal(password));
        let hashed = self.run(move || hash(&params, password.as_bytes())).await?;
        Ok(hashed.ok_or(NoRandomness)?)
    }

    /// Whether a password fits a hash; without a hash the work is the same and the answer no.
    ///
    /// # Errors
    /// [`Failure::Busy`] when too many are waiting.
    pub async fn check(&self, password: &str, known: Option<&str>) -> Result<bool, Failure> {
        let (ours, theirs) = match known {
            Some(hash) if is_predecessors(hash) => {
                self.predecessor.set_left(true);
                (None, Some(hash.to_owned()))
            }
            known => (known.filter(|hash| PasswordHash::new(hash).is_ok()), None),
        };
        let (nobody, known) = (self.nobody.clone(), ours.is_some());
        let ours = ours.map_or(nobody, str::to_owned);
        let (password, predecessor) = (normal(password), self.predecessor.clone());
        let both = move || {
            let fits = verify(&ours, password.as_bytes()) && known;
            let before = predecessor.left() && predecessor.verify(theirs.as_deref(), &password);
            fits || before
        };
        self.run(both).await
    }

    /// How many hashes have been computed since the start.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let _place = self.waiting.clone().try_acquire_owned().map_err(|_| Failure::Busy)?;
        // The permit goes with the work: a caller who hangs up does not make room for another.
        let permit = self.running.clone().acquire_owned().await.map_err(|_| Failure::Busy)?;
        let hashes = self.hashes.clone();
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            hashes.fetch_add(1, Relaxed);
            drop(permit);
            done
        });
        task.await.map_err(|_| Failure::Busy)
    }
}

/// Passwords are compared in Unicode's compatibility form, as Synapse does, so that a password
/// typed on another keyboard is the same.
fn normal(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.nfkc().collect())
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(params: &Params, password: &[u8]) -> Option<String> {
    argon2(params.clone()).hash_password(password).ok().map(|hash| hash.to_string())
}

fn verify(stored: &str, password: &[u8]) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    argon2(Params::default()).verify_password(password, &stored).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(1, HashCost { memory_kib: 64, iterations: 1, parallelism: 1 }).unwrap()
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let passwords = passwords();
        let hash = passwords.hash("correct horse").await.unwrap();

        assert!(passwords.check("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.check("correct house", Some(&hash)).await.unwrap());
        assert!(!passwords.check("correct horse", None).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_costs_one_hash_like_a_known_one() {
        let passwords = passwords();
        let hash = passwords.hash("secret").await.unwrap();
        let before = passwords.hashes();

        passwords.check("guess", Some(&hash)).await.unwrap();
        let known = passwords.hashes() - before;
        passwords.check("guess", None).await.unwrap();
        let unknown = passwords.hashes() - before - known;

        assert_eq!((known, unknown), (1, 1));
    }

    #[tokio::test]
    async fn two_spellings_of_one_password_are_one() {
        let passwords = passwords();
        let hash = passwords.hash("\u{fb01}sch \u{212b}").await.unwrap();

        assert!(passwords.check("fisch \u{c5}", Some(&hash)).await.unwrap());
    }
}
