//! Where a town lives: a folder, and in it its database, or one of its own on a server.
//!
//! The server is the one that the variable POSTGRES_OF_TESTS names by its URL; without it everything
//! is SQLite.

use std::env;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use amaretti::ident::ServerName;
use amaretti::store::{Place, Server, Store};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, SqlitePool};
use tempfile::TempDir;

use super::SERVER;

/// A folder and a database, gone when this is dropped.
pub(crate) struct Home {
    folder: TempDir,
    database: Option<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::copied_from(template)
    }

    /// A home for a program that is not ours: in its database there is nothing.
    pub(crate) fn bare() -> Self {
        Self::copied_from(|| "template0")
    }

    fn copied_from(template: impl FnOnce() -> &'static str) -> Self {
        static HOMES: AtomicU64 = AtomicU64::new(0);
        let database = server().map(|_| {
            let name = format!("town_{}_{}", process::id(), HOMES.fetch_add(1, Relaxed));
            run(&format!("CREATE DATABASE {name} TEMPLATE {}", template()));
            name
        });
        Self { folder: tempfile::tempdir().unwrap(), database }
    }

    /// The database as libpq's parameters name it, if it is on a server.
    pub(crate) fn parameters(&self) -> Option<Vec<(String, String)>> {
        let options: PgConnectOptions = url(self.database.as_ref()?).parse().unwrap();
        let port = options.get_port().to_string();
        let database = options.get_database().unwrap();
        let pairs = [
            ("host", options.get_host()),
            ("port", &port),
            ("user", options.get_username()),
            ("dbname", database),
        ];
        Some(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn place(&self) -> Place {
        match &self.database {
            Some(name) => place(name),
            None => Place::Folder(self.data()),
        }
    }

    /// The database itself, for what no program of ours does to it.
    pub(crate) async fn raw(&self) -> Raw {
        match &self.database {
            Some(name) => Raw::Postgres(PgPool::connect(&url(name)).await.unwrap()),
            None => {
                let file = self.data().join("amaretti.sqlite");
                Raw::Sqlite(file_of_sqlite(&file).await)
            }
        }
    }

    /// The database of a program that is not ours; on SQLite it is made in `file`.
    pub(crate) async fn foreign(&self, file: &Path) -> Raw {
        match &self.database {
            Some(name) => Raw::Postgres(PgPool::connect(&url(name)).await.unwrap()),
            None => Raw::Sqlite(file_of_sqlite(file).await),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(name) = &self.database {
            run(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// A database as it is, whichever engine has it.
pub(crate) enum Raw {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Raw {
    /// Runs many statements.
    pub(crate) async fn run_all(&self, sql: &'static str) {
        match self {
            Self::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()).unwrap(),
            Self::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()).unwrap(),
        }
    }

    /// Runs a statement.
    pub(crate) async fn run(&self, sql: &'static str) {
        match self {
            Self::Sqlite(pool) => sqlx::query(sql).execute(pool).await.map(|_| ()).unwrap(),
            Self::Postgres(pool) => sqlx::query(sql).execute(pool).await.map(|_| ()).unwrap(),
        }
    }

    /// Lets nobody write from now on, until it is let go: a writer waits for seconds.
    pub(crate) async fn hold(&self) -> Held {
        match self {
            Self::Sqlite(pool) => Held::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await.unwrap()),
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await.unwrap();
                let lock = "LOCK TABLE users, devices, refreshes, feed IN EXCLUSIVE MODE";
                sqlx::query(lock).execute(&mut *transaction).await.unwrap();
                Held::Postgres(transaction)
            }
        }
    }

    /// The number that a query gives.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }
}

/// A database that nobody writes to.
pub(crate) enum Held {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Held {
    /// Lets whoever waits write.
    pub(crate) async fn let_go(self) {
        match self {
            Self::Sqlite(transaction) => transaction.rollback().await.unwrap(),
            Self::Postgres(transaction) => transaction.rollback().await.unwrap(),
        }
    }
}

async fn file_of_sqlite(file: &Path) -> SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    SqlitePool::connect_with(options).await.unwrap()
}

fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    SERVER.get_or_init(|| env::var("POSTGRES_OF_TESTS").ok()).as_deref()
}

/// The URL of a database on the server.
fn url(database: &str) -> String {
    let (server, _) = server().expect("a server is named").rsplit_once('/').expect("a URL");
    format!("{server}/{database}")
}

fn place(database: &str) -> Place {
    Place::Server(Server::new(&url(database), 8, Duration::from_secs(5)).unwrap())
}

/// A database that is up to date and has no name yet: what towns are copied from.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("template_{}", process::id());
        run(&format!("CREATE DATABASE {name}"));
        let at = name.clone();
        apart(async move {
            let server = ServerName::parse(SERVER).unwrap();
            Store::open(&place(&at), &server).await.unwrap().close().await;
            let mut conn = PgConnection::connect(&url(&at)).await.unwrap();
            sqlx::query("DELETE FROM store").execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        });
        name
    })
}

/// Runs a statement on the server.
fn run(sql: &str) {
    let sql = sql.to_owned();
    apart(async move {
        let mut conn = PgConnection::connect(&url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    });
}

/// Does something on a thread of its own and waits for it: the one of a test may be anywhere.
fn apart(work: impl Future<Output = ()> + Send + 'static) {
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work);
    });
    thread.join().unwrap();
}
