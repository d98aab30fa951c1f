//! The contract of job stores, held against both, and what is SQLite's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::Value;
use eeg_workflow_core::job::{
    BlockState, JobId, JobState, JobStatus, JobStore, JobToken, Log, Lost, MemoryStore, ModuleUse,
    NewJob, Pending, Phase, Retention, Shown, Timestamp, UnfinishedJob,
};

fn new_job(owner: OwnerId, document: &str) -> NewJob {
    let digest = ModuleUse { module: "Lab.zip:Lab".to_owned(), digest: "ab12".to_owned() };
    let (started, token) = (Timestamp(1_000), JobToken(u64::MAX - 7));
    NewJob { owner, started, document: document.into(), token, modules: vec![digest] }
}

fn insert(store: &dyn JobStore, owner: OwnerId) -> JobId {
    store.insert(new_job(owner, "{\"blocks\":[]}")).wait().unwrap()
}

fn ended(status: JobStatus) -> JobState {
    JobState { status, ended: Some(Timestamp(2_000)), ..JobState::default() }
}

fn ids(store: &dyn JobStore, owner: OwnerId, before: Option<i64>, limit: usize) -> Vec<i64> {
    let jobs = store.list(owner, before.map(JobId), limit).unwrap();
    jobs.into_iter().map(|job| job.id.0).collect()
}

/// A state with everything in it.
fn full_state() -> JobState {
    let mut log = Log::default();
    log.push("first".into());
    log.push("second \u{2603}".into());
    let table = Shown::Table {
        columns: vec!["a".to_owned(), "b".to_owned()].into(),
        rows: vec![vec!["1".to_owned(), "\"2\"".to_owned()]].into(),
    };
    let phases = [
        Phase::Waiting,
        Phase::Running(0.25),
        Phase::Finished(None),
        Phase::Finished(Some(Shown::Text("<b>data</b>".into()))),
        Phase::Finished(Some(Shown::Graph("1-plot.png".into()))),
        Phase::Finished(Some(Shown::File("2-model.bin".into()))),
        Phase::Finished(Some(table)),
        Phase::Failed("it broke\n  here".into()),
        Phase::Skipped(7),
        Phase::Cancelled("cancelled".into()),
    ];
    let mut blocks: Vec<_> = phases.map(|phase| BlockState { phase, log: None }).into();
    blocks[3].log = Some(Box::new(log));
    JobState {
        cancel_requested: true,
        resumes: 2,
        status: JobStatus::Running,
        ended: None,
        error: Some("of the job".into()),
        events: 12,
        blocks,
        replaced_modules: vec![ModuleUse { module: "Lab.zip:Lab".into(), digest: "cd".into() }],
        saved_outputs: vec![
            (2, vec![Value::from(40), Value::from("x")].into()),
            (3, Vec::new().into()),
        ],
    }
}

fn unfinished(store: &dyn JobStore) -> Vec<JobId> {
    store.unfinished().unwrap().iter().map(|job| job.id).collect()
}

