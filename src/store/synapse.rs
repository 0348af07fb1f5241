//! What a Synapse database knows of users, devices and tokens: read, never written.
//!
//! Users come some at a time, each with everything that is theirs. This
//! file refuses to know what becomes of them.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::StoreError;
use super::engine::{Arg, Pool, Row, Server};
use super::users::{instant, number};
use crate::imports::Digest;
use crate::time::Timestamp;
use crate::token::Kind;

/// How long one question may take: a large table is counted whole.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Synapse database.
pub struct Synapse(Pool);

/// How much there is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows of `users`.
    pub users: u64,
    /// Rows of `devices` that people see.
    pub devices: u64,
    /// Rows of `access_tokens`.
    pub access_tokens: u64,
    /// Rows of `refresh_tokens`.
    pub refresh_tokens: u64,
}

/// A user of Synapse.
#[derive(Clone, Debug)]
pub struct SynapseUser {
    /// The whole user id.
    pub user_id: String,
    /// bcrypt; `None` for somebody who never had a password.
    pub password_hash: Option<String>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Whether it administers the server.
    pub admin: bool,
    /// Whether it is a guest.
    pub guest: bool,
    /// Whether an application service made it.
    pub of_appservice: bool,
    /// Whether it is deactivated.
    pub deactivated: bool,
    /// Whether it is locked.
    pub locked: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Its devices: id and display name.
    pub devices: Vec<(String, Option<String>)>,
    /// Its tokens.
    pub tokens: Vec<SynapseToken>,
}

/// A token that Synapse would accept.
#[derive(Clone, Debug)]
pub struct SynapseToken {
    /// Its SHA-256: the text is not kept.
    pub digest: Digest,
    /// Access or refresh.
    pub kind: Kind,
    /// The device it is for, if it is for one.
    pub device_id: Option<String>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl Synapse {
    /// The database in a file of SQLite.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn in_file(file: &Path) -> Result<Self, StoreError> {
        Pool::foreign_file(file).await.map(Self)
    }

    /// The database on a server of PostgreSQL, by the parameters that libpq knows it by.
    ///
    /// # Errors
    /// [`StoreError`] when they do not name one.
    pub fn on_server(parameters: &[(String, String)]) -> Result<Self, StoreError> {
        let server = Server::new(&url(parameters), 1, PATIENCE)?;
        Ok(Self(Pool::foreign_server(&server)))
    }

    /// How much there is in it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read, or is not Synapse's.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM users), \
             (SELECT COUNT(*) FROM devices WHERE NOT COALESCE(hidden, FALSE)), \
             (SELECT COUNT(*) FROM access_tokens), (SELECT COUNT(*) FROM refresh_tokens)";
        let row = self.0.read().await?.row(SQL, &[]).await?;
        let row = row.ok_or(StoreError::Damaged("users"))?;
        let count = |column| Ok::<_, StoreError>(u64::try_from(row.int(column)?).unwrap_or(0));
        Ok(Totals {
            users: count(0)?,
            devices: count(1)?,
            access_tokens: count(2)?,
            refresh_tokens: count(3)?,
        })
    }

    /// The next users behind one, in the order that the database has them in; none at the end.
    ///
    /// # Errors
    /// [`StoreError`] when a row cannot be read.
    pub async fn users_after(
        &self,
        user_id: &str,
        most: u32,
        now: Timestamp,
    ) -> Result<Vec<SynapseUser>, StoreError> {
        const USERS: &str = "SELECT name, password_hash, CAST(COALESCE(creation_ts, 0) AS BIGINT), \
             CAST(admin AS BIGINT), CAST(is_guest AS BIGINT), appservice_id, \
             CAST(deactivated AS BIGINT), CAST(CASE WHEN locked THEN 1 ELSE 0 END AS BIGINT), \
             CAST(CASE WHEN suspended THEN 1 ELSE 0 END AS BIGINT) \
             FROM users WHERE name > $1 ORDER BY name LIMIT $2";
        const DEVICES: &str = "SELECT user_id, device_id, display_name FROM devices \
             WHERE user_id > $1 AND user_id <= $2 AND NOT COALESCE(hidden, FALSE) \
             ORDER BY user_id, device_id";
        let mut tx = self.0.read().await?;
        let rows = tx.rows(USERS, &[Arg::Text(user_id), Arg::Int(most.into())]).await?;
        let mut users = rows.iter().map(SynapseUser::read).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = users.last().map(|user| user.user_id.clone()) else { return Ok(users) };
        let span = [Arg::Text(user_id), Arg::Text(&last)];
        for row in tx.rows(DEVICES, &span).await? {
            if let Some(user) = owner(&mut users, &row.text(0)?) {
                user.devices.push((row.text(1)?, row.maybe(2)?));
            }
        }
        let span = [Arg::Text(user_id), Arg::Text(&last), Arg::Int(number(now))];
        for (kind, sql) in [(Kind::Access, ACCESS), (Kind::Refresh, REFRESH)] {
            for row in tx.rows(sql, &span).await? {
                if let Some(user) = owner(&mut users, &row.text(0)?) {
                    user.tokens.push(SynapseToken::read(kind, &row)?);
                }
            }
        }
        Ok(users)
    }
}

