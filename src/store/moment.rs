//! An instant that can be told from another across a restart, whatever was done to the clock.
//!
//! This file refuses to know what happened then.

use std::fs;

use crate::time::Timestamp;

/// An instant by two clocks: the wall's, and one that nobody sets but that ends with the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub wall: Timestamp,
    /// Which run of the machine, and how many milliseconds after its start; empty when it is not
    /// known.
    pub run: String,
    /// Milliseconds after the start of the machine.
    pub up: u64,
}

impl Moment {
    /// The present one; `wall` is the present by the wall clock.
    #[must_use]
    pub fn now(wall: Timestamp) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let run = read("/proc/sys/kernel/random/boot_id").trim().to_owned();
        let uptime = read("/proc/uptime");
        let up = uptime.split(' ').next().and_then(|up| up.replace('.', "").parse::<u64>().ok());
        // Two digits behind the point: hundredths.
        Self { wall, run, up: up.unwrap_or_default().saturating_mul(10) }
    }

    /// So many milliseconds before this one.
    #[must_use]
    pub fn minus(&self, ms: u64) -> Self {
        let run = self.run.clone();
        Self { wall: self.wall.minus(ms), run, up: self.up.saturating_sub(ms) }
    }

    /// How many milliseconds have passed since `earlier`, rather too many than too few; `None` when
    /// neither clock can tell.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<u64> {
        let wall = self.wall.millis().checked_sub(earlier.wall.millis());
        let same_run = !self.run.is_empty() && self.run == earlier.run;
        let up = self.up.checked_sub(earlier.up).filter(|_| same_run);
        wall.into_iter().chain(up).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall: u64, run: &str, up: u64) -> Moment {
        Moment { wall: Timestamp::from_millis(wall), run: run.to_owned(), up }
    }

    #[test]
    fn an_age_is_rather_too_great_than_too_small() {
        let heard = moment(1000, "one run", 500);

        assert_eq!(moment(1700, "one run", 600).since(&heard), Some(700));
        assert_eq!(moment(1050, "one run", 600).since(&heard), Some(100));
        assert_eq!(moment(900, "one run", 600).since(&heard), Some(100), "the clock was set back");
        assert_eq!(moment(1700, "another run", 600).since(&heard), Some(700));
        assert_eq!(moment(900, "another run", 600).since(&heard), None, "nobody can tell");
        assert_eq!(moment(900, "", 600).since(&moment(1000, "", 500)), None);
    }

    #[test]
    fn this_machine_knows_how_long_it_has_run() {
        let now = Moment::now(Timestamp::ZERO);

        assert!(!now.run.is_empty() && now.up > 0, "{now:?}");
    }
}
