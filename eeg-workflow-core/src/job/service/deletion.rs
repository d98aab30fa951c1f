//! Deleting jobs, and what is left of them.

use std::sync::Arc;

use super::running::Shared;
use crate::block::OwnerId;
use crate::job::{
    Deletion, JobError, JobId, JobProblem, JobToken, Retention, StoreError, Timestamp,
};

impl Shared {
    /// Deletes a job that has ended.
    pub(super) fn delete(&self, owner: OwnerId, id: JobId) -> Result<Deletion, JobError> {
        let mut deleted = self.store.delete(owner, id).wait();
        if matches!(deleted, Err(StoreError::Full(_))) {
            self.store.make_room();
            deleted = self.store.delete(owner, id).wait();
        }
        let Some(token) = self.told(deleted)? else { return Ok(Deletion::NotFound) };
        self.queue.lock().forget(id);
        self.remove_artifacts(id, token);
        Ok(Deletion::Deleted)
    }

    /// Deletes the finished jobs of the owner that are beyond what is to be kept; says how many.
    pub(super) fn prune(&self, owner: OwnerId, keep: Retention) -> Result<usize, JobError> {
        let mut count = 0;
        loop {
            let prune = || self.store.prune(owner, keep, Timestamp::now()).wait();
            let mut deleted = prune();
            if matches!(deleted, Err(StoreError::Full(_))) {
                self.store.make_room();
                deleted = prune();
            }
            let deleted = self.told(deleted)?;
            if deleted.is_empty() {
                return Ok(count);
            }
            for (id, token) in &deleted {
                self.queue.lock().forget(*id);
                self.remove_artifacts(*id, *token);
            }
            count += deleted.len();
        }
    }

    pub(super) fn prune_all(&self) -> Result<usize, JobError> {
        let owners = self.told(self.store.owners())?;
        owners.into_iter().map(|owner| self.prune(owner, self.options.retention)).sum()
    }

    /// Nobody can reach them any more: if they cannot be removed, the next start does.
    fn remove_artifacts(&self, id: JobId, token: JobToken) {
        if let Err(error) = self.folders.of(id, token).remove() {
            self.tell(JobProblem::NotRemoved { job: id, source: Arc::new(error) });
        }
    }
}