fn prune(store: &dyn JobStore, owner: OwnerId, keep: Retention) -> Vec<JobId> {
    let deleted = store.prune(owner, keep, Timestamp(10_000)).wait().unwrap();
    let mut ids: Vec<JobId> = deleted.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

/// The newest that have ended are kept, and of those the ones that are young enough; one that has
/// not ended is never deleted, nor another's.
fn retention(store: &dyn JobStore) {
    let owner = OwnerId(7);
    let jobs: Vec<JobId> = (0..6).map(|_| insert(store, owner)).collect();
    for (at, id) in (0..).zip(&jobs[..5]) {
        let ended = Some(Timestamp(9_000 + 100 * at));
        let state = JobState { status: JobStatus::Completed, ended, ..JobState::default() };
        store.save(*id, state).wait().unwrap();
    }
    assert_eq!(prune(store, OwnerId(8), Retention::of_jobs(0)), [JobId(0); 0]);
    assert_eq!(prune(store, owner, Retention::default()), [JobId(0); 0]);
    assert_eq!(prune(store, owner, Retention::of_jobs(4)), [jobs[0]]);
    let young = Retention::of_jobs(4).with_max_age(Duration::from_secs(750));
    assert_eq!(prune(store, owner, young), [jobs[1], jobs[2]]);
    assert_eq!(ids(store, owner, None, 10), [jobs[5].0, jobs[4].0, jobs[3].0]);
}

/// What every store must hold.
fn contract(store: &dyn JobStore) {
    // Numbers grow, whoever the owner is; a new job is queued.
    let first = insert(store, OwnerId(1));
    let others = insert(store, OwnerId(2));
    let second = insert(store, OwnerId(1));
    assert!(first < others && others < second);
    let job = store.get(first).unwrap().unwrap();
    assert_eq!((job.id, job.owner, job.started), (first, OwnerId(1), Timestamp(1_000)));
    assert_eq!(&*job.document, "{\"blocks\":[]}");
    assert_eq!(job.modules[0].digest, "ab12");
    assert_eq!(job.state, JobState::default());
    assert!(store.get(JobId(999)).unwrap().is_none());

    // Lists: newest first, per owner, in pages.
    let third = insert(store, OwnerId(1));
    assert_eq!(ids(store, OwnerId(1), None, 10), [third.0, second.0, first.0]);
    assert_eq!(ids(store, OwnerId(1), None, 2), [third.0, second.0]);
    assert_eq!(ids(store, OwnerId(1), Some(second.0), 2), [first.0]);
    assert_eq!(ids(store, OwnerId(1), Some(first.0), 2), [0; 0]);
    assert_eq!(ids(store, OwnerId(2), None, 10), [others.0]);
    assert_eq!(ids(store, OwnerId(3), None, 10), [0; 0]);

    // A state comes back as it was saved; the last one counts.
    store.save(first, ended(JobStatus::Failed)).wait().unwrap();
    store.save(first, full_state()).wait().unwrap();
    let mut back = store.get(first).unwrap().unwrap().state;
    let text = |state: &JobState| state.blocks[3].log.as_ref().unwrap().text();
    assert_eq!(text(&back), "first\nsecond \u{2603}");
    let mut given = full_state();
    (back.blocks[3].log, given.blocks[3].log) = (None, None);
    assert_eq!(back, given);
    assert_eq!(unfinished(store), [first, others, second, third]);
    let first_again = store.unfinished().unwrap().remove(0);
    assert_eq!(
        first_again,
        UnfinishedJob {
            id: first,
            token: JobToken(u64::MAX - 7),
            owner: OwnerId(1),
            started: Timestamp(1_000),
            document_bytes: "{\"blocks\":[]}".len(),
            cancel_requested: true,
        }
    );

    // Only what has ended, and only the owner's, can be deleted.
    store.save(second, ended(JobStatus::Completed)).wait().unwrap();
    let summary = store.list(OwnerId(1), Some(third), 1).unwrap().remove(0);
    assert_eq!((summary.status, summary.ended), (JobStatus::Completed, Some(Timestamp(2_000))));
    assert_eq!(unfinished(store), [first, others, third]);
    let delete = |owner, id| store.delete(OwnerId(owner), id).wait().unwrap();
    assert_eq!(delete(1, first), None);
    assert_eq!(delete(2, second), None);
    assert_eq!(store.token(OwnerId(1), second).unwrap(), Some(JobToken(u64::MAX - 7)));
    assert_eq!(store.token(OwnerId(2), second).unwrap(), None);
    assert_eq!(delete(1, second), Some(JobToken(u64::MAX - 7)));
    assert_eq!(delete(1, second), None);
    assert!(store.get(second).unwrap().is_none());
    store.save(second, ended(JobStatus::Failed)).wait().unwrap();
    assert!(store.get(second).unwrap().is_none(), "saving does not bring a job back");

    // All at once; numbers are not given again.
    store.save(third, ended(JobStatus::Cancelled)).wait().unwrap();
    store.save(others, ended(JobStatus::Completed)).wait().unwrap();
    assert_eq!(prune(store, OwnerId(1), Retention::of_jobs(0)), [third]);
    assert_eq!(prune(store, OwnerId(1), Retention::of_jobs(0)), [JobId(0); 0]);
    assert_eq!(ids(store, OwnerId(1), None, 10), [first.0]);
    assert_eq!(ids(store, OwnerId(2), None, 10), [others.0]);
    let last = insert(store, OwnerId(1));
    assert!(last > third);
    assert_eq!(store.last_id().unwrap(), last);
    let mut owners = store.owners().unwrap();
    owners.sort_unstable();
    assert_eq!(owners, [OwnerId(1), OwnerId(2)]);
    let mut tokens = store.tokens().unwrap();
    tokens.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(tokens, [first, others, last].map(|id| (id, JobToken(u64::MAX - 7))));
    retention(store);
    store.flush().wait().unwrap();
}

#[test]
fn the_store_in_memory_holds_the_contract() {
    contract(&MemoryStore::new());
}

#[test]
fn a_pending_value_can_be_waited_for_awaited_or_gone_on_with() {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake};

    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let (resolver, pending) = Pending::<Answered>::new();
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Arc::clone(&woken).into();
    let mut pending = pin!(pending);
    let mut cx = Context::from_waker(&waker);
    assert!(pending.as_mut().poll(&mut cx).is_pending());
    resolver.resolve(Ok(5));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(pending.as_mut().poll(&mut cx), Poll::Ready(Ok(5)));

    let (resolver, pending) = Pending::<Answered>::new();
    let waiting = std::thread::spawn(move || pending.wait());
    resolver.resolve(Ok(6));
    assert_eq!(waiting.join().unwrap(), Ok(6));

    // What follows runs although nobody waits.
    let (resolver, pending) = Pending::<Answered>::new();
    let (ran, shared) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&woken));
    let seen = Arc::clone(&ran);
    let added = pending.map(move |n| n.map(|n| shared.0.fetch_add(n, Ordering::SeqCst)));
    drop(added.map(move |n| n.map(|_| seen.fetch_add(1, Ordering::SeqCst))));
    resolver.resolve(Ok(10));
    assert_eq!((woken.0.load(Ordering::SeqCst), ran.load(Ordering::SeqCst)), (11, 1));
    let ready: Pending<Answered> = Pending::ready(Ok(1));
    assert_eq!(ready.map(|n| n.map(|n| n + 1)).wait(), Ok(2));
}

