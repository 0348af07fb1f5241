//! The steps by which a database comes to its present form, the same for both engines.
//!
//! SQLite's are kept account of by sqlx, in a table of its own; PostgreSQL's beside our tables. This
//! file refuses to know how a step is run.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Every step, oldest first: a name and its SQL. One that has been released is never changed.
pub(super) const ALL: [(&str, &str); 8] = [
    ("first", include_str!("../../../migrations/0001_first.sql")),
    ("refresh", include_str!("../../../migrations/0002_refresh.sql")),
    ("accounts", include_str!("../../../migrations/0003_accounts.sql")),
    ("indexes", include_str!("../../../migrations/0004_indexes.sql")),
    ("signing keys", include_str!("../../../migrations/0005_signing_keys.sql")),
    ("beats", include_str!("../../../migrations/0006_beats.sql")),
    ("homeserver", include_str!("../../../migrations/0007_homeserver.sql")),
    ("compactions", include_str!("../../../migrations/0008_compactions.sql")),
];

/// The steps with their numbers, counted from 1.
pub(super) fn numbered() -> impl Iterator<Item = (i64, (&'static str, &'static str))> {
    (1..).zip(ALL)
}

/// The steps as sqlx runs them.
pub(super) fn migrator() -> Migrator {
    let migration = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(numbered().map(migration).collect())
}
