//! Jobs kept in memory.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::{
    Job, JobId, JobState, JobStore, JobSummary, NewJob, Pending, StoreError, StoreStatistics,
};
use crate::block::OwnerId;
use crate::sync::Mutex;

/// A store that forgets everything when it is dropped: for tests, and for programs whose jobs
/// need not outlive them.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Jobs>);

#[derive(Debug, Default)]
struct Jobs {
    last: i64,
    by_id: HashMap<JobId, Job>,
    by_owner: HashMap<OwnerId, BTreeSet<JobId>>,
    writes: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Jobs {
    fn remove(&mut self, owner: OwnerId, id: JobId) {
        self.by_id.remove(&id);
        if let Some(ids) = self.by_owner.get_mut(&owner) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
    }
}

impl JobStore for MemoryStore {
    fn insert(&self, job: NewJob) -> Pending<Result<JobId, StoreError>> {
        let NewJob { owner, started, document, modules } = job;
        let mut jobs = self.0.lock();
        jobs.last += 1;
        jobs.writes += 1;
        let id = JobId(jobs.last);
        let job = Job { id, owner, started, document, modules, state: JobState::default() };
        jobs.by_id.insert(id, job);
        jobs.by_owner.entry(owner).or_default().insert(id);
        Pending::ready(Ok(id))
    }

    fn save(&self, id: JobId, state: JobState) -> Pending<Result<(), StoreError>> {
        let mut jobs = self.0.lock();
        jobs.writes += 1;
        if let Some(job) = jobs.by_id.get_mut(&id) {
            job.state = state;
        }
        Pending::ready(Ok(()))
    }

    fn delete(&self, owner: OwnerId, id: JobId) -> Pending<Result<bool, StoreError>> {
        let mut jobs = self.0.lock();
        let job = jobs.by_id.get(&id);
        let found = job.is_some_and(|job| job.owner == owner && job.state.status.is_final());
        if found {
            jobs.writes += 1;
            jobs.remove(owner, id);
        }
        Pending::ready(Ok(found))
    }

    fn delete_finished(&self, owner: OwnerId) -> Pending<Result<Vec<JobId>, StoreError>> {
        let mut jobs = self.0.lock();
        let ids = jobs.by_owner.get(&owner).into_iter().flatten().copied();
        let ended = |id: &JobId| jobs.by_id.get(id).is_some_and(|job| job.state.status.is_final());
        let ids: Vec<JobId> = ids.filter(ended).collect();
        for id in &ids {
            jobs.remove(owner, *id);
        }
        jobs.writes += 1;
        Pending::ready(Ok(ids))
    }

    fn flush(&self) -> Pending<Result<(), StoreError>> {
        Pending::ready(Ok(()))
    }

    fn get(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.0.lock().by_id.get(&id).cloned())
    }

    fn list(
        &self,
        owner: OwnerId,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        let jobs = self.0.lock();
        let Some(ids) = jobs.by_owner.get(&owner) else { return Ok(Vec::new()) };
        let ids = ids.range(..before.unwrap_or(JobId(i64::MAX))).rev();
        Ok(ids.filter_map(|id| jobs.by_id.get(id)).take(limit).map(Job::summary).collect())
    }

    fn unfinished(&self) -> Result<Vec<JobId>, StoreError> {
        let jobs = self.0.lock();
        let open = jobs.by_id.values().filter(|job| !job.state.status.is_final());
        let mut ids: Vec<JobId> = open.map(|job| job.id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn statistics(&self) -> StoreStatistics {
        let writes = self.0.lock().writes;
        StoreStatistics { writes, commits: writes, failures: 0 }
    }
}