/// A URL that says the same as libpq's parameters. Without a host it is the socket that servers
/// have by default.
fn url(parameters: &[(String, String)]) -> String {
    let escaped = |text: &str| percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string();
    let pairs = parameters.iter().map(|(key, value)| {
        let key = if key == "database" { "dbname" } else { key };
        format!("{key}={}", escaped(value))
    });
    let named = parameters.iter().any(|(key, _)| key == "host" || key == "hostaddr");
    let socket = (!named).then(|| format!("host={}", escaped("/var/run/postgresql")));
    format!("postgres://?{}", pairs.chain(socket).collect::<Vec<_>>().join("&"))
}

/// Tokens by which an admin acts as somebody else are left out.
const ACCESS: &str = "SELECT user_id, device_id, token, CAST(valid_until_ms AS BIGINT) \
     FROM access_tokens WHERE user_id > $1 AND user_id <= $2 AND puppets_user_id IS NULL \
     AND (valid_until_ms IS NULL OR valid_until_ms > $3)";

/// A refresh token is good until what came of it has been used, as Synapse has it.
const REFRESH: &str = "SELECT old.user_id, old.device_id, old.token, \
     CAST(CASE WHEN old.expiry_ts IS NULL THEN old.ultimate_session_expiry_ts \
          WHEN old.ultimate_session_expiry_ts IS NULL THEN old.expiry_ts \
          WHEN old.expiry_ts < old.ultimate_session_expiry_ts THEN old.expiry_ts \
          ELSE old.ultimate_session_expiry_ts END AS BIGINT) \
     FROM refresh_tokens old LEFT JOIN refresh_tokens new ON old.next_token_id = new.id \
     WHERE old.user_id > $1 AND old.user_id <= $2 AND new.next_token_id IS NULL \
     AND (old.expiry_ts IS NULL OR old.expiry_ts > $3) \
     AND (old.ultimate_session_expiry_ts IS NULL OR old.ultimate_session_expiry_ts > $3) \
     AND NOT EXISTS (SELECT 1 FROM access_tokens \
         WHERE access_tokens.refresh_token_id = new.id AND access_tokens.used)";

fn owner<'u>(users: &'u mut [SynapseUser], user_id: &str) -> Option<&'u mut SynapseUser> {
    // By equality: in which order the database has them is its own affair.
    users.iter_mut().find(|user| user.user_id == user_id)
}

impl SynapseUser {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let set = |column| Ok::<_, StoreError>(row.int(column)? != 0);
        // In seconds, as nothing else there.
        let created_at = row.int(2)?.saturating_mul(1000);
        Ok(Self {
            user_id: row.text(0)?,
            password_hash: row.maybe(1)?.filter(|hash| !hash.is_empty()),
            created_at: instant(created_at),
            admin: set(3)?,
            guest: set(4)?,
            of_appservice: row.maybe(5)?.is_some(),
            deactivated: set(6)?,
            locked: set(7)?,
            suspended: set(8)?,
            devices: Vec::new(),
            tokens: Vec::new(),
        })
    }
}

impl SynapseToken {
    fn read(kind: Kind, row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            digest: Digest::of(&row.text(2)?),
            kind,
            device_id: row.maybe(1)?,
            expires_at: row.maybe_int(3)?.map(instant),
        })
    }
}
