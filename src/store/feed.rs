//! The feed: facts in commit order, appended and never changed.
//!
//! A follower asks for what comes after (sequence, random). If that row is not there any more, the
//! store is not the one it followed, and it reads everything again. This file refuses to know what
//! a fact does to a session.

use super::engine::{Arg, Row, Tx};
use super::fields::Fields;
use super::users::number;
use super::{Store, StoreError};
use crate::imports::Imported;
use crate::random::random;
use crate::revocations::{Fact, Revocations};
use crate::time::Timestamp;
use crate::token::{KeyId, SessionId};

/// How many entries are read at once.
const BATCH: i64 = 4096;

/// A place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) sequence: i64,
    pub(super) random: String,
}

/// A fact and its place.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands.
    pub cursor: Cursor,
    /// What it says.
    pub fact: Fact,
}

/// What a look at the feed finds.
pub struct Look {
    /// The last beat of the node that can be seen: what was committed before it is seen too.
    pub beat: Option<i64>,
    /// What comes after the place, oldest first; `None` when the place is not there any more.
    pub entries: Option<Vec<Entry>>,
    /// Whether that was all there is.
    pub all: bool,
}

impl Store {
    /// Looks at what comes after a place, at most some thousands of entries at a time.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or an entry cannot be read.
    pub async fn look(&self, node: &str, after: Option<&Cursor>) -> Result<Look, StoreError> {
        const SQL: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, value \
             FROM feed WHERE sequence >= $1 ORDER BY sequence LIMIT $2";
        let from = after.map_or(0, |cursor| cursor.sequence);
        let mut tx = self.read().await?;
        let beat = tx.last_beat(node).await?;
        let rows = tx.rows(SQL, &[Arg::Int(from), Arg::Int(BATCH)]).await?;
        let all = i64::try_from(rows.len()).is_ok_and(|count| count < BATCH);
        let mut entries = rows.iter().map(Entry::read).collect::<Result<Vec<_>, _>>()?;
        if let Some(after) = after {
            if entries.first().is_none_or(|first| first.cursor != *after) {
                return Ok(Look { beat, entries: None, all: false });
            }
            entries.remove(0);
        }
        Ok(Look { beat, entries: Some(entries), all })
    }
}

impl Cursor {
    /// The place of an entry: its number, and what tells it from another with this number.
    #[must_use]
    pub fn new(sequence: i64, random: String) -> Self {
        Self { sequence, random }
    }

    /// How many entries there had been, counted when this one was appended.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.sequence
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
        self.lines.push(Line {
            random: format!("{nonce:016x}"),
            fields: Fields::of(fact),
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
            let fields = &line.fields;
            let session = fields.session.map(|session| session.to_string());
            let args = [
                Arg::Text(&line.random),
                Arg::Text(fields.kind),
                Arg::Maybe(fields.user_id.as_deref()),
                Arg::Maybe(fields.device_id.as_deref()),
                Arg::Maybe(session.as_deref()),
                Arg::MaybeInt(fields.tick),
                Arg::Maybe(fields.value.as_deref()),
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

    /// Whether the feed says these words of a key or of a token that was taken over.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn says(&mut self, fact: &Fact) -> Result<bool, StoreError> {
        const NOBODY: &str =
            "SELECT 1 FROM feed WHERE user_id IS NULL AND kind = $1 AND value = $2";
        const USER: &str = "SELECT 1 FROM feed WHERE user_id = $3 AND kind = $1 AND value = $2";
        let Fields { kind, user_id, value, .. } = Fields::of(fact);
        let args = [Arg::Text(kind), Arg::Maybe(value.as_deref()), Arg::Maybe(user_id.as_deref())];
        let row = match user_id {
            Some(_) => self.row(USER, &args).await?,
            None => self.row(NOBODY, args.get(..2).unwrap_or_default()).await?,
        };
        Ok(row.is_some())
    }

    /// What is known against one session of a user, as this transaction sees it: what a write judges
    /// its bearer by. Of other devices, and of single sessions but this one, nothing is read, so the
    /// cost hardly depends on how many of them the user has ended.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or an entry cannot be read.
    pub async fn facts_against(
        &mut self,
        session: Option<SessionId>,
        device_id: Option<&str>,
        user_id: &str,
    ) -> Result<Revocations, StoreError> {
        const SQL: &str = "SELECT sequence, random, kind, user_id, device_id, session, tick, value \
             FROM feed WHERE (user_id = $1 AND (kind IN ('user', 'account') \
                 OR (kind = 'device' AND device_id = $2) OR (kind = 'session' AND session = $3))) \
             OR (user_id IS NULL AND kind = 'server')";
        let session = session.map(|session| session.to_string());
        let args = [Arg::Text(user_id), Arg::Maybe(device_id), Arg::Maybe(session.as_deref())];
        let facts = Revocations::default();
        for row in self.rows(SQL, &args).await? {
            facts.append(&Entry::read(&row)?.fact);
        }
        Ok(facts)
    }

    /// How an account stands, and the endings of all sessions of its user, as this transaction sees
    /// them. No session is to be judged by these alone.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away or an entry cannot be read.
    pub async fn facts_about_account(&mut self, user_id: &str) -> Result<Revocations, StoreError> {
        self.facts_against(None, None, user_id).await
    }
}

/// A row that is to be appended.
pub(super) struct Line {
    random: String,
    fields: Fields,
    hits_until: i64,
    hits_keys: String,
}

impl Entry {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let fact = Fields::row(row, 2)?.fact()?;
        Ok(Self { cursor: Cursor { sequence: row.int(0)?, random: row.text(1)? }, fact })
    }
}
