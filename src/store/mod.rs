//! What has to be remembered: accounts, devices, facts, claims and nodes, in one database.
//!
//! A folder holds the SQLite file; its mode is 0700. This floor knows rows and transactions; it
//! refuses to know keys, tokens and HTTP, and it decides nothing: services do.

mod beats;
mod claims;
mod devices;
mod engine;
mod feed;
mod fields;
mod interactive;
mod nodes;
mod refreshes;
mod snapshot;
mod users;
mod whole;

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use engine::{Arg, Pool};

pub use beats::Beat;
pub use claims::{Claim, Claimed};
pub use devices::Device;
pub use engine::Tx;
pub use feed::{Cursor, Entry, Look};
pub use interactive::RegistrationToken;
pub use nodes::Node;
pub use refreshes::Renewal;
pub use snapshot::{Mark, Moment, SnapshotFile, read_snapshot};
pub use users::User;
pub use whole::{Kept, Overview, Page};

use crate::ident::ServerName;
use crate::keyfile::StoreId;
use crate::random::{NoRandomness, random};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made or used.
    #[error("cannot use the data folder {path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The database's file cannot be made or opened.
    #[error("cannot open the database {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The database's file is not one.
    #[error("{path} cannot be used as a database: {source}; name another folder by --data")]
    NotADatabase {
        /// Which.
        path: PathBuf,
        /// What the engine says.
        source: Box<StoreError>,
    },
    /// There is no database where one must be.
    #[error("there is no database in {0}: run `amaretti serve` once, or name its folder by --data")]
    Missing(PathBuf),
    /// The database is for another server.
    #[error(
        "this database is for the server {recorded}, not {asked}: name another folder by --data, or set the server name to {recorded}"
    )]
    OtherServer {
        /// The name in the database.
        recorded: String,
        /// The name in the configuration.
        asked: String,
    },
    /// The engine failed: away, full, locked for too long.
    #[error("the database does not answer: {0}")]
    Engine(#[from] sqlx::Error),
    /// The engine did not answer in time.
    #[error("the database has not answered in time")]
    Silent,
    /// The database could not be brought up to date.
    #[error("the database cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row does not say what it must.
    #[error("a row of {0} cannot be read")]
    Damaged(&'static str),
    /// The operating system has no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// The database.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    id: StoreId,
}

impl Store {
    /// Opens the database in `folder`, making both when they are not there.
    ///
    /// # Errors
    /// [`StoreError::OtherServer`] when it was made for a server of another name; others when it
    /// cannot be made or read.
    pub async fn open(folder: &Path, server: &ServerName) -> Result<Self, StoreError> {
        let blame = |source| StoreError::Folder { path: folder.to_owned(), source };
        if !folder.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(blame)?;
            std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(blame)?;
        }
        let path = folder.join(FILE);
        let pool = Pool::open(&path).await.map_err(|error| match error {
            StoreError::Engine(_) | StoreError::Migration(_) => {
                StoreError::NotADatabase { path, source: Box::new(error) }
            }
            error => error,
        })?;
        let mut tx = pool.begin().await?;
        let id = match tx.row("SELECT id, server_name FROM store", &[]).await? {
            Some(row) => {
                let recorded = row.text(1)?;
                if recorded != server.as_str() {
                    let asked = server.to_string();
                    return Err(StoreError::OtherServer { recorded, asked });
                }
                StoreId::parse(&row.text(0)?).ok_or(StoreError::Damaged("store"))?
            }
            None => {
                let id = StoreId::from_bytes(random()?);
                const SQL: &str = "INSERT INTO store (only_row, id, server_name, has_had_key) VALUES (1, $1, $2, 0)";
                let args = [Arg::Text(&id.to_string()), Arg::Text(server.as_str())];
                tx.run(SQL, &args).await?;
                id
            }
        };
        tx.commit().await?;
        Ok(Self { pool, id })
    }

    /// Opens the database in `folder`, which must be there.
    ///
    /// # Errors
    /// [`StoreError::Missing`], and those of [`Self::open`].
    pub async fn open_existing(folder: &Path, server: &ServerName) -> Result<Self, StoreError> {
        if !folder.join(FILE).exists() {
            return Err(StoreError::Missing(folder.to_owned()));
        }
        Self::open(folder, server).await
    }

    /// The name of this store, which its keys are made for.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// Begins a transaction that nobody else can write beside.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the store is away.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.pool.begin().await
    }

    /// Begins a transaction that only reads.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the store is away.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.pool.read().await
    }

    /// Lets go of every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The database's file in the data folder.
const FILE: &str = "amaretti.sqlite";
