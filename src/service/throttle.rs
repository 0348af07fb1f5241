//! Limits on how often something may be tried, by address and by account.
//!
//! They hold for this node alone: behind a balancer with n nodes an attacker has n times as many
//! tries. Memory is bounded: past a hundred thousand names those that have rested are let go, and if
//! that is not enough all of them are. This file refuses to know what is tried.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::{Declined, Denial, Service};
use crate::time::Clock;

/// How many names a limit remembers.
const REMEMBERED: usize = 100_000;

/// How many times as often as from one address something may be tried on one account, so that
/// nobody locks an owner out from a single address.
const ACCOUNT: u32 = 5;

/// How often something may be tried in a minute from one address; 0 for no limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Passwords.
    pub passwords: u32,
    /// Registrations, finished or not.
    pub registrations: u32,
    /// Login tokens.
    pub login_tokens: u32,
    /// Refresh tokens that do not hold.
    pub refreshes: u32,
    /// Questions whether a registration token is good or a username free.
    pub probes: u32,
}

impl Limits {
    /// No limit on anything: for tests and for those who have one in front.
    pub const NONE: Self =
        Self { passwords: 0, registrations: 0, login_tokens: 0, refreshes: 0, probes: 0 };
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// A password.
    Password,
    /// A registration.
    Registration,
    /// A login token.
    LoginToken,
    /// A refresh token that does not hold.
    Refresh,
    /// A question.
    Probe,
    /// A password on one account, from whatever address.
    Account,
}

impl Try {
    /// Everything that is limited.
    pub const ALL: [Self; 6] = [
        Self::Password,
        Self::Registration,
        Self::LoginToken,
        Self::Refresh,
        Self::Probe,
        Self::Account,
    ];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Registration => "registration",
            Self::LoginToken => "login_token",
            Self::Refresh => "refresh",
            Self::Probe => "probe",
            Self::Account => "account",
        }
    }
}

/// The limits of one node.
pub(super) struct Throttle {
    passwords: Option<Limit>,
    passwords_of_account: Option<Limit>,
    registrations: Option<Limit>,
    login_tokens: Option<Limit>,
    refreshes: Option<Limit>,
    probes: Option<Limit>,
}

impl Throttle {
    pub(super) fn new(limits: Limits, clock: &Arc<dyn Clock>) -> Self {
        let limit = |a_minute: u32| Limit::new(a_minute, clock);
        Self {
            passwords: limit(limits.passwords),
            passwords_of_account: limit(limits.passwords.saturating_mul(ACCOUNT)),
            registrations: limit(limits.registrations),
            login_tokens: limit(limits.login_tokens),
            refreshes: limit(limits.refreshes),
            probes: limit(limits.probes),
        }
    }

    fn of(&self, what: Try) -> Option<&Limit> {
        match what {
            Try::Password => self.passwords.as_ref(),
            Try::Registration => self.registrations.as_ref(),
            Try::LoginToken => self.login_tokens.as_ref(),
            Try::Refresh => self.refreshes.as_ref(),
            Try::Probe => self.probes.as_ref(),
            Try::Account => self.passwords_of_account.as_ref(),
        }
    }
}

impl Service {
    /// Counts a try from an address; one whose address is not known is not counted.
    ///
    /// # Errors
    /// [`Declined::TooSoon`] with the milliseconds to wait.
    pub fn may_try(&self, what: Try, address: Option<IpAddr>) -> Result<(), Denial> {
        match (self.throttle.of(what), address) {
            (Some(limit), Some(address)) => self.counted(what, limit.count(&network(address))),
            _ => Ok(()),
        }
    }

    /// Counts a password that is tried on an account, whether or not there is one.
    pub(super) fn may_try_account(&self, account: &str) -> Result<(), Denial> {
        let account = account.to_ascii_lowercase();
        let limit = self.throttle.passwords_of_account.as_ref();
        self.counted(Try::Account, limit.map_or(Ok(()), |limit| limit.count(&account)))
    }

    fn counted(&self, what: Try, tried: Result<(), Denial>) -> Result<(), Denial> {
        if tried.is_err() {
            self.metrics.limited(what);
        }
        tried
    }
}

/// What counts as one address: of IPv6 the half that a subscriber has for himself.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => format!("{:x}", u128::from(six) >> 64),
    }
}

type Limiter = RateLimiter<String, HashMapStateStore<String>, Told, NoOpMiddleware<Duration>>;

struct Limit {
    quota: Quota,
    clock: Told,
    limiter: ArcSwap<Limiter>,
}

impl Limit {
    fn new(a_minute: u32, clock: &Arc<dyn Clock>) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(a_minute)?);
        let clock = Told(clock.clone());
        let limiter = ArcSwap::from_pointee(fresh(quota, &clock));
        Some(Self { quota, clock, limiter })
    }

    fn count(&self, name: &String) -> Result<(), Denial> {
        let limiter = self.limiter.load();
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
            if limiter.len() > REMEMBERED {
                self.limiter.store(Arc::new(fresh(self.quota, &self.clock)));
            }
        }
        limiter.check_key(name).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now()).as_millis();
            Declined::TooSoon(u64::try_from(wait).unwrap_or(u64::MAX).max(1)).into()
        })
    }
}

fn fresh(quota: Quota, clock: &Told) -> Limiter {
    RateLimiter::new(quota, HashMapStateStore::default(), clock.clone())
}

/// Our clock, as the limiter reads it.
#[derive(Clone)]
struct Told(Arc<dyn Clock>);

impl GovernorClock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{ManualClock, Timestamp};

    fn limit(a_minute: u32) -> (Arc<ManualClock>, Limit) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let told: Arc<dyn Clock> = clock.clone();
        (clock, Limit::new(a_minute, &told).unwrap())
    }

    #[test]
    fn who_waits_as_long_as_told_may_try_again() {
        let (clock, limit) = limit(6);
        let name = "192.0.2.1".to_owned();
        for _ in 0..6 {
            limit.count(&name).unwrap();
        }
        let Err(Denial::Declined(Declined::TooSoon(wait))) = limit.count(&name) else {
            panic!("a seventh try passed")
        };

        clock.advance(wait - 1);
        assert!(limit.count(&name).is_err());
        clock.advance(1);
        assert!(limit.count(&name).is_ok());
    }

    #[test]
    fn one_name_does_not_use_up_the_tries_of_another() {
        let (_clock, limit) = limit(1);
        limit.count(&"a".to_owned()).unwrap();

        assert!(limit.count(&"a".to_owned()).is_err());
        assert!(limit.count(&"b".to_owned()).is_ok());
    }

    #[test]
    fn names_beyond_the_bound_are_let_go() {
        let (_clock, limit) = limit(1);
        for name in 0..=REMEMBERED + 10 {
            limit.count(&name.to_string()).unwrap();
        }

        assert!(limit.limiter.load().len() <= REMEMBERED + 1);
    }

    #[test]
    fn the_addresses_of_one_subscriber_are_one() {
        let (a, b) = ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2");

        assert_eq!(network(a.parse().unwrap()), network(b.parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
