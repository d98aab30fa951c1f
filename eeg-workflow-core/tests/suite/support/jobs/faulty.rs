//! A store that fails, or holds its writes back, as a test tells it to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::job::{
    Job, JobId, JobState, JobStore, JobSummary, JobToken, NewJob, Pending, Resolver, Retention,
    StoreError, StoreStatistics, Timestamp, UnfinishedJob,
};

/// What a store is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    Insert,
    Save(&'a JobState),
    Delete,
    Flush,
    Read,
}

type Fault = Box<dyn FnMut(Operation<'_>) -> Option<StoreError> + Send>;
type Held = (JobId, JobState, Resolver<Result<(), StoreError>>);

/// Another store behind faults.
pub struct FaultyStore {
    inner: Arc<dyn JobStore>,
    fault: Mutex<Fault>,
    /// Whether states are held back.
    pub slow: AtomicBool,
    /// Whether there is something to be given up that makes the next operations work.
    pub has_reserve: AtomicBool,
    held: Mutex<VecDeque<Held>>,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn JobStore>) -> Self {
        let (slow, has_reserve) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { inner, fault: Mutex::new(never()), slow, has_reserve, held: Mutex::default() }
    }

    /// From now on an operation fails if this says so.
    pub fn fail(&self, fault: impl FnMut(Operation<'_>) -> Option<StoreError> + Send + 'static) {
        *self.fault.lock().unwrap() = Box::new(fault);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        *self.fault.lock().unwrap() = never();
    }

    /// How many states are held back.
    pub fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// Does the oldest write that was held back.
    pub fn let_one_through(&self) {
        let (id, state, resolver) = self.held.lock().unwrap().pop_front().unwrap();
        resolver.resolve(self.inner.save(id, state).wait());
    }

    fn check(&self, operation: Operation<'_>) -> Result<(), StoreError> {
        (self.fault.lock().unwrap())(operation).map_or(Ok(()), Err)
    }

    fn or<T: Send + 'static>(
        &self,
        operation: Operation<'_>,
        write: impl FnOnce() -> Pending<Result<T, StoreError>>,
    ) -> Pending<Result<T, StoreError>> {
        match self.check(operation) {
            Ok(()) => write(),
            Err(error) => Pending::ready(Err(error)),
        }
    }
}

fn never() -> Fault {
    Box::new(|_| None)
}

impl JobStore for FaultyStore {
    fn insert(&self, job: NewJob) -> Pending<Result<JobId, StoreError>> {
        self.or(Operation::Insert, || self.inner.insert(job))
    }
    fn save(&self, id: JobId, state: JobState) -> Pending<Result<(), StoreError>> {
        if self.slow.load(Ordering::SeqCst) {
            let (resolver, pending) = Pending::new();
            self.held.lock().unwrap().push_back((id, state, resolver));
            return pending;
        }
        match self.check(Operation::Save(&state)) {
            Ok(()) => self.inner.save(id, state),
            Err(error) => Pending::ready(Err(error)),
        }
    }
    fn delete(&self, owner: OwnerId, id: JobId) -> Pending<Result<Option<JobToken>, StoreError>> {
        self.or(Operation::Delete, || self.inner.delete(owner, id))
    }
    fn prune(
        &self,
        owner: OwnerId,
        keep: Retention,
        now: Timestamp,
    ) -> Pending<Result<Vec<(JobId, JobToken)>, StoreError>> {
        self.or(Operation::Delete, || self.inner.prune(owner, keep, now))
    }
    fn flush(&self) -> Pending<Result<(), StoreError>> {
        self.or(Operation::Flush, || self.inner.flush())
    }
    fn get(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.check(Operation::Read)?;
        self.inner.get(id)
    }
    fn list(
        &self,
        owner: OwnerId,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        self.check(Operation::Read)?;
        self.inner.list(owner, before, limit)
    }
    fn unfinished(&self) -> Result<Vec<UnfinishedJob>, StoreError> {
        self.check(Operation::Read)?;
        self.inner.unfinished()
    }
    fn owners(&self) -> Result<Vec<OwnerId>, StoreError> {
        self.inner.owners()
    }
    fn token(&self, owner: OwnerId, id: JobId) -> Result<Option<JobToken>, StoreError> {
        self.inner.token(owner, id)
    }
    fn tokens(&self) -> Result<Vec<(JobId, JobToken)>, StoreError> {
        self.inner.tokens()
    }
    fn last_id(&self) -> Result<JobId, StoreError> {
        self.inner.last_id()
    }
    fn statistics(&self) -> StoreStatistics {
        self.inner.statistics()
    }
    fn make_room(&self) {
        if self.has_reserve.load(Ordering::SeqCst) {
            self.heal();
        }
        self.inner.make_room();
    }
}
