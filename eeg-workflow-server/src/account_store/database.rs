//! The database file of the accounts, and its connections.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use eeg_workflow_core::job::Timestamp;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::error::StoreError;
use super::schema;
use crate::sync::lock;

/// What e-mail addresses are compared by.
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The accounts in their database.
pub(crate) struct AccountStore {
    writer: Mutex<Connection>,
    /// Of its own, so that looking up a token never waits for a disk.
    reader: Mutex<Connection>,
}

impl AccountStore {
    /// Opens the database in this file, which is made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut writer = connect(path)?;
        schema::update(&mut writer)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(connect(path)?) })
    }

    pub(super) fn writer(&self) -> MutexGuard<'_, Connection> {
        lock(&self.writer)
    }

    pub(super) fn reader(&self) -> MutexGuard<'_, Connection> {
        lock(&self.reader)
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // Without it, binding a value plans the statement anew each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().0
}

/// The end of a time that begins now, in seconds since 1970.
pub(super) fn end_of(duration: Duration) -> i64 {
    now().saturating_add(seconds(duration))
}

pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
