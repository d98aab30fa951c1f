//! The thread that writes.
//!
//! It takes everything that waits (at most [`BATCH`]) into one transaction, and hands the
//! writes to a second thread, which resolves them, when that is durable: what waits for a
//! write never runs on the thread that writes. While the disk syncs, the next batch gathers.
//! A write that fails is undone alone; when the transaction fails, every write in it has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle, ThreadId};

use rusqlite::Connection;

use super::{StoreError, StoreFile, StoreStatistics};
use crate::guard;
use crate::job::{Pending, Resolver};

/// How many writes share a transaction at most, so that none waits for long.
const BATCH: usize = 1_000;
/// Pages that are given back to the disk in one write.
const PAGES_GIVEN_BACK: usize = 2_000;

#[derive(Debug)]
pub(super) struct Writer {
    /// None only while it is dropped.
    tasks: Option<Arc<Tasks>>,
    /// The one that writes, then the one that answers.
    threads: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
}

/// Where writes are sent.
#[derive(Debug)]
struct Tasks {
    sender: Sender<Box<dyn Task>>,
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
    /// Dropped undone, it says that the store is closed.
    resolver: Resolver<Result<T, StoreError>>,
    file: StoreFile,
}

/// Writes that share a transaction, and what became of it.
type Committed = (Vec<Box<dyn Task>>, Result<(), StoreError>);

impl Writer {
    pub(super) fn start(connection: Connection, file: StoreFile) -> Result<Self, StoreError> {
        let (sender, waiting) = mpsc::channel();
        let (committed, answers) = mpsc::channel();
        let counters = Arc::new(Counters::default());
        let (writing, answering) = (Arc::clone(&counters), Arc::clone(&counters));
        let named = file.clone();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
            thread.map_err(|error| file.io(error))
        };
        let threads = vec![
            spawn(
                "job-store",
                Box::new(move || run(&connection, &waiting, &committed, &writing, &named)),
            )?,
            spawn("job-answers", Box::new(move || answer(&answers, &answering)))?,
        ];
        let tasks = Some(Arc::new(Tasks { sender, file }));
        Ok(Self { tasks, threads, counters })
    }

    /// Does this work in a transaction that it may share with others.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<Result<T, StoreError>> {
        match &self.tasks {
            Some(tasks) => tasks.write(work),
            None => Pending::ready(Err(StoreError::Closed)),
        }
    }

    /// Takes the pages that are free out of the file. Nobody waits for it: on a full disk it
    /// fails, and is done after a later deletion.
    pub(super) fn shrink(&self) {
        if let Some(tasks) = &self.tasks {
            Tasks::shrink(tasks);
        }
    }

    pub(super) fn statistics(&self) -> StoreStatistics {
        StoreStatistics {
            writes: self.counters.writes.load(Relaxed),
            commits: self.counters.commits.load(Relaxed),
            failures: self.counters.failures.load(Relaxed),
        }
    }
}

impl Tasks {
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<Result<T, StoreError>> {
        let (resolver, pending) = Pending::new();
        let task = Write { work: Some(work), result: None, resolver, file: self.file.clone() };
        // A task that is not taken any more is dropped, and so resolves.
        let _ = self.sender.send(Box::new(task));
        pending
    }

    /// Some pages in each write, so that others get their turn in between; what is left when the
    /// store is dropped stays.
    fn shrink(tasks: &Arc<Self>) {
        let rest = Arc::downgrade(tasks);
        drop(tasks.write(move |connection| {
            if let (PAGES_GIVEN_BACK, Some(tasks)) = (give_back(connection)?, rest.upgrade()) {
                Self::shrink(&tasks);
            }
            Ok(())
        }));
    }
}

/// Gives free pages back to the disk; says how many.
fn give_back(connection: &Connection) -> rusqlite::Result<usize> {
    let sql = format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})");
    let mut statement = connection.prepare_cached(&sql)?;
    // It gives a row for each page.
    let mut rows = statement.query([])?;
    let mut pages = 0;
    while rows.next()?.is_some() {
        pages += 1;
    }
    Ok(pages)
}

impl Drop for Writer {
    /// Waits until everything that was asked for is written and answered.
    fn drop(&mut self) {
        self.tasks = None;
        let own: ThreadId = thread::current().id();
        for thread in self.threads.drain(..) {
            // The last holder of the store may be a write that was just answered.
            if thread.thread().id() != own {
                let _ = thread.join();
            }
        }
    }
}

fn run(
    connection: &Connection,
    waiting: &Receiver<Box<dyn Task>>,
    answers: &Sender<Committed>,
    counters: &Counters,
    file: &StoreFile,
) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter().take(BATCH - 1));
        let committed = commit(connection, &mut batch).map_err(|error| file.error(error));
        if committed.is_ok() {
            counters.commits.fetch_add(1, Relaxed);
        }
        // The other end lives until this one is dropped.
        let _ = answers.send((batch, committed));
    }
}

fn answer(answers: &Receiver<Committed>, counters: &Counters) {
    for (batch, committed) in answers {
        for task in batch {
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
        let result = match guard::call(|| work(connection)) {
            Ok(result) => result.map_err(|error| self.file.error(error)),
            // With the same job it would panic again.
            Err(panic) => {
                Err(StoreError::Refused { path: self.file.path(), problem: panic.to_string() })
            }
        };
        self.result.insert(result).is_ok()
    }

    fn resolve(self: Box<Self>, committed: Result<(), StoreError>) -> bool {
        // An error of its own says more than that of the transaction.
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        let done = result.is_ok();
        self.resolver.resolve(result);
        done
    }
}
