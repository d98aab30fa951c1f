//! Invitations: each lets one person register, where registration is by invitation.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};

use super::database::{AccountStore, email_key, end_of, now};
use super::error::StoreError;
use crate::secret::SecretHash;

/// An invitation that is to be made.
pub(crate) struct NewInvitation {
    pub(crate) hash: SecretHash,
    /// Whose it is; anybody's if there is none.
    pub(crate) email: Option<String>,
    /// Whether the account is an administrator's.
    pub(crate) is_admin: bool,
    pub(crate) lifetime: Duration,
}

impl AccountStore {
    /// Makes an invitation. Says when it expires, in seconds since 1970.
    pub(crate) fn invite(&self, invitation: &NewInvitation) -> Result<i64, StoreError> {
        let NewInvitation { hash, email, is_admin, lifetime } = invitation;
        let (email, expires) = (email.as_deref().map(email_key), end_of(*lifetime));
        self.writer().execute(
            "INSERT INTO invitations (hash, email_key, is_admin, expires) VALUES (?1, ?2, ?3, ?4)",
            params![hash.as_slice(), email, is_admin, expires],
        )?;
        Ok(expires)
    }
}

/// Uses up an invitation. Says whether its account is an administrator's; none if there is no
/// such invitation for this e-mail address.
pub(super) fn take(
    transaction: &Transaction<'_>,
    hash: &SecretHash,
    email_key: &str,
) -> rusqlite::Result<Option<bool>> {
    transaction
        .query_row(
            "DELETE FROM invitations
             WHERE hash = ?1 AND expires > ?2 AND ifnull(email_key, ?3) = ?3
             RETURNING is_admin",
            params![hash.as_slice(), now(), email_key],
            |row| row.get(0),
        )
        .optional()
}
