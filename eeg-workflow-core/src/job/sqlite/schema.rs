//! The tables, and their version.

use rusqlite::Connection;

use super::{StoreError, StoreFile};

/// The version that this code writes, in `PRAGMA user_version`.
const VERSION: i64 = 2;

/// Writes the header's page, whether or not the version changes.
pub(super) const SET_VERSION: &str = "PRAGMA user_version = 2;";

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
        error TEXT,
        token INTEGER NOT NULL DEFAULT 0,
        cancelled INTEGER NOT NULL DEFAULT 0
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
    PRAGMA user_version = 2;
";

/// From version 1, which had neither tokens nor a column for requests to cancel.
const FROM_VERSION_1: &str = "
    ALTER TABLE jobs ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
    UPDATE jobs SET cancelled = 1 WHERE status < 2 AND id IN (
        SELECT job FROM progress WHERE json_valid(blocks) AND json_extract(blocks, '$.cancel_requested')
    );
    PRAGMA user_version = 2;
";

/// Bytes of the write-ahead log that stay on the disk while it is empty.
const LOG_BYTES: i64 = 16 * 1024 * 1024;
const INCREMENTAL: i64 = 2;

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
    // So that the file can shrink. In an empty one it takes effect at once.
    connection.pragma_update(None, "auto_vacuum", INCREMENTAL).map_err(error)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(error)?;
    if mode != "wal" {
        return Err(file.damaged(format!("no write-ahead log can be used (mode {mode})")));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(error)?;
    let set_log = format!("PRAGMA journal_size_limit = {LOG_BYTES}");
    connection.query_row(&set_log, [], |_| Ok(())).map_err(error)?;
    let tables = match found {
        0 => TABLES,
        1 => FROM_VERSION_1,
        _ => return Ok(()),
    };
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {tables} COMMIT;")).map_err(error)?;
    if number("PRAGMA auto_vacuum")? != INCREMENTAL {
        // Written anew, so that it can shrink from now on. Without the room for that it stays.
        let _ = connection.execute_batch("VACUUM");
    }
    Ok(())
}
