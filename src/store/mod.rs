//! What has to be remembered: accounts, devices, facts, claims and nodes, in one database.
//!
//! It is a SQLite file in a folder of mode 0700, or a database of a PostgreSQL server. This floor
//! knows rows and transactions; it refuses to know keys, tokens and HTTP, and it decides nothing:
//! services do.

mod beats;
mod claims;
mod devices;
mod engine;
mod feed;
mod fields;
mod interactive;
mod moment;
mod nodes;
mod outbox;
mod refreshes;
mod signings;
mod snapshot;
mod survey;
mod synapse;
mod users;
mod whole;

use std::fmt;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use engine::{Arg, Pool};

pub use beats::Beat;
pub use claims::{Claim, Claimed};
pub use devices::Device;
pub use engine::{Listener, Server, Tx};
pub use feed::{Cursor, Entry, Look};
pub use interactive::RegistrationToken;
pub use moment::Moment;
pub use nodes::Node;
pub use outbox::Untold;
pub use refreshes::Renewal;
pub use signings::Signed;
pub use snapshot::{Mark, Origin, Snapshot, SnapshotFile};
pub use survey::Survey;
pub use synapse::{Synapse, SynapseToken, SynapseUser, Totals};
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
    /// A database of a server cannot be opened.
    #[error("cannot open the database {place}: {source}")]
    Server {
        /// Which, without any password.
        place: String,
        /// What the engine says.
        source: Box<StoreError>,
    },
    /// There is no database where one must be.
    #[error("there is no database {0}: {1}")]
    Missing(String, &'static str),
    /// The database was made by a newer version of this program.
    #[error("it was brought up to date by a newer version of amaretti than this one")]
    Newer,
    /// A statement failed and the transaction was to be committed all the same.
    #[error("a statement of this transaction has failed, so nothing was done")]
    Undone,
    /// The database is for another server.
    #[error(
        "this database is for the server {recorded}, not {asked}: name another one (--data, or the setting database), or set the server name to {recorded}"
    )]
    OtherServer {
        /// The name in the database.
        recorded: String,
        /// The name in the configuration.
        asked: String,
    },
    /// The database is not the one that was followed so far.
    #[error("this is another database than the one that the keys here were made for")]
    OtherStore,
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

/// Where a store lies.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a SQLite file in this folder.
    Folder(PathBuf),
    /// In a database of a PostgreSQL server.
    Server(Server),
}

impl fmt::Display for Place {
    /// Without any password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "in {}", folder.display()),
            Self::Server(server) => f.write_str(&server.place()),
        }
    }
}

/// What may be done in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    All,
    /// Reading the feed, writing that a node is there, and telling of first uses.
    Feed,
}

/// The database.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    id: StoreId,
    rights: Rights,
}

impl Store {
    /// Opens the database in `place`: brought up to date, and made where that can be done.
    ///
    /// # Errors
    /// [`StoreError::OtherServer`] when it was made for a server of another name; others when it
    /// cannot be made or read.
    pub async fn open(place: &Place, server: &ServerName) -> Result<Self, StoreError> {
        Self::open_or(place, server, None).await
    }

    async fn open_or(
        place: &Place,
        server: &ServerName,
        missing: Option<&'static str>,
    ) -> Result<Self, StoreError> {
        let pool = match place {
            Place::Folder(folder) => open_folder(folder).await?,
            Place::Server(at) => Pool::open_server(at).await.map_err(|error| {
                StoreError::Server { place: at.place(), source: Box::new(error) }
            })?,
        };
        let known = pool.read().await?.store_row().await?;
        let (id, recorded) = match known {
            Some(known) => known,
            None if let Some(missing) = missing => {
                return Err(StoreError::Missing(place.to_string(), missing));
            }
            None => {
                // Of many who start at once one gives it its name.
                let id = StoreId::from_bytes(random()?).to_string();
                let mut tx = pool.begin(None).await?;
                const SQL: &str = "INSERT INTO store (only_row, id, server_name, has_had_key) \
                     VALUES (1, $1, $2, 0) ON CONFLICT DO NOTHING";
                tx.run(SQL, &[Arg::Text(&id), Arg::Text(server.as_str())]).await?;
                let known = tx.store_row().await?.ok_or(StoreError::Damaged("store"))?;
                tx.commit().await?;
                known
            }
        };
        if recorded != server.as_str() {
            return Err(StoreError::OtherServer { recorded, asked: server.to_string() });
        }
        let id = StoreId::parse(&id).ok_or(StoreError::Damaged("store"))?;
        Ok(Self { pool, id, rights: Rights::All })
    }

