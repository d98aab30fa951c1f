//! Jobs kept in memory.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::{
    Job, JobId, JobState, JobStore, JobSummary, JobToken, NewJob, Pending, Retention, StoreError,
    StoreStatistics, Timestamp, UnfinishedJob,
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
        let NewJob { owner, started, document, token, modules } = job;
        let mut jobs = self.0.lock();
        jobs.last += 1;
        jobs.writes += 1;
        let id = JobId(jobs.last);
        let state = JobState::default();
        let job = Job { id, token, owner, started, document, modules, state };
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

    fn delete(&self, owner: OwnerId, id: JobId) -> Pending<Result<Option<JobToken>, StoreError>> {
        let mut jobs = self.0.lock();
        let job = jobs.by_id.get(&id);
        let found = job.filter(|job| job.owner == owner && job.state.status.is_final());
        let token = found.map(|job| job.token);
        if token.is_some() {
            jobs.writes += 1;
            jobs.remove(owner, id);
        }
        Pending::ready(Ok(token))
    }

    fn prune(
        &self,
        owner: OwnerId,
        keep: Retention,
        now: Timestamp,
    ) -> Pending<Result<Vec<(JobId, JobToken)>, StoreError>> {
        let mut jobs = self.0.lock();
        let ids = jobs.by_owner.get(&owner).into_iter().flatten().rev();
        let jobs_of_owner = ids.filter_map(|id| jobs.by_id.get(id));
        let ended = jobs_of_owner.filter(|job| job.state.status.is_final()).enumerate();
        let beyond = ended.filter(|(newer, job)| {
            keep.max_jobs.is_some_and(|most| *newer >= most)
                || keep.oldest(now).is_some_and(|oldest| job.state.ended < Some(oldest))
        });
        let beyond: Vec<(JobId, JobToken)> = beyond.map(|(_, job)| (job.id, job.token)).collect();
        for (id, _) in &beyond {
            jobs.remove(owner, *id);
        }
        jobs.writes += 1;
        Pending::ready(Ok(beyond))
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

    fn unfinished(&self) -> Result<Vec<UnfinishedJob>, StoreError> {
        let jobs = self.0.lock();
        let open = jobs.by_id.values().filter(|job| !job.state.status.is_final());
        let mut open: Vec<UnfinishedJob> = open
            .map(|job| UnfinishedJob {
                id: job.id,
                token: job.token,
                owner: job.owner,
                started: job.started,
                document_bytes: job.document.len(),
                cancel_requested: job.state.cancel_requested,
            })
            .collect();
        open.sort_unstable_by_key(|job| job.id);
        Ok(open)
    }

    fn owners(&self) -> Result<Vec<OwnerId>, StoreError> {
        Ok(self.0.lock().by_owner.keys().copied().collect())
    }

    fn token(&self, owner: OwnerId, id: JobId) -> Result<Option<JobToken>, StoreError> {
        let jobs = self.0.lock();
        Ok(jobs.by_id.get(&id).filter(|job| job.owner == owner).map(|job| job.token))
    }

    fn tokens(&self) -> Result<Vec<(JobId, JobToken)>, StoreError> {
        Ok(self.0.lock().by_id.values().map(|job| (job.id, job.token)).collect())
    }

    fn last_id(&self) -> Result<JobId, StoreError> {
        Ok(JobId(self.0.lock().last))
    }

    fn statistics(&self) -> StoreStatistics {
        let writes = self.0.lock().writes;
        StoreStatistics { writes, commits: writes, failures: 0 }
    }
}
