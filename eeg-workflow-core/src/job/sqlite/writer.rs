//! The thread that writes.
//!
//! It takes everything that waits (at most [`BATCH`]) into one transaction and resolves the
//! writes when that is durable. While the disk syncs, the next batch gathers. A write that
//! fails is undone alone; when the transaction fails, every write in it has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::{StoreError, StoreFile, StoreStatistics};
use crate::job::{Pending, Resolver};

/// How many writes share a transaction at most, so that none waits for long.
const BATCH: usize = 1_000;

#[derive(Debug)]
pub(super) struct Writer {
    /// None only while it is dropped.
    tasks: Option<Sender<Box<dyn Task>>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    file: StoreFile,
}

#[derive(Debug, Default)]
struct Counters {
    writes: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
}

/// A write: applied inside a transaction, resolved after it.
trait Task: Send {
    /// Whether it worked.
    fn apply(&mut self, connection: &Connection) -> bool;
    /// Whether it is done.
    fn resolve(self: Box<Self>, committed: Result<(), StoreError>) -> bool;
}

struct Write<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: Reply<T>,
    file: StoreFile,
}

/// Resolves in any case: a write that is dropped undone says that the store is closed.
struct Reply<T>(Option<Resolver<Result<T, StoreError>>>);

impl Writer {
    pub(super) fn start(connection: Connection, file: StoreFile) -> Result<Self, StoreError> {
        let (tasks, waiting) = mpsc::channel();
        let counters = Arc::new(Counters::default());
        let (shared, named) = (Arc::clone(&counters), file.clone());
        let thread = thread::Builder::new()
            .name("job-store".to_owned())
            .spawn(move || run(&connection, &waiting, &shared, &named))
            .map_err(|error| file.io(error))?;
        Ok(Self { tasks: Some(tasks), thread: Some(thread), counters, file })
    }

    /// Does this work in a transaction that it may share with others.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<Result<T, StoreError>> {
        let (resolver, pending) = Pending::new();
        let reply = Reply(Some(resolver));
        let task = Write { work: Some(work), result: None, reply, file: self.file.clone() };
        if let Some(tasks) = &self.tasks {
            // A task that is not taken any more is dropped, and so resolves.
            let _ = tasks.send(Box::new(task));
        }
        pending
    }

    pub(super) fn statistics(&self) -> StoreStatistics {
        StoreStatistics {
            writes: self.counters.writes.load(Relaxed),
            commits: self.counters.commits.load(Relaxed),
            failures: self.counters.failures.load(Relaxed),
        }
    }
}

impl Drop for Writer {
    /// Waits until everything that was asked for is written.
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // The last holder of the store may be a write that just resolved on this thread.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn run(
    connection: &Connection,
    waiting: &Receiver<Box<dyn Task>>,
    counters: &Counters,
    file: &StoreFile,
) {
    let mut batch = Vec::new();
    while let Ok(first) = waiting.recv() {
        batch.push(first);
        batch.extend(waiting.try_iter().take(BATCH - 1));
        let committed = commit(connection, &mut batch).map_err(|error| file.error(error));
        if committed.is_ok() {
            counters.commits.fetch_add(1, Relaxed);
        }
        for task in batch.drain(..) {
            let done = task.resolve(committed.clone());
            let counter = if done { &counters.writes } else { &counters.failures };
            counter.fetch_add(1, Relaxed);
        }
    }
}

/// Applies the batch in one transaction.
fn commit(connection: &Connection, batch: &mut [Box<dyn Task>]) -> rusqlite::Result<()> {
    let statement = |sql| connection.prepare_cached(sql)?.execute([]);
    statement("BEGIN IMMEDIATE")?;
    let applied = batch.iter_mut().try_for_each(|task| {
        statement("SAVEPOINT task")?;
        if !task.apply(connection) {
            statement("ROLLBACK TO task")?;
        }
        statement("RELEASE task").map(drop)
    });
    let committed = applied.and_then(|()| statement("COMMIT").map(drop));
    if committed.is_err() && !connection.is_autocommit() {
        // If this fails too, the next BEGIN does, and says so.
        let _ = statement("ROLLBACK");
    }
    committed
}

impl<T: Send, F> Task for Write<T, F>
where
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn apply(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = work(connection).map_err(|error| self.file.error(error));
        self.result.insert(result).is_ok()
    }

    fn resolve(mut self: Box<Self>, committed: Result<(), StoreError>) -> bool {
        // An error of its own says more than that of the transaction.
        let result = match (self.result.take(), committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        let done = result.is_ok();
        self.reply.give(result);
        done
    }
}

impl<T> Reply<T> {
    fn give(&mut self, result: Result<T, StoreError>) {
        if let Some(resolver) = self.0.take() {
            resolver.resolve(result);
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.give(Err(StoreError::Closed));
    }
}
