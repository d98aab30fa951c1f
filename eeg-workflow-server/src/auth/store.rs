//! The accounts in their database: users and the hashes of their passwords and tokens.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};

use super::token::TokenHash;

/// The version of the database's layout.
const VERSION: i64 = 1;
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
        created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY,
        user INTEGER NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_by_user ON tokens (user);
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
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) username: String,
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
        match version {
            0 => {
                transaction.execute_batch(LAYOUT)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            other => return Err(StoreError::Version(other)),
        }
        let limit = now() - seconds(KEPT_EXPIRED);
        transaction.execute("DELETE FROM tokens WHERE expires < ?1", [limit])?;
        transaction.commit()?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(connect(path)?) })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an account; none if the e-mail address is taken.
    pub(crate) fn create(&self, account: NewAccount) -> Result<Option<User>, StoreError> {
        let writer = self.writer();
        // An insertion that is ignored uses up no id.
        let added = writer.execute(
            "INSERT OR IGNORE INTO users (email_key, email, username, password, created)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                email_key(&account.email),
                account.email,
                account.username,
                account.password,
                now()
            ],
        )?;
        let id = writer.last_insert_rowid();
        let user = User { id, email: account.email, username: account.username };
        Ok((added == 1).then_some(user))
    }

    /// The account of this e-mail address.
    pub(crate) fn find(&self, email: &str) -> Result<Option<Account>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT id, email, username, password FROM users WHERE email_key = ?1",
        )?;
        let account = statement.query_row([email_key(email)], |row| {
            let user = User { id: row.get(0)?, email: row.get(1)?, username: row.get(2)? };
            Ok(Account { user, password: row.get(3)? })
        });
        Ok(account.optional()?)
    }

    /// How many accounts there are.
    pub(crate) fn count(&self) -> Result<i64, StoreError> {
        Ok(self.reader().query_row("SELECT count(*) FROM users", [], |row| row.get(0))?)
    }

    pub(crate) fn add_token(
        &self,
        user: i64,
        hash: &TokenHash,
        lifetime: Duration,
    ) -> Result<(), StoreError> {
        insert_token(&self.writer(), user, hash, lifetime)
    }

    /// Sets a password, ends every token of the user, and adds a new one.
    pub(crate) fn change_password(
        &self,
        user: i64,
        password: &str,
        hash: &TokenHash,
        lifetime: Duration,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        transaction
            .execute("UPDATE users SET password = ?2 WHERE id = ?1", params![user, password])?;
        transaction.execute("DELETE FROM tokens WHERE user = ?1", [user])?;
        insert_token(&transaction, user, hash, lifetime)?;
        Ok(transaction.commit()?)
    }

    /// The token of this hash and whose it is.
    pub(crate) fn find_token(&self, hash: &TokenHash) -> Result<Option<FoundToken>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT expires, users.id, email, username
             FROM tokens LEFT JOIN users ON users.id = tokens.user WHERE hash = ?1",
        )?;
        let now = now();
        let token = statement.query_row([hash.as_slice()], |row| {
            let user = match row.get::<_, Option<i64>>(1)? {
                Some(id) => Some(User { id, email: row.get(2)?, username: row.get(3)? }),
                None => None,
            };
            Ok(FoundToken { is_expired: row.get::<_, i64>(0)? <= now, user })
        });
        Ok(token.optional()?)
    }
}

fn insert_token(
    connection: &Connection,
    user: i64,
    hash: &TokenHash,
    lifetime: Duration,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO tokens (hash, user, created, expires) VALUES (?1, ?2, ?3, ?4)",
        params![hash.as_slice(), user, now(), now().saturating_add(seconds(lifetime))],
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
