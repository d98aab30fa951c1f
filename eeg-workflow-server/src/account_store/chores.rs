//! What a server has still to do for a user who was disabled or deleted. It stands in the
//! database, so that the command line can ask for it, and so that a crash does not lose it.

use eeg_workflow_core::block::OwnerId;
use rusqlite::{Connection, params};

use super::database::AccountStore;
use super::error::StoreError;

/// Something to be done for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Cancel the jobs that have not ended.
    EndJobs,
    /// Remove jobs, files and modules.
    RemoveAll,
}

impl Chore {
    const fn name(self) -> &'static str {
        match self {
            Self::EndJobs => "end jobs",
            Self::RemoveAll => "remove all",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::EndJobs, Self::RemoveAll].into_iter().find(|chore| chore.name() == name)
    }
}

impl AccountStore {
    /// What is to be done, for whom.
    pub(crate) fn chores(&self) -> Result<Vec<(OwnerId, Chore)>, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached("SELECT user, what FROM chores")?;
        let rows = statement.query_map([], |row| {
            Ok((OwnerId(row.get(0)?), Chore::from_name(&row.get::<_, String>(1)?)))
        })?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        Ok(rows.into_iter().filter_map(|(user, chore)| Some((user, chore?))).collect())
    }

    /// Notes that something is done.
    pub(crate) fn chore_is_done(&self, user: OwnerId, chore: Chore) -> Result<(), StoreError> {
        let delete = "DELETE FROM chores WHERE user = ?1 AND what = ?2";
        self.writer().execute(delete, params![user.0, chore.name()])?;
        Ok(())
    }
}

pub(super) fn add(connection: &Connection, user: OwnerId, chore: Chore) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO chores (user, what) VALUES (?1, ?2)";
    connection.execute(insert, params![user.0, chore.name()])?;
    Ok(())
}
