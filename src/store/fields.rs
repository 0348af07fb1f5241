//! A fact as text: the columns of the feed's table and the lines of a snapshot.
//!
//! This file refuses to know where the text is kept.

use super::StoreError;
use super::engine::Row;
use super::users::{instant, number};
use crate::imports::{Digest, Imported};
use crate::revocations::{Fact, KeyState, Standing};
use crate::token::{Account, AccountState, KeyId, Kind, SessionId};

/// A fact, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) kind: &'static str,
    pub(super) user_id: Option<Box<str>>,
    pub(super) device_id: Option<Box<str>>,
    pub(super) session: Option<SessionId>,
    pub(super) tick: Option<i64>,
    pub(super) value: Option<String>,
}

/// Every kind of fact there is.
const KINDS: [&str; 8] =
    ["user", "device", "session", "server", "account", "imported", "key announced", "key retired"];

impl Fields {
    pub(super) fn of(fact: &Fact) -> Self {
        let about = |kind| Self { kind, user_id: fact.user().map(Into::into), ..Self::default() };
        match fact {
            Fact::User { from, exempt, .. } => {
                Self { session: *exempt, tick: Some(number(*from)), ..about("user") }
            }
            Fact::Device { device, from, .. } => Self {
                device_id: Some(device.clone()),
                tick: Some(number(*from)),
                ..about("device")
            },
            Fact::Session { session, .. } => Self { session: Some(*session), ..about("session") },
            Fact::Server { from } => Self { tick: Some(number(*from)), ..about("server") },
            Fact::Account { at, standing, .. } => Self {
                tick: Some(number(*at)),
                value: Some(standing_name(*standing)),
                ..about("account")
            },
            Fact::Imported(token) => Self {
                device_id: token.device.clone(),
                session: Some(token.session),
                tick: token.expires_at.map(number),
                value: Some(format!("{} {}", token.kind, token.digest)),
                ..about("imported")
            },
            Fact::Key { id, state: KeyState::Announced } => {
                Self { value: Some(id.to_string()), ..about("key announced") }
            }
            Fact::Key { id, state: KeyState::Retired } => {
                Self { value: Some(id.to_string()), ..about("key retired") }
            }
        }
    }

    /// Reads six columns, from `first` on.
    pub(super) fn row(row: &Row, first: usize) -> Result<Self, StoreError> {
        let text = |at: usize| row.maybe(first + at);
        let session = text(3)?.map(|session| SessionId::parse(&session).ok_or(DAMAGED));
        Ok(Self {
            kind: known_kind(&row.text(first)?).ok_or(DAMAGED)?,
            user_id: text(1)?.map(String::into_boxed_str),
            device_id: text(2)?.map(String::into_boxed_str),
            session: session.transpose()?,
            tick: row.maybe_int(first + 4)?,
            value: text(5)?,
        })
    }

    /// What the fields say.
    pub(super) fn fact(self) -> Result<Fact, StoreError> {
        self.read().ok_or(DAMAGED)
    }

    fn read(self) -> Option<Fact> {
        let Self { kind, user_id, device_id, session, tick, value } = self;
        let tick = tick.map(instant);
        let key = |state| value.as_deref().and_then(KeyId::parse).map(|id| Fact::Key { id, state });
        match kind {
            "user" => Some(Fact::User { user: user_id?, from: tick?, exempt: session }),
            "device" => Some(Fact::Device { user: user_id?, device: device_id?, from: tick? }),
            "session" => Some(Fact::Session { user: user_id?, session: session? }),
            "server" => Some(Fact::Server { from: tick? }),
            "account" => {
                let standing = read_standing(&value?)?;
                Some(Fact::Account { user: user_id?, at: tick?, standing })
            }
            "imported" => {
                let value = value?;
                let (kind, digest) = value.split_once(' ')?;
                Some(Fact::Imported(Box::new(Imported {
                    digest: Digest::parse(digest)?,
                    kind: Kind::from_name(kind)?,
                    user: user_id?,
                    device: device_id,
                    session: session?,
                    expires_at: tick,
                })))
            }
            "key announced" => key(KeyState::Announced),
            "key retired" => key(KeyState::Retired),
            _ => None,
        }
    }

