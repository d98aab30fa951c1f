//! The accounts in their database: users and the hashes of their passwords and tokens.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eeg_workflow_core::block::OwnerId;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::token::TokenHash;
use crate::sync::lock;

/// The version of the database's layout.
const VERSION: i64 = 2;
/// Expired tokens are kept so long, so that their owners are told that they expired.
const KEPT_EXPIRED: Duration = Duration::from_secs(30 * 24 * 3600);

/// `id` is never given to another user (AUTOINCREMENT): jobs and files belong to it. The
/// tokens of a user who was deleted stay, so that they are told apart from wrong ones.
const LAYOUT: &str = "
    CREATE TABLE users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        email_key TEXT NOT NULL UNIQUE,
        email TEXT NOT NULL,
        username TEXT NOT NULL,
        password TEXT NOT NULL,
        created INTEGER NOT NULL,
        is_admin INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY,
        user INTEGER NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_by_user ON tokens (user);
";

/// From layout 1, which knew no administrators: the first account is one.
const FROM_1: &str = "
    ALTER TABLE users ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0;
    UPDATE users SET is_admin = 1 WHERE id = (SELECT min(id) FROM users);
";

/// Why the accounts cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the accounts database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the accounts database has layout {0}, and this program knows layout {VERSION}")]
    Version(i64),
}

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: OwnerId,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) is_admin: bool,
}

pub(crate) struct NewAccount {
    pub(crate) email: String,
    pub(crate) username: String,
    /// Its hash.
    pub(crate) password: String,
}

pub(crate) struct Account {
    pub(crate) user: User,
    /// Its hash.
    pub(crate) password: String,
}

pub(crate) struct FoundToken {
    pub(crate) is_expired: bool,
    /// None when the user is gone.
    pub(crate) user: Option<User>,
}

/// What e-mail addresses are compared by.
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

pub(crate) struct AccountStore {
    writer: Mutex<Connection>,
    /// Of its own, so that looking up a token never waits for a disk.
    reader: Mutex<Connection>,
}

impl AccountStore {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut writer = connect(path)?;
        let transaction = writer.transaction()?;
        let version = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let change = match version {
            0 => Some(LAYOUT),
            1 => Some(FROM_1),
            VERSION => None,
            other => return Err(StoreError::Version(other)),
        };
        if let Some(change) = change {
            transaction.execute_batch(change)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        let limit = now() - seconds(KEPT_EXPIRED);
        transaction.execute("DELETE FROM tokens WHERE expires < ?1", [limit])?;
        transaction.commit()?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(connect(path)?) })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        lock(&self.writer)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        lock(&self.reader)
    }

    /// Adds an account, the first of them an administrator's; none if the e-mail address is
    /// taken.
    pub(crate) fn create(&self, account: NewAccount) -> Result<Option<User>, StoreError> {
        let NewAccount { email, username, password } = account;
        let writer = self.writer();
        // An insertion that is ignored uses up no id.
        let mut statement = writer.prepare_cached(
            "INSERT OR IGNORE INTO users (email_key, email, username, password, created, is_admin)
             VALUES (?1, ?2, ?3, ?4, ?5, NOT EXISTS (SELECT 1 FROM users))
             RETURNING id, is_admin",
        )?;
        let values = params![email_key(&email), email, username, password, now()];
        let added = statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(added.map(|(id, is_admin)| User { id: OwnerId(id), email, username, is_admin }))
    }

    /// The account of this e-mail address.
    pub(crate) fn find(&self, email: &str) -> Result<Option<Account>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT password, id, email, username, is_admin FROM users WHERE email_key = ?1",
        )?;
        let account = statement.query_row([email_key(email)], |row| {
            Ok(Account { password: row.get(0)?, user: user_in(row)? })
        });
        Ok(account.optional()?)
    }

    pub(crate) fn add_token(
        &self,
        user: OwnerId,
        hash: &TokenHash,
        lifetime: Duration,
    ) -> Result<(), StoreError> {
        insert_token(&self.writer(), user, hash, lifetime)
    }

    /// Sets a password, ends every token of the user, and adds a new one.
    pub(crate) fn change_password(
        &self,
        user: OwnerId,
        password: &str,
        hash: &TokenHash,
        lifetime: Duration,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        transaction
            .execute("UPDATE users SET password = ?2 WHERE id = ?1", params![user.0, password])?;
        transaction.execute("DELETE FROM tokens WHERE user = ?1", [user.0])?;
        insert_token(&transaction, user, hash, lifetime)?;
        Ok(transaction.commit()?)
    }

    /// The token of this hash and whose it is.
    pub(crate) fn find_token(&self, hash: &TokenHash) -> Result<Option<FoundToken>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT expires, users.id, email, username, is_admin
             FROM tokens LEFT JOIN users ON users.id = tokens.user WHERE hash = ?1",
        )?;
        let now = now();
        let token = statement.query_row([hash.as_slice()], |row| {
            let user = match row.get::<_, Option<i64>>(1)? {
                Some(_) => Some(user_in(row)?),
                None => None,
            };
            Ok(FoundToken { is_expired: row.get::<_, i64>(0)? <= now, user })
        });
        Ok(token.optional()?)
    }
}

/// The user in the columns from the second on.
fn user_in(row: &Row<'_>) -> rusqlite::Result<User> {
    let (id, email, username, is_admin) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    Ok(User { id: OwnerId(id), email, username, is_admin })
}

fn insert_token(
    connection: &Connection,
    user: OwnerId,
    hash: &TokenHash,
    lifetime: Duration,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO tokens (hash, user, created, expires) VALUES (?1, ?2, ?3, ?4)",
        params![hash.as_slice(), user.0, now(), now().saturating_add(seconds(lifetime))],
    )?;
    Ok(())
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
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, seconds)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
