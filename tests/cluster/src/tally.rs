//! What was counted, what was found true, and what was not.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// How many violations of one sentence are told in full.
const TOLD: u64 = 5;

/// Counts and violations of one run.
#[derive(Default)]
pub(crate) struct Tally {
    counts: RefCell<BTreeMap<String, u64>>,
    checks: RefCell<BTreeMap<&'static str, u64>>,
    violations: RefCell<BTreeMap<&'static str, u64>>,
}

impl Tally {
    /// Counts something that happened.
    pub(crate) fn count(&self, what: &str) {
        let mut counts = self.counts.borrow_mut();
        match counts.get_mut(what) {
            Some(count) => *count += 1,
            None => drop(counts.insert(what.to_owned(), 1)),
        }
    }

    /// Counts a sentence that was found true; one that is not is a violation, told at once.
    pub(crate) fn holds(
        &self,
        sentence: &'static str,
        truth: bool,
        found: impl FnOnce() -> String,
    ) {
        *self.checks.borrow_mut().entry(sentence).or_default() += u64::from(truth);
        if truth {
            return;
        }
        let mut violations = self.violations.borrow_mut();
        let count = violations.entry(sentence).or_default();
        *count += 1;
        if *count <= TOLD {
            println!("VIOLATION  {sentence}\n           found: {}", found());
        }
    }

    /// How many violations there were.
    pub(crate) fn violations(&self) -> u64 {
        self.violations.borrow().values().sum()
    }

    /// How often this was counted.
    pub(crate) fn counted(&self, what: &str) -> u64 {
        self.counts.borrow().get(what).copied().unwrap_or_default()
    }

    /// Everything counted under this heading, such as `fault`.
    pub(crate) fn group(&self, heading: &str) -> Vec<(String, u64)> {
        let counts = self.counts.borrow();
        let strip = |(name, count): (&String, &u64)| {
            Some((name.strip_prefix(heading)?.trim_start_matches(": ").to_owned(), *count))
        };
        counts.iter().filter_map(strip).collect()
    }

    /// Says what was counted and what was checked.
    pub(crate) fn report(&self) {
        for heading in ["fault", "done", "answered"] {
            println!("\n{heading}:");
            for (what, count) in self.group(heading) {
                println!("  {count:>9}  {what}");
            }
        }
        println!("\nchecked:");
        let violations = self.violations.borrow();
        for (sentence, count) in self.checks.borrow().iter() {
            match violations.get(*sentence) {
                Some(bad) => println!("  {count:>9}  {sentence}: VIOLATED {bad} times"),
                None => println!("  {count:>9}  {sentence}"),
            }
        }
    }
}
