//! From which networks users have registered or logged in.

use eeg_workflow_core::block::OwnerId;
use rusqlite::{Connection, params};

use super::database::now;

/// Notes that the user comes from this network.
pub(super) fn remember(
    connection: &Connection,
    user: OwnerId,
    network: &str,
) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO known_networks (user, network, seen) VALUES (?1, ?2, ?3)",
        params![user.0, network, now()],
    )?;
    Ok(())
}
