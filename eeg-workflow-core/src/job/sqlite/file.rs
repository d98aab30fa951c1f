//! The file of a store: its lock, its connections, and what its errors mean.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::StoreError;

/// Bytes of the disk that are held for the case that it is full.
const RESERVE: usize = 1024 * 1024;

/// The file's path, for connections and messages.
#[derive(Clone, Debug)]
pub(super) struct StoreFile(Arc<Path>);

impl StoreFile {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.into())
    }

    /// A file beside it.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.0.as_os_str().to_owned();
        path.push(ending);
        path.into()
    }

    /// Holds some of the disk, if there is any: given up, it is what a deletion needs on a disk
    /// that is full.
    pub(super) fn keep_reserve(&self) {
        let path = self.beside(".reserve");
        if path.exists() {
            return;
        }
        let written = private(OpenOptions::new().create_new(true))
            .open(&path)
            .and_then(|mut file| file.write_all(&vec![0; RESERVE]));
        if written.is_err() {
            let _ = fs::remove_file(&path);
        }
    }

    pub(super) fn give_up_reserve(&self) {
        // If there is none, it was given up before.
        let _ = fs::remove_file(self.beside(".reserve"));
    }

    /// Refuses a second store: two would both run what is unfinished.
    pub(super) fn lock(&self) -> Result<File, StoreError> {
        let lock = private(OpenOptions::new().create(true).truncate(false))
            .open(self.beside(".lock"))
            .map_err(|error| self.io(error))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse(self.path())),
            Err(fs::TryLockError::Error(error)) => Err(self.io(error)),
        }
    }

    /// Makes the file, for its owner only; SQLite gives the files beside it the same mode.
    pub(super) fn create(&self) -> io::Result<()> {
        match private(OpenOptions::new().create_new(true)).open(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.map(drop),
        }
    }

    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.0)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        // Without it, binding a value plans a cached statement anew each time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }

    pub(super) fn connect_reader(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.to_path_buf()
    }

    pub(super) fn damaged(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path(), problem: problem.into() }
    }

    pub(super) fn io(&self, error: io::Error) -> StoreError {
        if error.kind() == io::ErrorKind::StorageFull {
            return StoreError::Full(self.path());
        }
        StoreError::Io { path: self.path(), source: Arc::new(error) }
    }

    pub(super) fn error(&self, error: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::TooBig) => StoreError::TooLarge(self.path()),
            Some(
                ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange,
            ) => StoreError::Refused { path: self.path(), problem: error.to_string() },
            Some(ErrorCode::DiskFull) => StoreError::Full(self.path()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Busy(self.path())
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                self.damaged(error.to_string())
            }
            _ => StoreError::Io { path: self.path(), source: Arc::new(error) },
        }
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.write(true)
}
