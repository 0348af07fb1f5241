//! The machine that is measured on, as far as it tells.
//!
//! It refuses to know what its figures are.

use std::fs;
use std::num::NonZeroUsize;
use std::thread;

use serde::Serialize;

/// What a figure is worth nothing without.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    /// Its name for itself, or its architecture.
    pub(super) processor: String,
    /// How many threads can run at a time.
    pub(super) processors: usize,
    /// Whether it has instructions for SHA-256, which are then used.
    pub(super) sha_extensions: bool,
}

impl Machine {
    pub(super) fn here() -> Self {
        let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = name(&told).unwrap_or(std::env::consts::ARCH).to_owned();
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { processor, processors, sha_extensions: has_sha() }
    }

    /// As a sentence begins.
    pub(super) fn in_words(&self) -> String {
        let Self { processor, processors, sha_extensions } = self;
        let s = if *processors == 1 { "" } else { "s" };
        let with = if *sha_extensions { "with" } else { "without" };
        format!("{processor}, {processors} processor{s} {with} SHA extensions")
    }
}

fn name(cpuinfo: &str) -> Option<&str> {
    let fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let mut names = fields.filter(|(key, _)| key.trim() == "model name");
    names.next().map(|(_, name)| name.trim()).filter(|name| !name.is_empty())
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_sha() -> bool {
    std::is_x86_feature_detected!("sha")
}

#[cfg(target_arch = "aarch64")]
fn has_sha() -> bool {
    std::arch::is_aarch64_feature_detected!("sha2")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_sha() -> bool {
    false
}

/// Bytes of memory that this process has, where the system tells.
pub(super) fn resident() -> Option<u64> {
    kib(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS")
}

/// Bytes of memory that the machine could give, where the system tells.
pub(super) fn available() -> Option<u64> {
    kib(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}

fn kib(text: &str, key: &str) -> Option<u64> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| *name == key)?;
    value.trim().trim_end_matches(" kB").parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_called_what_it_calls_itself() {
        let told = "processor\t: 0\nmodel name\t: AMD EPYC <4>: a\nmodel name\t: other\n";
        assert_eq!(name(told), Some("AMD EPYC <4>: a"));
        assert_eq!(name("processor : 0\nmodel name :\n"), None);
    }

    #[test]
    fn memory_is_told_in_kib() {
        assert_eq!(kib("VmPeak:\t 9 kB\nVmRSS:\t    12 kB\n", "VmRSS"), Some(12 * 1024));
        assert_eq!(kib("VmRSS: lots\n", "VmRSS"), None);
    }
}
