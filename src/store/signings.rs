//! Which key signed the tokens that each session lives by.
//!
//! Kept so that a key can be given up by name of everybody who would have to log in again. This
//! file refuses to know when a key is given up.

use super::engine::{Arg, Row, Tx};
use super::{Store, StoreError};
use crate::token::{KeyId, SessionId};

/// A session that lives on a device, and what is known of the keys of its tokens.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Whose.
    pub user_id: String,
    /// On which device.
    pub device_id: String,
    /// Its name.
    pub session: SessionId,
    /// The keys; empty when they are not known.
    pub keys: Vec<KeyId>,
}

impl Signed {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let keys = [row.maybe(3)?, row.maybe(4)?, row.maybe(5)?];
        let keys = keys.iter().flatten().flat_map(|keys| keys.split(','));
        Ok(Self {
            user_id: row.text(0)?,
            device_id: row.text(1)?,
            session: SessionId::parse(&row.text(2)?).ok_or(StoreError::Damaged("devices"))?,
            keys: keys.filter_map(KeyId::parse).collect(),
        })
    }
}

impl Store {
    /// The sessions that live by a key, and those whose keys are not known.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn signed_with(&self, key: KeyId) -> Result<Vec<Signed>, StoreError> {
        const SQL: &str = "SELECT devices.user_id, devices.device_id, devices.session, \
             CASE WHEN refreshes.session IS NULL THEN devices.key_id END, \
             refreshes.keys, refreshes.next_keys \
             FROM devices LEFT JOIN refreshes ON refreshes.session = devices.session \
             WHERE (refreshes.session IS NULL AND COALESCE(devices.key_id, $1) = $1) \
             OR refreshes.keys = '' OR refreshes.keys LIKE '%' || $1 || ',%' \
             OR refreshes.next_keys LIKE '%' || $1 || ',%' \
             ORDER BY devices.user_id, devices.device_id";
        let rows = self.read().await?.rows(SQL, &[Arg::Text(&key.to_string())]).await?;
        rows.iter().map(Signed::read).collect()
    }
}

impl Tx {
    /// Notes which key signed the first tokens of a session that has just been put on its device.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn sign_first(&mut self, session: SessionId, key: KeyId) -> Result<(), StoreError> {
        const DEVICE: &str = "UPDATE devices SET key_id = $2 WHERE session = $1";
        const RENEWAL: &str = "UPDATE refreshes SET keys = $2 || ',' WHERE session = $1";
        let (session, key) = (session.to_string(), key.to_string());
        let args = [Arg::Text(&session), Arg::Text(&key)];
        self.run(DEVICE, &args).await?;
        self.run(RENEWAL, &args).await.map(|_| ())
    }

    /// Notes which key signed a pair of the next generation.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn sign_next(&mut self, session: SessionId, key: KeyId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE refreshes SET next_keys = next_keys || $2 || ',' \
             WHERE session = $1 AND next_keys NOT LIKE '%' || $2 || ',%'";
        let (session, key) = (session.to_string(), key.to_string());
        self.run(SQL, &[Arg::Text(&session), Arg::Text(&key)]).await.map(|_| ())
    }

    /// Notes that the next generation has been used: what signed the one before counts no more.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn sign_settled(&mut self, session: SessionId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE refreshes SET keys = next_keys, next_keys = '' \
             WHERE session = $1 AND next_keys <> ''";
        self.run(SQL, &[Arg::Text(&session.to_string())]).await.map(|_| ())
    }
}
