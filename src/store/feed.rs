//! The feed: facts in commit order, appended and never changed.
//!
//! A follower asks for what comes after (sequence, random). If that row is not there any more, the
//! store is not the one it followed, and it reads everything again. This file refuses to know what
//! a fact does to a session.

use super::engine::{Arg, Row, Tx};
use super::users::{instant, number};
use super::{Store, StoreError};
use crate::imports::{Digest, Imported};
use crate::random::random;
use crate::revocations::{Fact, KeyState, Revocations, Standing};
use crate::time::Timestamp;
use crate::token::{Account, AccountState, KeyId, Kind, SessionId};

/// How many entries are read at once.
const BATCH: i64 = 4096;

/// A place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    sequence: i64,
    random: String,
}

/// A fact and its place.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands.
    pub cursor: Cursor,
    /// What it says.
    pub fact: Fact,
}

impl Store {
    /// What comes after a place, oldest first, at most some thousands at a time; `None` when the
    /// place is not there any more.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or an entry cannot be read.
    pub async fn facts_after(
        &self,
        after: Option<&Cursor>,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        const SQL: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, value \
             FROM feed WHERE sequence >= $1 ORDER BY sequence LIMIT $2";
        let from = after.map_or(0, |cursor| cursor.sequence);
        let rows = self.read().await?.rows(SQL, &[Arg::Int(from), Arg::Int(BATCH)]).await?;
        let mut entries = rows.iter().map(Entry::read).collect::<Result<Vec<_>, _>>()?;
        if let Some(after) = after {
            if entries.first().is_none_or(|first| first.cursor != *after) {
                return Ok(None);
            }
            entries.remove(0);
        }
        Ok(Some(entries))
    }
}

impl Tx {
    /// Appends a fact, at the commit. `hits_until` is the latest expiry of a token it may hit,
    /// `None` for never; `hits_keys` are the keys such a token may be signed with.
    ///
    /// # Errors
    /// [`StoreError::Randomness`].
    pub fn append(
        &mut self,
        fact: &Fact,
        hits_until: Option<Timestamp>,
        hits_keys: &[KeyId],
    ) -> Result<(), StoreError> {
        let nonce = u64::from_be_bytes(random()?);
        let keys: Vec<_> = hits_keys.iter().map(KeyId::to_string).collect();
        let columns = Columns::of(fact);
        self.lines.push(Line {
            random: format!("{nonce:016x}"),
            kind: columns.kind,
            user_id: columns.user_id.map(str::to_owned),
            device_id: columns.device_id.map(str::to_owned),
            session: columns.session,
            tick: columns.tick.map(number),
            value: columns.value,
            hits_until: hits_until.map_or(0, number),
            hits_keys: keys.join(","),
        });
        Ok(())
    }

    /// Makes everything done in this transaction last, and the facts stand in the feed in the order
    /// of commits: their lock is taken here, after every other.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away; then nothing was done, or it is not known whether it
    /// was.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO feed \
             (sequence, random, kind, user_id, device_id, session, tick, value, hits_until, hits_keys) \
             SELECT COALESCE(MAX(sequence), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM feed";
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            self.lock_feed().await?;
        }
        for line in &lines {
            let args = [
                Arg::Text(&line.random),
                Arg::Text(line.kind),
                Arg::Maybe(line.user_id.as_deref()),
                Arg::Maybe(line.device_id.as_deref()),
                Arg::Maybe(line.session.as_deref()),
                Arg::MaybeInt(line.tick),
                Arg::Maybe(line.value.as_deref()),
                Arg::Int(line.hits_until),
                Arg::Text(&line.hits_keys),
            ];
            self.run(SQL, &args).await?;
        }
        self.finish().await
    }

    /// The tokens of one user that were taken over.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or an entry cannot be read.
    pub async fn imported(&mut self, user_id: &str) -> Result<Vec<Imported>, StoreError> {
        const SQL: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, value \
             FROM feed WHERE user_id = $1 AND kind = 'imported'";
        let rows = self.rows(SQL, &[Arg::Text(user_id)]).await?;
        let token = |row: &Row| match Entry::read(row)?.fact {
            Fact::Imported(token) => Ok(*token),
            _ => Err(StoreError::Damaged("feed")),
        };
        rows.iter().map(token).collect()
    }

    /// The keys that are never used again.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn retired_keys(&mut self) -> Result<Vec<KeyId>, StoreError> {
        const SQL: &str = "SELECT value FROM feed WHERE user_id IS NULL AND kind = 'key retired'";
        let rows = self.rows(SQL, &[]).await?;
        let id = |row: &Row| KeyId::parse(&row.text(0)?).ok_or(StoreError::Damaged("feed"));
        rows.iter().map(id).collect()
    }

    /// Everything known against one user, as this transaction sees it: what a write judges its
    /// bearer by.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or an entry cannot be read.
    pub async fn facts_about(&mut self, user_id: &str) -> Result<Revocations, StoreError> {
        const SQL: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, value \
             FROM feed WHERE user_id = $1 OR (user_id IS NULL AND kind = 'server')";
        let facts = Revocations::default();
        for row in self.rows(SQL, &[Arg::Text(user_id)]).await? {
            facts.append(&Entry::read(&row)?.fact);
        }
        Ok(facts)
    }
}