    /// One line, with tabs between the fields: no id holds a control character.
    pub(super) fn line(&self) -> String {
        let Self { kind, user_id, device_id, session, tick, value } = self;
        let (user_id, device_id) = (user_id.as_deref(), device_id.as_deref());
        let session = session.map(|session| session.to_string()).unwrap_or_default();
        let tick = tick.map(|tick| tick.to_string()).unwrap_or_default();
        let (user_id, device_id) = (user_id.unwrap_or_default(), device_id.unwrap_or_default());
        let value = value.as_deref().unwrap_or_default();
        format!("{kind}\t{user_id}\t{device_id}\t{session}\t{tick}\t{value}")
    }

    /// Reads what [`Self::line`] wrote.
    pub(super) fn read_line(line: &str) -> Option<Self> {
        let mut parts = line.split('\t');
        let kind = known_kind(parts.next()?)?;
        let mut part = || parts.next().map(|part| Some(part).filter(|part| !part.is_empty()));
        let (user_id, device_id, session) = (part()?, part()?, part()?);
        let (tick, value) = (part()?, part()?);
        Some(Self {
            kind,
            user_id: user_id.map(Into::into),
            device_id: device_id.map(Into::into),
            session: match session {
                Some(session) => Some(SessionId::parse(session)?),
                None => None,
            },
            tick: match tick {
                Some(tick) => Some(tick.parse().ok()?),
                None => None,
            },
            value: value.map(str::to_owned),
        })
    }
}

const DAMAGED: StoreError = StoreError::Damaged("feed");

fn known_kind(kind: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|known| *known == kind)
}

fn standing_name(standing: Standing) -> String {
    let Standing::Open(account) = standing else { return "deactivated".to_owned() };
    let state = match account.state {
        AccountState::Active => "active",
        AccountState::Locked => "locked",
        AccountState::Suspended => "suspended",
    };
    if account.admin { format!("{state} admin") } else { state.to_owned() }
}

fn read_standing(name: &str) -> Option<Standing> {
    let (state, admin) = match name.strip_suffix(" admin") {
        Some(state) => (state, true),
        None => (name, false),
    };
    let state = match state {
        "active" => AccountState::Active,
        "locked" => AccountState::Locked,
        "suspended" => AccountState::Suspended,
        "deactivated" => return Some(Standing::Deactivated),
        _ => return None,
    };
    Some(Standing::Open(Account { state, admin }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn every_kind_of_fact_is_read_from_its_line() {
        let (user, at) = (|| Box::from("@alice:hs"), Timestamp::from_millis(7));
        let session = SessionId::new(at, [3; 10]);
        let id = KeyId::from_bytes([1, 2, 3, 4]);
        let account = |state, admin| Standing::Open(Account { state, admin });
        let imported = Imported {
            digest: Digest::of("syt_abc"),
            kind: Kind::Refresh,
            user: user(),
            device: None,
            session,
            expires_at: Some(at),
        };
        let facts = [
            Fact::User { user: user(), from: at, exempt: Some(session) },
            Fact::User { user: user(), from: at, exempt: None },
            Fact::Device { user: user(), device: "a device".into(), from: at },
            Fact::Session { user: user(), session },
            Fact::Server { from: at },
            Fact::Account { user: user(), at, standing: Standing::Deactivated },
            Fact::Account { user: user(), at, standing: account(AccountState::Active, true) },
            Fact::Account { user: user(), at, standing: account(AccountState::Locked, false) },
            Fact::Account { user: user(), at, standing: account(AccountState::Suspended, false) },
            Fact::Imported(Box::new(imported)),
            Fact::Key { id, state: KeyState::Announced },
            Fact::Key { id, state: KeyState::Retired },
        ];
        for fact in facts {
            let fields = Fields::of(&fact);
            let read = Fields::read_line(&fields.line()).unwrap();
            assert_eq!(read, fields);
            assert_eq!(read.fact().unwrap(), fact);
        }
    }

    #[test]
    fn a_line_that_lacks_something_is_no_fact() {
        for line in ["user\t@a:hs\t\t\t\t", "device\t@a:hs\t\t\t7\t", "session\t\t\t\t\t", "", "x"]
        {
            let fields = Fields::read_line(line);
            assert!(fields.and_then(|fields| fields.fact().ok()).is_none(), "{line:?}");
        }
    }
}
