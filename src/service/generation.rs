//! The rule of generations: which refresh token may be exchanged, and for which pair.
//!
//! Nothing but arithmetic over what the store remembers of a session; this file refuses to know
//! tokens, clocks and the store.
//!
//! The first exchange of a generation opens a branch of the next one; for 30 seconds every repeat
//! is given the same branch, so a lost answer or a second process logs nobody out. A later repeat
//! opens another branch. The first use of any token of the next generation settles which branch
//! wins: the generation before it and the other branches are retired, so that a thief and the owner
//! of one refresh token cannot both live on.

use super::RefreshFault;
use crate::store::Renewal;
use crate::time::Timestamp;

/// How long a repeated exchange is given the same pair, in milliseconds.
const WINDOW: u64 = 30_000;

/// How many branches of one generation there may be before one of them is used.
const BRANCHES: usize = 5;

/// A token of a renewing session, as far as this rule tells tokens apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) generation: u32,
    pub(super) issued_at: Timestamp,
}

impl Renewal {
    /// Notes that a token of the session was used; `false` when that changes nothing.
    ///
    /// A newer one that the store has never heard of is genuine all the same, or it would not have
    /// come this far: the store has lost the exchange it came of, and its owner goes on with it.
    pub(super) fn settle(&mut self, used: Mark, now: Timestamp) -> bool {
        if used.generation <= self.generation {
            return false;
        }
        self.generation = used.generation;
        self.branch = used.issued_at;
        self.settled_at = now;
        self.branches.clear();
        true
    }

    /// Exchanges a refresh token that was presented; gives the mark of the pair that comes of it.
    ///
    /// `grace` is how long after its retirement a generation is still answered, in milliseconds: a
    /// second process that was frozen meanwhile is then given the pair of the generation that
    /// retired its own.
    pub(super) fn exchange(
        &mut self,
        presented: Mark,
        now: Timestamp,
        grace: u64,
    ) -> Result<Mark, RefreshFault> {
        self.settle(presented, now);
        if presented.generation != self.generation || presented.issued_at != self.branch {
            let before = presented.generation.checked_add(1) == Some(self.generation);
            // Without a grace there is none, wherever the clock of this node stands.
            if before && grace > 0 && now < self.settled_at.plus(grace) {
                return Ok(Mark { generation: self.generation, issued_at: self.branch });
            }
            return Err(RefreshFault::Retired);
        }
        let generation = self.generation.checked_add(1).ok_or(RefreshFault::Retired)?;
        if let Some(newest) = self.branches.last()
            && now < self.opened_at.plus(WINDOW)
        {
            return Ok(Mark { generation, issued_at: *newest });
        }
        if self.branches.len() >= BRANCHES {
            return Err(RefreshFault::TooManyBranches);
        }
        // Two branches of one generation never share an instant, whatever the clock does.
        let newest = self.branches.last().copied().unwrap_or(self.branch);
        let issued_at = now.max(newest.plus(1));
        self.branches.push(issued_at);
        self.opened_at = now;
        Ok(Mark { generation, issued_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::SessionId;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn fresh() -> Renewal {
        Renewal {
            session: SessionId::new(START, [0; 10]),
            user_id: "@alice:hs".to_owned(),
            device_id: "D".to_owned(),
            generation: 0,
            branch: START,
            settled_at: START,
            branches: Vec::new(),
            opened_at: Timestamp::ZERO,
            carried: Vec::new(),
        }
    }

    fn first() -> Mark {
        Mark { generation: 0, issued_at: START }
    }

    #[test]
    fn a_repeat_within_30_seconds_is_given_the_same_pair() {
        let mut renewal = fresh();
        let pair = renewal.exchange(first(), START.plus(10), 0).unwrap();

        assert_eq!(renewal.exchange(first(), START.plus(10 + 29_999), 0), Ok(pair));
        assert_ne!(renewal.exchange(first(), START.plus(10 + 30_000), 0), Ok(pair));
    }

    #[test]
    fn the_first_use_of_a_branch_retires_the_others_and_the_generation_before() {
        let mut renewal = fresh();
        let owner = renewal.exchange(first(), START, 0).unwrap();
        let thief = renewal.exchange(first(), START.plus(40_000), 0).unwrap();
        assert!(renewal.settle(owner, START.plus(50_000)));

        let late = START.plus(90_000);
        assert_eq!(renewal.exchange(thief, late, 0), Err(RefreshFault::Retired));
        assert_eq!(renewal.exchange(first(), late, 0), Err(RefreshFault::Retired));
        assert!(renewal.exchange(owner, late, 0).is_ok());
    }

    #[test]
    fn a_thief_who_uses_his_branch_first_is_the_one_who_lives_on() {
        let mut renewal = fresh();
        let owner = renewal.exchange(first(), START, 0).unwrap();
        let thief = renewal.exchange(first(), START.plus(40_000), 0).unwrap();
        assert!(renewal.exchange(thief, START.plus(50_000), 0).is_ok());

        assert_eq!(renewal.exchange(owner, START.plus(50_001), 0), Err(RefreshFault::Retired));
    }

    #[test]
    fn a_generation_is_exchanged_no_more_than_five_times_until_one_is_used() {
        let mut renewal = fresh();
        for minute in 0..5 {
            assert!(renewal.exchange(first(), START.plus(minute * 60_000), 0).is_ok());
        }

        let sixth = renewal.exchange(first(), START.plus(5 * 60_000), 0);
        assert_eq!(sixth, Err(RefreshFault::TooManyBranches));
    }

    #[test]
    fn a_frozen_process_is_answered_as_long_as_the_grace_lasts() {
        let mut renewal = fresh();
        let pair = renewal.exchange(first(), START, 0).unwrap();
        renewal.settle(pair, START.plus(100));

        assert_eq!(renewal.exchange(first(), START.plus(1099), 1000), Ok(pair));
        assert_eq!(renewal.exchange(first(), START.plus(1100), 1000), Err(RefreshFault::Retired));
        assert_eq!(renewal.exchange(first(), START.plus(101), 0), Err(RefreshFault::Retired));
    }

    #[test]
    fn a_use_that_is_told_twice_or_late_changes_nothing() {
        let mut renewal = fresh();
        let one = renewal.exchange(first(), START, 0).unwrap();
        assert!(renewal.settle(one, START));
        let two = renewal.exchange(one, START.plus(1), 0).unwrap();
        assert!(renewal.settle(two, START.plus(2)));

        assert!(!renewal.settle(one, START.plus(3)));
        assert!(!renewal.settle(two, START.plus(3)));
        assert!(!renewal.settle(Mark { generation: 0, ..two }, START.plus(3)));
    }

    #[test]
    fn a_generation_that_the_store_has_lost_is_taken_up() {
        let mut known = fresh();
        let one = known.exchange(first(), START, 0).unwrap();
        let mut lost = fresh();

        let two = lost.exchange(one, START.plus(60_000), 0);

        assert_eq!(two.map(|mark| mark.generation), Ok(2));
        assert_eq!(lost.exchange(first(), START.plus(60_001), 0), Err(RefreshFault::Retired));
    }

    #[test]
    fn without_a_grace_a_clock_that_is_behind_grants_none() {
        let mut renewal = fresh();
        let one = renewal.exchange(first(), START, 0).unwrap();
        renewal.settle(one, START.plus(3_600_000));

        let behind = renewal.exchange(first(), START, 0);

        assert_eq!(behind, Err(RefreshFault::Retired));
    }
}