/// A row that is to be appended.
pub(super) struct Line {
    random: String,
    kind: &'static str,
    user_id: Option<String>,
    device_id: Option<String>,
    session: Option<String>,
    tick: Option<i64>,
    value: Option<String>,
    hits_until: i64,
    hits_keys: String,
}

/// A fact as it lies in the table.
#[derive(Default)]
struct Columns<'f> {
    kind: &'static str,
    user_id: Option<&'f str>,
    device_id: Option<&'f str>,
    session: Option<String>,
    tick: Option<Timestamp>,
    value: Option<String>,
}

impl<'f> Columns<'f> {
    fn imported(token: &'f Imported) -> Self {
        Self {
            kind: "imported",
            user_id: Some(&token.user),
            device_id: token.device.as_deref(),
            session: Some(token.session.to_string()),
            tick: token.expires_at,
            value: Some(format!("{} {}", token.kind, token.digest)),
        }
    }

    fn of(fact: &'f Fact) -> Self {
        let none = Self::default();
        match fact {
            Fact::User { user, from, exempt } => Self {
                kind: "user",
                user_id: Some(user),
                session: exempt.map(|session| session.to_string()),
                tick: Some(*from),
                ..none
            },
            Fact::Device { user, device, from } => Self {
                kind: "device",
                user_id: Some(user),
                device_id: Some(device),
                tick: Some(*from),
                ..none
            },
            Fact::Session { user, session } => Self {
                kind: "session",
                user_id: Some(user),
                session: Some(session.to_string()),
                ..none
            },
            Fact::Server { from } => Self { kind: "server", tick: Some(*from), ..none },
            Fact::Account { user, at, standing } => Self {
                kind: "account",
                user_id: Some(user),
                tick: Some(*at),
                value: Some(standing_name(*standing)),
                ..none
            },
            Fact::Imported(token) => Self::imported(token),
            Fact::Key { id, state } => {
                let kind = match state {
                    KeyState::Announced => "key announced",
                    KeyState::Retired => "key retired",
                };
                Self { kind, value: Some(id.to_string()), ..none }
            }
        }
    }
}

impl Entry {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let fact = read_fact(row)?.ok_or(StoreError::Damaged("feed"))?;
        Ok(Self { cursor: Cursor { sequence: row.int(0)?, random: row.text(1)? }, fact })
    }
}

fn read_fact(row: &Row) -> Result<Option<Fact>, StoreError> {
    let user = || Ok::<_, StoreError>(row.text(3)?.into_boxed_str());
    let session = |text: Option<String>| text.as_deref().and_then(SessionId::parse);
    let tick = || row.int(6).map(instant);
    Ok(match row.text(2)?.as_str() {
        "user" => Some(Fact::User { user: user()?, from: tick()?, exempt: session(row.maybe(5)?) }),
        "device" => {
            let device = row.text(4)?.into_boxed_str();
            Some(Fact::Device { user: user()?, device, from: tick()? })
        }
        "session" => {
            let user = user()?;
            session(row.maybe(5)?).map(|session| Fact::Session { user, session })
        }
        "server" => Some(Fact::Server { from: tick()? }),
        "account" => {
            let (user, at) = (user()?, tick()?);
            read_standing(&row.text(7)?).map(|standing| Fact::Account { user, at, standing })
        }
        "imported" => read_imported(row, user()?, session(row.maybe(5)?))?,
        "key announced" => {
            KeyId::parse(&row.text(7)?).map(|id| Fact::Key { id, state: KeyState::Announced })
        }
        "key retired" => {
            KeyId::parse(&row.text(7)?).map(|id| Fact::Key { id, state: KeyState::Retired })
        }
        _ => None,
    })
}

fn read_imported(
    row: &Row,
    user: Box<str>,
    session: Option<SessionId>,
) -> Result<Option<Fact>, StoreError> {
    let value = row.text(7)?;
    let (kind, digest) = value.split_once(' ').unwrap_or_default();
    let known = Kind::from_name(kind).zip(Digest::parse(digest)).zip(session);
    let device = row.maybe(4)?.map(String::into_boxed_str);
    let expires_at = row.maybe_int(6)?.map(instant);
    Ok(known.map(|((kind, digest), session)| {
        Fact::Imported(Box::new(Imported { digest, kind, user, device, session, expires_at }))
    }))
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
