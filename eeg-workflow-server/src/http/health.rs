//! Whether the databases can be read and written, and there is space for files.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::sync::lock;

/// A check takes as long as reading all of the databases does, so it is good for a multiple of
/// that time: asking often costs little.
const GOOD_FOR: u32 = 10;
const GOOD_AT_LEAST: Duration = Duration::from_millis(500);

/// What is written to see whether there is space.
const PROBE: [u8; 4096] = [0; 4096];

/// What is checked, and what was found the last time.
pub(crate) struct Health {
    folder: Arc<Path>,
    databases: Arc<[(&'static str, PathBuf)]>,
    last: Mutex<Option<Checked>>,
    /// Held by whoever checks.
    checking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Checked {
    result: Result<(), String>,
    good_until: Instant,
}

impl Health {
    /// Checks the data directory and these database files, over connections of its own.
    pub(crate) fn new<const N: usize>(
        folder: &Path,
        databases: [(&'static str, PathBuf); N],
    ) -> Self {
        Self {
            folder: folder.into(),
            databases: databases.into(),
            last: Mutex::default(),
            checking: tokio::sync::Mutex::default(),
        }
    }

    /// Reads every page of the databases, writes one of each and a file, and does `more`, unless that
    /// was done a moment ago. While one request has it checked, others are told what was found
    /// before.
    ///
    /// # Errors
    /// What is wrong, without the server's folders.
    pub(crate) async fn check(
        &self,
        more: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let known = lock(&self.last).clone();
        let _checking = match (known, self.checking.try_lock()) {
            (Some(known), _) if Instant::now() < known.good_until => return known.result,
            (Some(known), Err(_)) => return known.result,
            (_, Ok(checking)) => checking,
            (None, Err(_)) => self.checking.lock().await,
        };
        // Another request may have checked in between.
        if let Some(known) = lock(&self.last).clone().filter(|one| Instant::now() < one.good_until)
        {
            return known.result;
        }
        let (folder, databases) = (Arc::clone(&self.folder), Arc::clone(&self.databases));
        let started = Instant::now();
        let check = move || {
            check_folder(&folder)?;
            check_all(&databases)?;
            more()
        };
        let result = tokio::task::spawn_blocking(check).await;
        let result = result.unwrap_or_else(|_| Err("the check itself failed".into()));
        if let Err(problem) = &result {
            tracing::error!(problem, "the server is not in order");
        }
        let good_for = (started.elapsed() * GOOD_FOR).max(GOOD_AT_LEAST);
        let good_until = Instant::now() + good_for;
        *lock(&self.last) = Some(Checked { result: result.clone(), good_until });
        result
    }
}

/// A database may find space in its own file when there is none for others.
fn check_folder(folder: &Path) -> Result<(), String> {
    let path = folder.join("health-check");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&PROBE)?;
        file.sync_all()
    });
    let removed = fs::remove_file(&path);
    written.and(removed).map_err(|error| format!("the data directory: {error}"))
}

fn check_all(databases: &[(&'static str, PathBuf)]) -> Result<(), String> {
    for (name, path) in databases {
        check(path).map_err(|problem| format!("{name}: {problem}"))?;
    }
    Ok(())
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn database(path: &Path) -> rusqlite::Result<()> {
        let connection = Connection::open(path)?;
        connection.execute_batch("CREATE TABLE t (x TEXT); CREATE INDEX i ON t (x); BEGIN;")?;
        for number in 0..2_000 {
            connection.execute("INSERT INTO t VALUES (?1)", [format!("value {number}")])?;
        }
        connection.execute_batch("COMMIT")
    }

    #[test]
    fn a_damaged_page_and_a_missing_file_are_told() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.db");
        database(&path)?;
        assert_eq!(check_all(&[("x", path.clone())]), Ok(()));
        let mut bytes = fs::read(&path)?;
        bytes.get_mut(4096..8192).ok_or("too short")?.fill(0xa5);
        fs::write(&path, bytes)?;
        let problem = check_all(&[("x", path)]);
        assert!(problem.is_err_and(|problem| problem.starts_with("x: ")));
        assert_eq!(check_folder(folder.path()), Ok(()));
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        let problem = check_folder(&folder.path().join("gone"));
        assert!(problem.is_err_and(|problem| problem.starts_with("the data directory: ")));
        assert!(check_all(&[("none", folder.path().join("none.db"))]).is_err());
        Ok(())
    }

    #[tokio::test]
    async fn asking_often_checks_once() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.db");
        database(&path)?;
        let health = Health::new(folder.path(), [("x", path)]);
        let checks = Arc::new(AtomicU32::new(0));
        for _ in 0..100 {
            let checks = Arc::clone(&checks);
            let count = move || {
                checks.fetch_add(1, Ordering::SeqCst);
                Err("counted".to_owned())
            };
            assert_eq!(health.check(count).await, Err("counted".to_owned()));
        }
        let checks = checks.load(Ordering::SeqCst);
        assert!(checks < 10, "{checks}");
        Ok(())
    }
}
