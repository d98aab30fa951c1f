//! The tables, and their version.

use rusqlite::Connection;

use super::{StoreError, StoreFile};

/// The version that this code writes, in `PRAGMA user_version`.
const VERSION: i64 = 1;

/// Writes the header's page, whether or not the version changes.
pub(super) const SET_VERSION: &str = "PRAGMA user_version = 1;";

/// Reads the root page of every table and index.
pub(super) const PROBE: &str = "SELECT
    (SELECT max(id) FROM jobs),
    (SELECT max(owner) FROM jobs INDEXED BY jobs_of_owner),
    (SELECT min(id) FROM jobs INDEXED BY jobs_unfinished WHERE status < 2),
    (SELECT max(job) FROM documents),
    (SELECT max(job) FROM progress)";

/// What is listed is apart from what is large: a list reads slim rows, and saving progress does
/// not write the document again. AUTOINCREMENT: the number of a deleted job is not given again.
const TABLES: &str = "
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner INTEGER NOT NULL,
        status INTEGER NOT NULL,
        started INTEGER NOT NULL,
        ended INTEGER,
        error TEXT
    ) STRICT;
    CREATE INDEX jobs_of_owner ON jobs (owner, id);
    CREATE INDEX jobs_unfinished ON jobs (id) WHERE status < 2;
    CREATE TABLE documents (
        job INTEGER PRIMARY KEY,
        document TEXT NOT NULL,
        modules TEXT
    ) STRICT;
    CREATE TABLE progress (
        job INTEGER PRIMARY KEY,
        blocks TEXT NOT NULL,
        kept TEXT
    ) STRICT;
    PRAGMA user_version = 1;
";

/// Sets the connection up for durable writing, and makes the tables in a new file.
pub(super) fn prepare(connection: &Connection, file: &StoreFile) -> Result<(), StoreError> {
    let error = |error| file.error(error);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(error);
    let found = number("PRAGMA user_version")?;
    if found > VERSION {
        return Err(StoreError::NewerFormat { path: file.path(), found, supported: VERSION });
    }
    if found == 0 && number("SELECT count(*) FROM sqlite_schema")? > 0 {
        return Err(file.damaged("it has tables of something else"));
    }
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(error)?;
    if mode != "wal" {
        return Err(file.damaged(format!("no write-ahead log can be used (mode {mode})")));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(error)?;
    if found == 0 {
        let sql = format!("BEGIN IMMEDIATE; {TABLES} COMMIT;");
        connection.execute_batch(&sql).map_err(error)?;
    }
    Ok(())
}
