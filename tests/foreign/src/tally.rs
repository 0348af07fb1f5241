//! Counts checks and prints a line for each.

use std::fmt::Display;

/// Why something is not as it should be, in words.
pub(crate) type Trouble = String;

/// An error in its own words.
pub(crate) fn said(error: impl Display) -> Trouble {
    error.to_string()
}

/// Turns a condition into an outcome.
pub(crate) fn hold(condition: bool, otherwise: impl Display) -> Result<(), Trouble> {
    if condition { Ok(()) } else { Err(otherwise.to_string()) }
}

/// What has passed and failed.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Counts a check under its name.
    pub(crate) fn count(&mut self, name: &str, outcome: Result<(), Trouble>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok    {name}");
            }
            Err(why) => {
                self.failed += 1;
                println!("FAIL  {name}: {why}");
            }
        }
    }

    /// Prints the sum; whether nothing has failed.
    pub(crate) fn close(&self) -> bool {
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }
}
