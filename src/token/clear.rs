//! The circumstances a token is judged in, and which caveat clears in them.
//!
//! This file knows what a caveat asks of an occasion; it refuses to know how the occasion came
//! about: methods and paths are floor 2's.

use core::net::IpAddr;

use super::Kind;
use super::caveat::{Caveat, network};
use crate::ident::{DeviceId, UserId};
use crate::time::Timestamp;

/// What a request does, as far as a caveat can tell requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Asks who the bearer is.
    Identify,
    /// Reads rooms, events, directories.
    Read,
    /// `/sync`, apart because it deletes to-device messages.
    Sync,
    /// Sends message events, receipts, typing, redactions.
    Send,
    /// Sends state events.
    State,
    /// Joins, leaves, invites, kicks, bans, creates rooms.
    Membership,
    /// Uploads, queries and claims encryption keys; backups; to-device messages.
    Keys,
    /// Uploads and downloads media.
    Media,
    /// Changes display name, avatar, presence, account data.
    Profile,
    /// Lists and renames devices.
    Devices,
    /// Ends sessions, changes credentials, makes tokens.
    Account,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::Identify,
        Self::Read,
        Self::Sync,
        Self::Send,
        Self::State,
        Self::Membership,
        Self::Keys,
        Self::Media,
        Self::Profile,
        Self::Devices,
        Self::Account,
    ];

    /// The name that stands in a caveat.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Read => "read",
            Self::Sync => "sync",
            Self::Send => "send",
            Self::State => "state",
            Self::Membership => "membership",
            Self::Keys => "keys",
            Self::Media => "media",
            Self::Profile => "profile",
            Self::Devices => "devices",
            Self::Account => "account",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// What a token is presented for; decides which kinds will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An ordinary request: access tokens.
    Request,
    /// An exchange for the next generation: refresh tokens.
    Refresh,
    /// A login: login tokens.
    Login,
    /// A question by the homeserver behind us: access and inner tokens.
    Introspection,
    /// A question by its own bearer, what it may do: access tokens. It is told nothing that does
    /// not stand in the token, so what the token may be used for is not judged.
    Itself,
}

impl Purpose {
    /// Whether a token of this kind is for this purpose.
    #[must_use]
    pub const fn admits(self, kind: Kind) -> bool {
        match self {
            Self::Request | Self::Itself => matches!(kind, Kind::Access),
            Self::Refresh => matches!(kind, Kind::Refresh),
            Self::Login => matches!(kind, Kind::Login),
            Self::Introspection => matches!(kind, Kind::Access | Kind::Inner),
        }
    }

    /// What a kind of token is usually presented for.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Access => Self::Request,
            Kind::Refresh => Self::Refresh,
            Kind::Login => Self::Login,
            Kind::Inner => Self::Introspection,
        }
    }

    /// Whether what the token may be used for is for others to judge: of a token that is exchanged,
    /// where the next one is used, which carries its caveats on; of one that asks about itself, nowhere.
    const fn uses_nothing(self) -> bool {
        matches!(self, Self::Refresh | Self::Login | Self::Itself)
    }
}

/// Whether a locked account may pass: it may end its sessions and do nothing else (specification,
/// "Account locking").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Active accounts only.
    Unlocked,
    /// Locked ones too.
    EvenLocked,
}

/// The circumstances a token is judged in. What is `None` is not known, and a caveat about it
/// does not clear.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'r> {
    /// What the token is presented for.
    pub purpose: Purpose,
    /// The present instant.
    pub now: Timestamp,
    /// Whether locked accounts pass.
    pub gate: Gate,
    /// What the request does.
    pub action: Option<Action>,
    /// The one room that the request names.
    pub room_id: Option<&'r str>,
    /// Where the caller is.
    pub address: Option<IpAddr>,
    /// The name of the service that judges.
    pub audience: Option<&'r str>,
}

