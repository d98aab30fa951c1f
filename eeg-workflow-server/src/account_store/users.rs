//! Users: making, finding, disabling and deleting them.

use eeg_workflow_core::block::OwnerId;
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::chores::{self, Chore};
use super::database::{AccountStore, email_key, now};
use super::error::StoreError;
use super::invitations;
use super::networks;
use crate::secret::SecretHash;

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: OwnerId,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) is_admin: bool,
    pub(crate) is_disabled: bool,
}

/// An account that is to be made.
pub(crate) struct NewAccount {
    pub(crate) email: String,
    pub(crate) username: String,
    /// Its hash.
    pub(crate) password: String,
    pub(crate) admin: AdminRight,
    /// The invitation that is used up.
    pub(crate) invitation: Option<SecretHash>,
    /// Where the request came from: its user is known there.
    pub(crate) network: String,
}

/// Who becomes an administrator without an invitation that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminRight {
    /// The first account that is ever made.
    FirstAccount,
    /// This account, as long as there is no administrator.
    FirstAdmin,
    Never,
}

/// What became of a new account.
pub(crate) enum Created {
    User(User),
    EmailTaken,
    InvitationRefused,
}

/// An account as a login needs it.
pub(crate) struct Account {
    pub(crate) user: User,
    /// Its hash.
    pub(crate) password: String,
    /// Whether the user has registered or logged in from the network that was asked for.
    pub(crate) is_known: bool,
}

/// A user as operators see it.
pub(crate) struct UserSummary {
    pub(crate) user: User,
    /// Seconds since 1970.
    pub(crate) created: i64,
    /// When a token of the user was last used, if there is one.
    pub(crate) last_seen: Option<i64>,
}

/// The columns that [`user_in`] reads.
pub(super) const COLUMNS: &str = "users.id, email, username, is_admin, is_disabled";

impl AccountStore {
    /// Makes an account.
    pub(crate) fn create(&self, account: NewAccount) -> Result<Created, StoreError> {
        let NewAccount { email, username, password, admin, invitation, network } = account;
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let key = email_key(&email);
        let mut is_admin = match admin {
            AdminRight::FirstAccount => !has_row(&transaction, "sqlite_sequence")?,
            AdminRight::FirstAdmin => !has_row(&transaction, "users WHERE is_admin")?,
            AdminRight::Never => false,
        };
        if let Some(invitation) = invitation {
            match invitations::take(&transaction, &invitation, &key)? {
                Some(for_admin) => is_admin |= for_admin,
                None => return Ok(Created::InvitationRefused),
            }
        }
        // An insertion that is ignored uses up no id.
        let added: Option<i64> = transaction
            .query_row(
                "INSERT OR IGNORE INTO users (email_key, email, username, password, created, is_admin)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
                params![key, email, username, password, now(), is_admin],
                |row| row.get(0),
            )
            .optional()?;
        let Some(id) = added.map(OwnerId) else { return Ok(Created::EmailTaken) };
        networks::remember(&transaction, id, &network)?;
        transaction.commit()?;
        Ok(Created::User(User { id, email, username, is_admin, is_disabled: false }))
    }

    /// The account of this e-mail address, for a login from this network.
    pub(crate) fn find(&self, email: &str, network: &str) -> Result<Option<Account>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!(
            "SELECT {COLUMNS}, password, EXISTS (
                 SELECT 1 FROM known_networks WHERE user = users.id AND network = ?2)
             FROM users WHERE email_key = ?1"
        ))?;
        let account = statement.query_row([email_key(email).as_str(), network], |row| {
            Ok(Account { user: user_in(row, 0)?, password: row.get(5)?, is_known: row.get(6)? })
        });
        Ok(account.optional()?)
    }

    /// All users, the oldest account first.
    pub(crate) fn users(&self) -> Result<Vec<UserSummary>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!(
            "SELECT {COLUMNS}, users.created, max(tokens.used)
             FROM users LEFT JOIN tokens ON tokens.user = users.id
             GROUP BY users.id ORDER BY users.id"
        ))?;
        let users = statement.query_map([], |row| {
            let last_seen = row.get::<_, Option<i64>>(6)?.filter(|used| *used > 0);
            Ok(UserSummary { user: user_in(row, 0)?, created: row.get(5)?, last_seen })
        })?;
        Ok(users.collect::<Result<_, _>>()?)
    }

    /// Keeps a user out, with all tokens ended and jobs to be ended by the server, or lets the
    /// user in again. Says whether there is such a user.
    pub(crate) fn set_disabled(&self, user: OwnerId, disabled: bool) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = transaction.execute(
            "UPDATE users SET is_disabled = ?2 WHERE id = ?1",
            params![user.0, disabled],
        )?;
        if disabled && changed > 0 {
            transaction.execute("DELETE FROM tokens WHERE user = ?1", [user.0])?;
            chores::add(&transaction, user, Chore::EndJobs)?;
        }
        transaction.commit()?;
        Ok(changed > 0)
    }

    /// Has the server end the user's jobs. Says whether there is such a user.
    pub(crate) fn end_jobs(&self, user: OwnerId) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_there = has_row(&transaction, &format!("users WHERE id = {}", user.0))?;
        if is_there {
            chores::add(&transaction, user, Chore::EndJobs)?;
        }
        transaction.commit()?;
        Ok(is_there)
    }

    /// Deletes a user; the server removes jobs, files and modules. Says whether there was one.
    pub(crate) fn delete_user(&self, user: OwnerId) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let deleted = transaction.execute("DELETE FROM users WHERE id = ?1", [user.0])?;
        if deleted > 0 {
            transaction.execute("DELETE FROM known_networks WHERE user = ?1", [user.0])?;
            chores::add(&transaction, user, Chore::RemoveAll)?;
        }
        transaction.commit()?;
        Ok(deleted > 0)
    }
}

/// The user in the columns [`COLUMNS`], the first of which has this index.
pub(super) fn user_in(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: OwnerId(row.get(first)?),
        email: row.get(first + 1)?,
        username: row.get(first + 2)?,
        is_admin: row.get(first + 3)?,
        is_disabled: row.get(first + 4)?,
    })
}

fn has_row(transaction: &Transaction<'_>, table: &str) -> rusqlite::Result<bool> {
    transaction.query_row(&format!("SELECT EXISTS (SELECT 1 FROM {table})"), [], |row| row.get(0))
}