type Answered = Result<usize, Lost>;

#[test]
fn a_resolver_that_is_dropped_tells_its_waiter() {
    let (resolver, pending) = Pending::<Answered>::new();
    let followed = pending.map(|n| n.map(|n| n + 1));
    drop(resolver);
    assert_eq!(followed.wait(), Err(Lost));
}

#[test]
fn a_panic_in_what_follows_loses_that_answer_only() {
    let (resolver, pending) = Pending::<Answered>::new();
    let followed: Pending<Answered> = pending.map(|_| panic!("somebody else's code"));
    resolver.resolve(Ok(1));
    assert_eq!(followed.wait(), Err(Lost));
}

mod sqlite {
    use std::thread;
    use std::time::Instant;

    use eeg_workflow_core::job::{SqliteStore, StoreError};
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn the_store_in_a_file_holds_the_contract() {
        let folder = tempdir().unwrap();
        contract(&SqliteStore::open(folder.path().join("jobs.db")).unwrap());
    }

    #[test]
    fn jobs_outlive_the_store_and_their_numbers_are_never_given_again() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let store = SqliteStore::open(&path).unwrap();
        let kept = insert(&store, OwnerId(1));
        let deleted = insert(&store, OwnerId(1));
        // Not waited for: dropping the store writes what was asked for.
        drop(store.save(kept, full_state()));
        drop(store.save(deleted, ended(JobStatus::Completed)));
        drop(store.delete(OwnerId(1), deleted));
        drop(store);

        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(
            store.get(kept).unwrap().unwrap().state.saved_outputs,
            full_state().saved_outputs
        );
        assert!(store.get(deleted).unwrap().is_none());
        assert!(insert(&store, OwnerId(1)) > deleted);
    }

    #[test]
    fn what_has_resolved_is_in_a_copy_of_the_files_taken_at_that_moment() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let store = SqliteStore::open(&path).unwrap();
        let ids: Vec<JobId> = (0..20).map(|_| insert(&store, OwnerId(1))).collect();
        let copy = tempdir().unwrap();
        for name in ["jobs.db", "jobs.db-wal"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        let crashed = SqliteStore::open(copy.path().join("jobs.db")).unwrap();
        assert_eq!(unfinished(&crashed), ids);
    }

    #[test]
    fn parallel_writes_share_commits() {
        let folder = tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path().join("jobs.db")).unwrap());
        let threads: Vec<_> = (0..200)
            .map(|owner| {
                let store = Arc::clone(&store);
                thread::spawn(move || insert(&*store, OwnerId(owner)))
            })
            .collect();
        let mut ids: Vec<JobId> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 200);
        // All asked for before any is waited for: hardly more than one commit for them.
        let before = store.statistics().commits;
        let pending: Vec<_> = (0..200).map(|_| store.insert(new_job(OwnerId(1), "{}"))).collect();
        assert!(pending.into_iter().all(|pending| pending.wait().is_ok()));
        store.flush().wait().unwrap();
        let statistics = store.statistics();
        assert!(statistics.commits - before <= 50, "{statistics:?}");
        assert_eq!(statistics.failures, 0);
    }

    #[test]
    fn the_file_shrinks_when_jobs_are_deleted() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let store = SqliteStore::open(&path).unwrap();
        let document = format!("{{\"blocks\":[],\"x\":\"{}\"}}", "x".repeat(100_000));
        for _ in 0..100 {
            let id = store.insert(new_job(OwnerId(1), &document)).wait().unwrap();
            store.save(id, ended(JobStatus::Completed)).wait().unwrap();
        }
        drop(store);
        let full = std::fs::metadata(&path).unwrap().len();
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(prune(&store, OwnerId(1), Retention::of_jobs(10)).len(), 90);
        drop(store);
        let left = std::fs::metadata(&path).unwrap().len();
        assert!(full > 10_000_000 && left < full / 5, "{full} bytes, then {left}");
    }

    #[test]
    fn all_pages_of_one_large_job_are_given_back_while_the_store_is_open() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let store = SqliteStore::open(&path).unwrap();
        let document = format!("{{\"blocks\":[],\"x\":\"{}\"}}", "x".repeat(40_000_000));
        let id = store.insert(new_job(OwnerId(1), &document)).wait().unwrap();
        store.save(id, ended(JobStatus::Completed)).wait().unwrap();
        store.delete(OwnerId(1), id).wait().unwrap();
        // Each waits for one write at least, and there are five of them.
        for _ in 0..10 {
            store.flush().wait().unwrap();
        }
        let pages = rusqlite::Connection::open(&path).unwrap();
        let pages: i64 = pages.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        assert!(pages < 200, "{pages} pages");
    }

    #[test]
    fn a_file_of_version_1_is_read_keeps_its_jobs_and_can_shrink() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE jobs (
                    id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL,
                    status INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER, error TEXT
                 ) STRICT;
                 CREATE INDEX jobs_of_owner ON jobs (owner, id);
                 CREATE INDEX jobs_unfinished ON jobs (id) WHERE status < 2;
                 CREATE TABLE documents (
                    job INTEGER PRIMARY KEY, document TEXT NOT NULL, modules TEXT
                 ) STRICT;
                 CREATE TABLE progress (
                    job INTEGER PRIMARY KEY, blocks TEXT NOT NULL, kept TEXT
                 ) STRICT;
                 INSERT INTO jobs VALUES (4, 1, 1, 1000, NULL, NULL), (9, 1, 2, 1000, 2000, NULL);
                 INSERT INTO documents VALUES (4, '{\"blocks\":[]}', NULL), (9, '{}', NULL);
                 INSERT INTO progress VALUES
                    (4, '{\"events\":3,\"blocks\":[],\"cancel_requested\":true,\"resumes\":1}', NULL);
                 PRAGMA user_version = 1;",
            )
            .unwrap();
        drop(connection);
        let store = SqliteStore::open(&path).unwrap();
        let job = store.get(JobId(4)).unwrap().unwrap();
        assert_eq!((job.token, job.state.events, job.state.resumes), (JobToken(0), 3, 1));
        assert!(job.state.cancel_requested && store.unfinished().unwrap()[0].cancel_requested);
        assert_eq!(insert(&store, OwnerId(1)), JobId(10));
        drop(store);
        let connection = rusqlite::Connection::open(&path).unwrap();
        let mode: i64 = connection.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, 2);
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused_by_name() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::NewerFormat { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("format 99"), "{error}");
    }

    #[test]
    fn what_is_not_a_job_store_is_refused_and_left_alone() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        std::fs::write(&path, "not a database, but long enough to be read as one".repeat(100))
            .unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");

        let path = folder.path().join("other.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE birds (name TEXT)").unwrap();
        drop(connection);
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");

        let error = SqliteStore::open(folder.path().join("no/such/folder.db")).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
    }

    #[test]
    fn a_second_store_on_an_open_file_is_refused() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let store = SqliteStore::open(&path).unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::InUse(_)), "{error}");
        drop(store);
        SqliteStore::open(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("jobs.db")).unwrap();
        insert(&store, OwnerId(1));
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.path());
        }
    }

    #[test]
    fn a_write_that_cannot_be_done_fails_alone_and_says_why() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let store = SqliteStore::open(&path).unwrap();
        let other = rusqlite::Connection::open(&path).unwrap();
        other
            .execute_batch(
                "CREATE TRIGGER no BEFORE INSERT ON documents WHEN new.document = 'bad'
                 BEGIN SELECT RAISE(ABORT, 'refused'); END",
            )
            .unwrap();
        let pending: Vec<_> = ["a", "bad", "c"]
            .map(|text| store.insert(new_job(OwnerId(1), text)))
            .into_iter()
            .collect();
        let results: Vec<_> = pending.into_iter().map(|pending| pending.wait()).collect();
        assert!(results[0].is_ok() && results[2].is_ok());
        let error = results[1].as_ref().unwrap_err();
        assert!(error.is_permanent() && error.to_string().contains("refused"), "{error}");
        assert_eq!(ids(&store, OwnerId(1), None, 10).len(), 2, "nothing of the bad one is left");
        store.flush().wait().unwrap();
        assert_eq!(store.statistics().failures, 1);
    }

    #[test]
    fn the_newest_of_many_jobs_are_found_at_once() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let count = 100_000;
        drop(SqliteStore::open(&path).unwrap());
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        let transaction = connection.transaction().unwrap();
        for i in 0..count {
            transaction
                .prepare_cached(
                    "INSERT INTO jobs (owner, status, started, ended) VALUES (?1, 2, 0, 1)",
                )
                .unwrap()
                .execute([i % 3])
                .unwrap();
            transaction
                .prepare_cached("INSERT INTO documents (job, document) VALUES (?1, ?2)")
                .unwrap()
                .execute((i + 1, "x".repeat(300)))
                .unwrap();
        }
        transaction.commit().unwrap();
        drop(connection);

        let begun = Instant::now();
        let store = SqliteStore::open(&path).unwrap();
        assert!(store.unfinished().unwrap().is_empty());
        let opened = begun.elapsed();
        let newest = ids(&store, OwnerId(0), None, 50);
        let begun = Instant::now();
        assert_eq!(ids(&store, OwnerId(0), None, 50), newest);
        eprintln!("{count} jobs: opened in {opened:?}, newest 50 in {:?}", begun.elapsed());
        assert_eq!((newest.len(), newest[0]), (50, count));
    }
}