impl Occasion<'_> {
    /// An occasion of which no more than purpose and time are known.
    #[must_use]
    pub const fn new(purpose: Purpose, now: Timestamp) -> Self {
        Self {
            purpose,
            now,
            gate: Gate::Unlocked,
            action: None,
            room_id: None,
            address: None,
            audience: None,
        }
    }

    /// Whether a caveat allows this occasion to a bearer.
    ///
    /// At an exchange `time` and `ip` are judged and the rest is carried into the token that comes
    /// of it, to be judged where that is used.
    #[must_use]
    pub fn clears(
        &self,
        caveat: &Caveat<'_>,
        user: UserId<'_>,
        device: Option<DeviceId<'_>>,
    ) -> bool {
        match *caveat {
            Caveat::UserId(id) => id == user.as_str(),
            Caveat::DeviceId(id) => device.is_some_and(|device| id == device.as_str()),
            Caveat::Time(end) => self.now < end,
            Caveat::Ip(networks) => self.address.is_some_and(|address| {
                let address = address.to_canonical();
                networks.members().filter_map(network).any(|net| net.contains(&address))
            }),
            Caveat::Label(_) => true,
            Caveat::Action(_) | Caveat::RoomId(_) | Caveat::Audience(_)
                if self.purpose.uses_nothing() =>
            {
                true
            }
            Caveat::Action(names) => {
                self.action.is_some_and(|action| names.members().any(|name| name == action.name()))
            }
            Caveat::RoomId(rooms) => {
                self.room_id.is_some_and(|room| rooms.members().any(|id| id == room))
            }
            Caveat::Audience(name) => self.audience == Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clears(caveat: &str, occasion: &Occasion<'_>) -> bool {
        let user = UserId::parse("@alice:hs").unwrap();
        occasion.clears(&Caveat::read(caveat).unwrap(), user, None)
    }

    fn request() -> Occasion<'static> {
        Occasion {
            action: Some(Action::Read),
            room_id: Some("!a:hs"),
            address: Some([192, 0, 2, 7].into()),
            audience: Some("media"),
            ..Occasion::new(Purpose::Request, Timestamp::from_millis(1000))
        }
    }

    #[test]
    fn each_caveat_clears_on_its_occasion() {
        for caveat in [
            "user_id = @alice:hs",
            "time < 1001",
            "action in send,read",
            "room_id in !b:hs,!a:hs",
            "ip in 10.0.0.0/8,192.0.2.0/24",
            "audience = media",
            "label = anything at all",
        ] {
            assert!(clears(caveat, &request()), "{caveat}");
        }
    }

    #[test]
    fn no_caveat_clears_beside_its_occasion() {
        for caveat in [
            "user_id = @alice:hs2",
            "device_id = D",
            "time < 1000",
            "action in send",
            "room_id in !a:hs2",
            "ip in 192.0.3.0/24",
            "audience = medi",
        ] {
            assert!(!clears(caveat, &request()), "{caveat}");
        }
    }

    #[test]
    fn what_is_not_known_clears_nothing_about_it() {
        let nothing = Occasion::new(Purpose::Request, Timestamp::ZERO);

        for caveat in ["action in read", "room_id in !a:hs", "ip in 0.0.0.0/0", "audience = media"]
        {
            assert!(!clears(caveat, &nothing), "{caveat}");
        }
    }

    #[test]
    fn what_uses_nothing_is_judged_by_time_and_address_alone() {
        for purpose in [Purpose::Login, Purpose::Refresh, Purpose::Itself] {
            let exchange = Occasion::new(purpose, Timestamp::from_millis(1000));

            assert!(clears("action in read", &exchange));
            assert!(clears("room_id in !a:hs", &exchange));
            assert!(clears("audience = media", &exchange));
            assert!(!clears("time < 1000", &exchange));
            assert!(!clears("ip in 0.0.0.0/0", &exchange));
        }
    }

    #[test]
    fn a_mapped_address_counts_as_ipv4() {
        let mut occasion = request();
        occasion.address = Some("::ffff:192.0.2.9".parse().unwrap());

        assert!(clears("ip in 192.0.2.0/24", &occasion));
        assert!(clears("ip in ::ffff:192.0.2.0/120", &occasion));
        assert!(!clears("ip in ::/0", &occasion));
    }
}