    /// The store of this name in a server's database that does not answer now; it is asked later,
    /// and believed once [`Self::recognise`] has. `None` for a folder, which is there or not.
    #[must_use]
    pub fn later(place: &Place, id: StoreId) -> Option<Self> {
        match place {
            Place::Folder(_) => None,
            Place::Server(at) => {
                Some(Self { pool: Pool::server_later(at), id, rights: Rights::All })
            }
        }
    }

    /// Makes sure that the database is the one that this store was taken for; gives how often its
    /// feed was compacted.
    ///
    /// # Errors
    /// [`StoreError::OtherStore`] when it is another; others when it is away.
    pub async fn recognise(&self) -> Result<i64, StoreError> {
        let row = self.read().await?.row("SELECT id, compactions FROM store", &[]).await?;
        let row = row.ok_or(StoreError::OtherStore)?;
        if StoreId::parse(&row.text(0)?) != Some(self.id) {
            return Err(StoreError::OtherStore);
        }
        row.int(1)
    }

    /// Opens the database in `place`, which must be there.
    ///
    /// # Errors
    /// [`StoreError::Missing`], and those of [`Self::open`].
    pub async fn open_existing(place: &Place, server: &ServerName) -> Result<Self, StoreError> {
        const SERVER: &str = "run `amaretti keys new` to make it";
        const FOLDER: &str = "run `amaretti serve` once, or name its folder by --data";
        match place {
            Place::Folder(folder) if !folder.join(FILE).exists() => {
                Err(StoreError::Missing(place.to_string(), FOLDER))
            }
            Place::Folder(_) => Self::open(place, server).await,
            Place::Server(_) => Self::open_or(place, server, Some(SERVER)).await,
        }
    }

    /// The same for a node that only verifies, whose role may do no more (docs/verify-only.sql).
    #[must_use]
    pub fn for_verifying(self) -> Self {
        Self { rights: Rights::Feed, ..self }
    }

    /// What may be done here.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// The name of this store, which its keys are made for.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// Begins a transaction that writes and is about no user; what it reads and then writes has to
    /// be one statement, or a row that is claimed.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the store is away.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.pool.begin(None).await
    }

    /// Begins a transaction that writes about a user: up to its end nobody else does, so what it
    /// reads about the user stays true. It is about no other user.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the store is away.
    pub async fn begin_for(&self, user_id: &str) -> Result<Tx, StoreError> {
        self.pool.begin(Some(user_id)).await
    }

    /// Begins a transaction that only reads, and sees one state of the database.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the store is away.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.pool.read().await
    }

    /// A connection of its own that hears of what others append to the feed; `None` where nobody
    /// tells: SQLite, and a pooler in between.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the store is away.
    pub async fn listener(&self) -> Result<Option<Listener>, StoreError> {
        self.pool.listener().await
    }

    /// Lets go of every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The database's file in the data folder.
const FILE: &str = "amaretti.sqlite";

/// Makes the folder when it is not there, and opens the file in it.
async fn open_folder(folder: &Path) -> Result<Pool, StoreError> {
    let blame = |source| StoreError::Folder { path: folder.to_owned(), source };
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(blame)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(blame)?;
    }
    let path = folder.join(FILE);
    Pool::open_file(&path).await.map_err(|error| match error {
        StoreError::Engine(_) | StoreError::Migration(_) => {
            StoreError::NotADatabase { path, source: Box::new(error) }
        }
        error => error,
    })
}

impl Tx {
    /// The id of the store and the name of the server it is for.
    async fn store_row(&mut self) -> Result<Option<(String, String)>, StoreError> {
        let row = self.row("SELECT id, server_name FROM store", &[]).await?;
        row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
    }
}
