//! A user as operators see it, over HTTP and on the command line.

use eeg_workflow_core::job::Timestamp;
use serde::Serialize;

use crate::account_store::UserSummary;

/// The JSON form of a user. Times are in the form of C's `asctime`, in UTC.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserEntry {
    id: String,
    email: String,
    username: String,
    admin: bool,
    disabled: bool,
    created: String,
    /// Empty if no session of the user is known.
    last_seen: String,
}

impl From<UserSummary> for UserEntry {
    fn from(summary: UserSummary) -> Self {
        let UserSummary { user, created, last_seen } = summary;
        Self {
            id: user.id.to_string(),
            email: user.email,
            username: user.username,
            admin: user.is_admin,
            disabled: user.is_disabled,
            created: Timestamp(created).to_string(),
            last_seen: last_seen.map_or_else(String::new, |seen| Timestamp(seen).to_string()),
        }
    }
}
