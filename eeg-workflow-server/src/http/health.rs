//! Whether a database can be read and written.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::sync::lock;

/// A check is good for as many times as long as it took, so that asking often costs little.
const GOOD_FOR: u32 = 10;
const GOOD_AT_LEAST: Duration = Duration::from_millis(500);

/// Checks one database file, over a connection of its own.
pub(crate) struct DatabaseCheck {
    path: PathBuf,
    last: Mutex<Option<Checked>>,
}

struct Checked {
    result: Result<(), String>,
    good_until: Instant,
}

impl DatabaseCheck {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, last: Mutex::new(None) }
    }

    /// Reads every page and writes one. May take a while: the pages of a large database are many.
    ///
    /// # Errors
    /// What is wrong with the database, without its path.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut last = lock(&self.last);
        if let Some(checked) = &*last
            && Instant::now() < checked.good_until
        {
            return checked.result.clone();
        }
        let started = Instant::now();
        let result = check(&self.path);
        let good_for = (started.elapsed() * GOOD_FOR).max(GOOD_AT_LEAST);
        *last = Some(Checked { result: result.clone(), good_until: Instant::now() + good_for });
        result
    }
}

fn check(path: &Path) -> Result<(), String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // The error itself names the server's folders.
    let connection =
        Connection::open_with_flags(path, flags).map_err(|_| "it cannot be opened".to_owned())?;
    let problem = read_and_write(connection).map_err(|error| error.to_string())?;
    if problem == "ok" { Ok(()) } else { Err(problem) }
}

/// What SQLite says about the pages of the database.
fn read_and_write(mut connection: Connection) -> rusqlite::Result<String> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // The same version again: nothing changes, and yet a page is written.
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_page_and_a_missing_file_are_told() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.db");
        let connection = Connection::open(&path)?;
        connection.execute_batch("CREATE TABLE t (x TEXT); CREATE INDEX i ON t (x); BEGIN;")?;
        for number in 0..2_000 {
            connection.execute("INSERT INTO t VALUES (?1)", [format!("value {number}")])?;
        }
        connection.execute_batch("COMMIT")?;
        drop(connection);
        assert_eq!(DatabaseCheck::new(path.clone()).check(), Ok(()));
        let mut bytes = std::fs::read(&path)?;
        bytes.get_mut(4096..8192).ok_or("too short")?.fill(0xa5);
        std::fs::write(&path, bytes)?;
        assert!(DatabaseCheck::new(path).check().is_err());
        assert!(DatabaseCheck::new(folder.path().join("none.db")).check().is_err());
        Ok(())
    }
}
