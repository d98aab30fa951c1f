//! The layout of the accounts database, one step a version.

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;

/// The version of the layout that this program uses.
const VERSION: usize = STEPS.len();

/// What each version changed of the one before. Nothing is done twice, where a database has
/// some of it already.
const STEPS: [Step; 3] = [
    // Users and tokens.
    Step { columns: &[], rest: FIRST },
    // The first account becomes an administrator's.
    Step {
        columns: &[("users", "is_admin INTEGER NOT NULL DEFAULT 0")],
        rest: "UPDATE users SET is_admin = 1 WHERE id = (SELECT min(id) FROM users)",
    },
    // What operators need, and what is shown of sessions.
    Step {
        columns: &[
            ("users", "is_disabled INTEGER NOT NULL DEFAULT 0"),
            ("tokens", "used INTEGER NOT NULL DEFAULT 0"),
            ("tokens", "address TEXT NOT NULL DEFAULT ''"),
            ("tokens", "program TEXT NOT NULL DEFAULT ''"),
        ],
        rest: OPERATORS,
    },
];

struct Step {
    /// Tables and columns that are added to them.
    columns: &'static [(&'static str, &'static str)],
    rest: &'static str,
}

/// `id` is never given to another user (AUTOINCREMENT): jobs and files belong to it. The
/// tokens of a user who was deleted stay, so that they are told apart from wrong ones.
const FIRST: &str = "
    CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        email_key TEXT NOT NULL UNIQUE,
        email TEXT NOT NULL,
        username TEXT NOT NULL,
        password TEXT NOT NULL,
        created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS tokens (
        hash BLOB PRIMARY KEY,
        user INTEGER NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS tokens_by_user ON tokens (user);
";

/// `chores` holds what a server has still to do for a user, because the command line disables
/// and deletes users without one.
const OPERATORS: &str = "
    CREATE TABLE IF NOT EXISTS known_networks (
        user INTEGER NOT NULL,
        network TEXT NOT NULL,
        seen INTEGER NOT NULL,
        PRIMARY KEY (user, network)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS invitations (
        hash BLOB PRIMARY KEY,
        email_key TEXT,
        is_admin INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS chores (
        user INTEGER NOT NULL,
        what TEXT NOT NULL,
        PRIMARY KEY (user, what)
    ) STRICT, WITHOUT ROWID;
";

/// Brings a database, new or of an older layout, to the present layout.
pub(super) fn update(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let missing = usize::try_from(found).ok().and_then(|done| STEPS.get(done..));
    let missing = missing.ok_or(StoreError::Version { found, known: VERSION })?;
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        for (table, column) in step.columns {
            let name = column.split(' ').next().unwrap_or_default();
            if !transaction.column_exists(None, *table, name)? {
                let add = format!("ALTER TABLE {table} ADD COLUMN {column}");
                transaction.execute(&add, [])?;
            }
        }
        transaction.execute_batch(step.rest)?;
    }
    transaction.pragma_update(None, "user_version", VERSION as i64)?;
    Ok(transaction.commit()?)
}
