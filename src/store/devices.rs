//! Devices: which session lives on which.
//!
//! This file refuses to know what ends a session.

use super::engine::{Arg, Row, Tx};
use super::users::{instant, number};
use super::{Store, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// A row of the table of devices.
#[derive(Clone, Debug)]
pub struct Device {
    /// Whose.
    pub user_id: String,
    /// Its id.
    pub device_id: String,
    /// The session that lives on it.
    pub session: SessionId,
    /// What its user calls it.
    pub display_name: Option<String>,
    /// When it first logged in.
    pub created_at: Timestamp,
}

impl Device {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: row.text(0)?,
            device_id: row.text(1)?,
            session: SessionId::parse(&row.text(2)?).ok_or(StoreError::Damaged("devices"))?,
            display_name: row.maybe(3)?,
            created_at: instant(row.int(4)?),
        })
    }
}

impl Store {
    /// Every device, of one user or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn devices(&self, user_id: Option<&str>) -> Result<Vec<Device>, StoreError> {
        // One query for both would read the devices of everybody either way.
        const ALL: &str = "SELECT user_id, device_id, session, display_name, created_at \
             FROM devices ORDER BY user_id, created_at, device_id";
        const OWN: &str = "SELECT user_id, device_id, session, display_name, created_at \
             FROM devices WHERE user_id = $1 ORDER BY created_at, device_id";
        let mut tx = self.read().await?;
        let rows = match user_id {
            Some(user_id) => tx.rows(OWN, &[Arg::Text(user_id)]).await?,
            None => tx.rows(ALL, &[]).await?,
        };
        rows.iter().map(Device::read).collect()
    }
}

impl Tx {
    /// The device of a user, if there is one of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn device(
        &mut self,
        user_id: &str,
        device_id: &str,
    ) -> Result<Option<Device>, StoreError> {
        const SQL: &str = "SELECT user_id, device_id, session, display_name, created_at \
             FROM devices WHERE user_id = $1 AND device_id = $2";
        let row = self.row(SQL, &[Arg::Text(user_id), Arg::Text(device_id)]).await?;
        row.as_ref().map(Device::read).transpose()
    }

    /// The device that a session lives on.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn device_of(&mut self, session: SessionId) -> Result<Option<Device>, StoreError> {
        const SQL: &str = "SELECT user_id, device_id, session, display_name, created_at \
             FROM devices WHERE session = $1";
        let row = self.row(SQL, &[Arg::Text(&session.to_string())]).await?;
        row.as_ref().map(Device::read).transpose()
    }

    /// Puts a session on its device; a device that is there keeps its display name.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn put_device(&mut self, device: &Device) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO devices (user_id, device_id, session, display_name, created_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (user_id, device_id) DO UPDATE SET session = excluded.session";
        let args = [
            Arg::Text(&device.user_id),
            Arg::Text(&device.device_id),
            Arg::Text(&device.session.to_string()),
            Arg::Maybe(device.display_name.as_deref()),
            Arg::Int(number(device.created_at)),
        ];
        self.run(SQL, &args).await.map(|_| ())
    }

    /// Takes one device of a user away, or all of them.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn delete_devices(
        &mut self,
        user_id: &str,
        device_id: Option<&str>,
    ) -> Result<u64, StoreError> {
        const SQL: &str =
            "DELETE FROM devices WHERE user_id = $1 AND ($2 IS NULL OR device_id = $2)";
        self.run(SQL, &[Arg::Text(user_id), Arg::Maybe(device_id)]).await
    }

    /// Takes every device of everybody away, and all that renews; gives how many devices those were.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn delete_every_device(&mut self) -> Result<u64, StoreError> {
        self.run("DELETE FROM refreshes", &[]).await?;
        self.run("DELETE FROM devices", &[]).await
    }

    /// Takes every device of a user away but one.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn delete_other_devices(
        &mut self,
        user_id: &str,
        spared: Option<&str>,
    ) -> Result<u64, StoreError> {
        const SQL: &str =
            "DELETE FROM devices WHERE user_id = $1 AND ($2 IS NULL OR device_id <> $2)";
        self.run(SQL, &[Arg::Text(user_id), Arg::Maybe(spared)]).await
    }

    /// Gives a device another display name; `false` when there is none of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn rename_device(
        &mut self,
        user_id: &str,
        device_id: &str,
        display_name: Option<&str>,
    ) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE devices SET display_name = $3 WHERE user_id = $1 AND device_id = $2";
        let args = [Arg::Text(user_id), Arg::Text(device_id), Arg::Maybe(display_name)];
        Ok(self.run(SQL, &args).await? == 1)
    }
}
