//! What homeservers do: an opaque token, looked up. One synchronous connection, so this is the time
//! one request waits and not what the server can do.

use std::env::var;

use rusqlite::OptionalExtension;

use crate::Outcome;
use crate::macaroons::now;
use crate::support::Contestant;
use crate::support::sessions::{END, Pool};

/// A token of 41 characters for every session.
pub(crate) fn texts(pool: &Pool) -> Vec<String> {
    pool.sessions.iter().map(|session| format!("syt_{}_opaq", session.id)).collect()
}

/// Adds a row for everybody who is there; gives who is not.
pub(crate) fn rows<'a>(
    pool: &'a Pool,
    texts: &'a [String],
    rows: &mut Vec<Contestant<'a>>,
) -> Outcome<Vec<&'static str>> {
    let mut absent = Vec::new();
    rows.push(sqlite(pool, texts)?);
    match var("PEERS_POSTGRES") {
        Ok(address) => rows.push(postgres(pool, texts, &address)?),
        Err(_) => absent.push("PostgreSQL (PEERS_POSTGRES)"),
    }
    match var("PEERS_REDIS") {
        Ok(address) => rows.push(redis(pool, texts, &address)?),
        Err(_) => absent.push("Redis (PEERS_REDIS)"),
    }
    Ok(absent)
}

const TABLE: &str = "CREATE TABLE access_tokens \
    (token TEXT PRIMARY KEY, user_id TEXT NOT NULL, device_id TEXT NOT NULL, ends BIGINT NOT NULL)";

fn sqlite<'a>(pool: &Pool, texts: &'a [String]) -> Outcome<Contestant<'a>> {
    let folder = tempfile::tempdir()?;
    let database = rusqlite::Connection::open(folder.path().join("tokens.db"))?;
    database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    database.execute(TABLE, [])?;
    database.execute_batch("BEGIN")?;
    for (session, text) in pool.sessions.iter().zip(texts) {
        let row = (text, &session.user, &session.device, END as i64);
        database.execute("INSERT INTO access_tokens VALUES (?1, ?2, ?3, ?4)", row)?;
    }
    database.execute_batch("COMMIT")?;
    Ok(Contestant::reading("opaque, SQLite", texts, move |text: &str| {
        let _kept = &folder;
        let asked = database
            .prepare_cached("SELECT user_id, device_id, ends FROM access_tokens WHERE token = ?1");
        let row = asked.and_then(|mut asked| {
            asked
                .query_row([text], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
                })
                .optional()
        });
        row.ok().flatten().is_some_and(|row| now() < std::hint::black_box(row).2 as u64)
    }))
}

fn postgres<'a>(pool: &Pool, texts: &'a [String], address: &str) -> Outcome<Contestant<'a>> {
    let mut client = postgres::Client::connect(address, postgres::NoTls)?;
    client.batch_execute("DROP TABLE IF EXISTS access_tokens")?;
    client.batch_execute(TABLE)?;
    let mut filling = client.transaction()?;
    let insert = filling.prepare("INSERT INTO access_tokens VALUES ($1, $2, $3, $4)")?;
    for (session, text) in pool.sessions.iter().zip(texts) {
        filling.execute(&insert, &[text, &session.user, &session.device, &(END as i64)])?;
    }
    filling.commit()?;
    client.batch_execute("ANALYZE access_tokens")?;
    let asked =
        client.prepare("SELECT user_id, device_id, ends FROM access_tokens WHERE token = $1")?;
    Ok(Contestant::reading("opaque, PostgreSQL", texts, move |text: &str| {
        let row = client.query_opt(&asked, &[&text]).ok().flatten();
        row.is_some_and(|row| {
            let names: (String, String) = (row.get(0), row.get(1));
            std::hint::black_box(names);
            now() < row.get::<_, i64>(2) as u64
        })
    }))
}

fn redis<'a>(pool: &Pool, texts: &'a [String], address: &str) -> Outcome<Contestant<'a>> {
    let mut connection = redis::Client::open(address)?.get_connection()?;
    for (session, text) in pool.sessions.iter().zip(texts) {
        let value = format!("{} {} {END}", session.user, session.device);
        redis::cmd("SET").arg(text).arg(value).query::<()>(&mut connection)?;
    }
    Ok(Contestant::reading("opaque, Redis", texts, move |text: &str| {
        let value =
            redis::cmd("GET").arg(text).query::<Option<String>>(&mut connection).ok().flatten();
        let end = value.as_ref().and_then(|value| value.rsplit_once(' ')?.1.parse::<u64>().ok());
        end.is_some_and(|end| now() < end)
    }))
}
