//! Sessions: the tokens of logged-in users, and where they were made.

use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::database::{AccountStore, end_of, now, seconds};
use super::error::StoreError;
use super::networks;
use super::users::{COLUMNS, User, user_in};
use crate::secret::SecretHash;

/// Expired tokens are kept for this time, so that their owners are told that they expired.
const KEPT_EXPIRED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Networks from which a user has not logged in for this time are forgotten.
const KEPT_NETWORKS: Duration = Duration::from_secs(180 * 24 * 3600);
/// Sessions of one user: the oldest ends when there would be more.
const MAX_SESSIONS: i64 = 1_000;

/// A session that is to begin.
pub(crate) struct NewSession {
    pub(crate) hash: SecretHash,
    pub(crate) lifetime: Duration,
    /// The client's address.
    pub(crate) address: String,
    /// The network that the address is in.
    pub(crate) network: String,
    /// What the client calls itself.
    pub(crate) program: String,
}

/// A session as its user sees it. All times are in seconds since 1970.
pub(crate) struct Session {
    /// Names it among the user's sessions, and does not tell the token.
    pub(crate) id: String,
    pub(crate) is_current: bool,
    pub(crate) created: i64,
    pub(crate) used: i64,
    pub(crate) expires: i64,
    pub(crate) address: String,
    pub(crate) program: String,
}

/// What a token leads to.
pub(crate) struct FoundSession {
    pub(crate) is_expired: bool,
    /// When it was last noted that the token is used.
    pub(crate) used: i64,
    /// None when the user is gone.
    pub(crate) user: Option<User>,
}

impl AccountStore {
    /// Begins a session. Says whether there still is such a user.
    pub(crate) fn add_session(
        &self,
        user: OwnerId,
        session: &NewSession,
    ) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let added = insert(&transaction, user, session)?;
        transaction.commit()?;
        Ok(added)
    }

    /// Sets a password, ends every session of the user, and begins a new one.
    pub(crate) fn change_password(
        &self,
        user: OwnerId,
        password: &str,
        session: &NewSession,
    ) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .execute("UPDATE users SET password = ?2 WHERE id = ?1", params![user.0, password])?;
        transaction.execute("DELETE FROM tokens WHERE user = ?1", [user.0])?;
        let added = insert(&transaction, user, session)?;
        transaction.commit()?;
        Ok(added)
    }

    /// The session of this token and whose it is.
    pub(crate) fn find_session(
        &self,
        hash: &SecretHash,
    ) -> Result<Option<FoundSession>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!(
            "SELECT expires, used, {COLUMNS}
             FROM tokens LEFT JOIN users ON users.id = tokens.user WHERE hash = ?1"
        ))?;
        let now = now();
        let session = statement.query_row([hash.as_slice()], |row| {
            let user = match row.get::<_, Option<i64>>(2)? {
                Some(_) => Some(user_in(row, 2)?),
                None => None,
            };
            let is_expired = row.get::<_, i64>(0)? <= now;
            Ok(FoundSession { is_expired, used: row.get(1)?, user })
        });
        Ok(session.optional()?)
    }

    /// Notes that a token is used now.
    pub(crate) fn touch_session(&self, hash: &SecretHash) -> Result<(), StoreError> {
        let update = "UPDATE tokens SET used = ?2 WHERE hash = ?1";
        self.writer().execute(update, params![hash.as_slice(), now()])?;
        Ok(())
    }

    /// The user's sessions, the newest first; `current` is the one that asks.
    pub(crate) fn sessions(
        &self,
        user: OwnerId,
        current: &SecretHash,
    ) -> Result<Vec<Session>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT lower(hex(substr(hash, 1, 8))), hash = ?2, created, used, expires, address, program
             FROM tokens WHERE user = ?1 AND expires > ?3 ORDER BY created DESC, hash",
        )?;
        let sessions = statement.query_map(params![user.0, current.as_slice(), now()], |row| {
            Ok(Session {
                id: row.get(0)?,
                is_current: row.get(1)?,
                created: row.get(2)?,
                used: row.get(3)?,
                expires: row.get(4)?,
                address: row.get(5)?,
                program: row.get(6)?,
            })
        })?;
        Ok(sessions.collect::<Result<_, _>>()?)
    }

    /// Ends one of the user's sessions. Says whether there was one of this name.
    pub(crate) fn end_session(&self, user: OwnerId, id: &str) -> Result<bool, StoreError> {
        let ended = self.writer().execute(
            "DELETE FROM tokens WHERE user = ?1 AND lower(hex(substr(hash, 1, 8))) = ?2",
            params![user.0, id],
        )?;
        Ok(ended > 0)
    }

    /// Ends the session of this token.
    pub(crate) fn end_token(&self, hash: &SecretHash) -> Result<(), StoreError> {
        self.writer().execute("DELETE FROM tokens WHERE hash = ?1", [hash.as_slice()])?;
        Ok(())
    }

    /// Ends the user's sessions but the one of this token. Says how many there were.
    pub(crate) fn end_other_sessions(
        &self,
        user: OwnerId,
        current: &SecretHash,
    ) -> Result<usize, StoreError> {
        let delete = "DELETE FROM tokens WHERE user = ?1 AND hash <> ?2";
        Ok(self.writer().execute(delete, params![user.0, current.as_slice()])?)
    }

    /// Forgets what expired long ago.
    pub(crate) fn forget_expired(&self) -> Result<(), StoreError> {
        let before = |kept: Duration| now().saturating_sub(seconds(kept));
        let writer = self.writer();
        writer.execute("DELETE FROM tokens WHERE expires < ?1", [before(KEPT_EXPIRED)])?;
        writer.execute("DELETE FROM known_networks WHERE seen < ?1", [before(KEPT_NETWORKS)])?;
        writer.execute("DELETE FROM invitations WHERE expires < ?1", [now()])?;
        Ok(())
    }
}

fn insert(connection: &Connection, user: OwnerId, session: &NewSession) -> rusqlite::Result<bool> {
    let NewSession { hash, lifetime, address, network, program } = session;
    let added = connection.execute(
        "INSERT INTO tokens (hash, user, created, used, expires, address, program)
         SELECT ?1, id, ?3, ?3, ?4, ?5, ?6 FROM users WHERE id = ?2 AND NOT is_disabled",
        params![hash.as_slice(), user.0, now(), end_of(*lifetime), address, program],
    )?;
    if added == 0 {
        return Ok(false);
    }
    connection.execute(
        "DELETE FROM tokens WHERE user = ?1 AND hash IN (
             SELECT hash FROM tokens WHERE user = ?1 ORDER BY created DESC LIMIT -1 OFFSET ?2)",
        params![user.0, MAX_SESSIONS],
    )?;
    networks::remember(connection, user, network)?;
    Ok(true)
}
