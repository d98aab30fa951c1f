//! Every write of the job service fails once, in every way: nothing that was acknowledged is
//! lost, and no state lies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::engine_guard::{self, Moody};
use crate::support::jobs;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use eeg_workflow_core::block::{BlockSpec, Execution, PortType};
use eeg_workflow_core::job::{
    Cancellation, JobId, JobProblem, JobState, JobStatus, JobStore, JobToken, MemoryStore,
    ModuleUse, NewJob, SqliteStore, StoreError, Timestamp,
};
use eeg_workflow_core::module::Module;
use eeg_workflow_core::workflow::Workflow;
use jobs::{FaultyStore, Lab, OWNER, OfArchive, Operation, after_a_crash, document, until};
use tempfile::TempDir;

/// No space, an error of the disk, a file that cannot be written any more.
fn errors() -> [StoreError; 3] {
    let io = |kind: std::io::ErrorKind| StoreError::Io {
        path: "jobs.db".into(),
        source: Arc::new(std::io::Error::from(kind)),
    };
    [
        StoreError::Full("jobs.db".into()),
        io(std::io::ErrorKind::Other),
        io(std::io::ErrorKind::ReadOnlyFilesystem),
    ]
}

/// What a client was told of its jobs.
#[derive(Default)]
struct Told {
    accepted: Vec<JobId>,
    completed: Vec<JobId>,
    cancelled: Vec<JobId>,
    deleted: Vec<JobId>,
}

/// Submits, follows, cancels and deletes, and notes what it was told.
fn client(lab: &Lab) -> Told {
    let mut told = Told::default();
    let submit = |text: &str| {
        let workflow = Workflow::from_json(text).unwrap();
        lab.service.submit(OWNER, workflow).unwrap().wait().ok()
    };
    let plot = document(&["Constant", "Plot"], &[(1, 2)]);
    let jobs: Vec<JobId> = (0..3).filter_map(|_| submit(&plot)).collect();
    let gate = submit(&document(&["Gate"], &[]));
    told.accepted.extend(jobs.iter().chain(&gate));
    for id in &jobs {
        // One whose end cannot be stored stays RUNNING, and says why.
        until(|| {
            let details = lab.details(*id);
            details["status"] != "RUNNING" || details["error"].is_string()
        });
        if lab.status(*id) == "COMPLETED" {
            told.completed.push(*id);
        }
    }
    if let Some(gate) = gate
        && lab.service.cancel(OWNER, gate).is_ok_and(|done| done == Cancellation::Cancelling)
    {
        told.cancelled.push(gate);
    }
    if let Some(first) = told.completed.first().copied()
        && lab.service.delete(OWNER, first).is_ok()
    {
        told.completed.retain(|id| *id != first);
        told.deleted.push(first);
    }
    told
}

/// What the store holds must be what the client was told, now and after a restart.
fn check(lab: &Lab, told: &Told) {
    let status = |id: JobId| lab.store.get(id).unwrap().map(|job| job.state.status);
    for id in told.accepted.iter().filter(|id| !told.deleted.contains(id)) {
        assert!(status(*id).is_some(), "job {id} is lost");
    }
    for id in &told.completed {
        assert_eq!(status(*id), Some(JobStatus::Completed), "job {id} runs again");
        assert!(lab.service.artifact(OWNER, *id, "2-plot.png").unwrap().is_some());
    }
    for id in &told.cancelled {
        let job = lab.store.get(*id).unwrap().unwrap();
        let ends = job.state.cancel_requested && !job.state.status.is_final();
        assert!(ends || job.state.status == JobStatus::Cancelled, "job {id} is not cancelled");
    }
    for id in &told.deleted {
        assert_eq!(status(*id), None, "job {id} is back");
    }
}

fn durable(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(folder.join("jobs.db")).unwrap())
}

/// A round in which the `nth` write, and those after it until the client is done, fail.
fn round(nth: usize, error: &StoreError) -> bool {
    let folder = Arc::new(TempDir::new().unwrap());
    let store = Arc::new(FaultyStore::new(durable(folder.path())));
    let lab = Lab::at(Arc::clone(&folder), store.clone(), |_| {});
    let (writes, failed) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (error, count) = (error.clone(), Arc::clone(&failed));
    store.fail(move |operation| {
        let is_write = !matches!(operation, Operation::Read);
        let fails = is_write && writes.fetch_add(1, Ordering::SeqCst) >= nth;
        fails.then(|| {
            count.fetch_add(1, Ordering::SeqCst);
            error.clone()
        })
    });
    let told = client(&lab);
    let has_failed = failed.load(Ordering::SeqCst) > 0;
    assert_eq!(has_failed, lab.service.problems() > 0, "each failure is reported");
    if has_failed {
        assert!(lab.service.health().is_err(), "it says that it is not well");
    }
    check(&lab, &told);
    // The process ends here, so that no further write was done.
    let again = after_a_crash(&lab);
    check(&again, &told);
    again.probe.open();
    until(|| again.store.unfinished().unwrap().is_empty());
    check(&again, &told);
    drop(again);
    // Or it lives on, and the disk is well again: everything that was accepted ends, and is stored.
    store.heal();
    lab.probe.open();
    lab.service.health().unwrap();
    until(|| lab.store.unfinished().unwrap().is_empty());
    check(&lab, &told);
    has_failed
}

#[test]
fn whichever_write_fails_nothing_acknowledged_is_lost_and_the_service_recovers() {
    let most = if std::env::var_os("EEG_LONG_TESTS").is_some() { usize::MAX } else { 12 };
    for error in errors() {
        let rounds = (0..most).take_while(|nth| round(*nth, &error)).count();
        assert!(rounds >= 5, "only {rounds} writes");
    }
}

#[test]
fn an_artifact_that_cannot_be_written_fails_its_block_and_the_next_run_works() {
    let lab = Lab::new();
    let artifacts = lab.folder.path().join("artifacts");
    std::fs::remove_dir(&artifacts).unwrap();
    std::fs::write(&artifacts, "").unwrap();
    let failed = lab.submit(&document(&["Plot"], &[]));
    assert_eq!(lab.wait(failed)["status"], "FAILED");
    std::fs::remove_file(&artifacts).unwrap();
    let works = lab.submit(&document(&["Plot"], &[]));
    assert_eq!(lab.wait(works)["status"], "COMPLETED");
}

#[test]
fn a_job_that_cannot_be_read_when_its_turn_comes_waits_until_it_can() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let lab = Lab::with(store.clone(), |options| options.max_waiting_bytes = 0);
    store.fail(|operation| match operation {
        Operation::Read => Some(StoreError::Busy("jobs.db".into())),
        _ => None,
    });
    let workflow = Workflow::from_json(&document(&["Pass"], &[])).unwrap();
    let id = lab.service.submit(OWNER, workflow).unwrap().wait().unwrap();
    until(|| lab.service.problems() > 2);
    store.heal();
    assert_eq!(lab.wait(id)["status"], "COMPLETED");
}

#[test]
fn a_job_that_is_damaged_when_its_turn_comes_fails_and_is_reported() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let lab = Lab::with(store.clone(), |options| {
        options.max_waiting_bytes = 0;
        options.on_problem = (move |problem: &JobProblem| {
            let is_it = matches!(problem, JobProblem::NotLoaded { .. });
            count.fetch_add(usize::from(is_it), Ordering::SeqCst);
        })
        .into();
    });
    store.fail(|operation| match operation {
        Operation::Read => Some(StoreError::Damaged {
            path: "/srv/jobs.db".into(),
            problem: "malformed page".to_owned(),
        }),
        _ => None,
    });
    let workflow = Workflow::from_json(&document(&["Pass"], &[])).unwrap();
    let id = lab.service.submit(OWNER, workflow).unwrap().wait().unwrap();
    until(|| lab.service.counts().failed == 1);
    store.heal();
    let job = lab.store.get(id).unwrap().unwrap();
    assert_eq!(job.state.error.as_deref(), Some("the job store is damaged"));
    assert_eq!(told.load(Ordering::SeqCst), 1, "once");
}

#[test]
fn a_block_whose_worker_was_killed_fails_unless_the_service_stops() {
    let store = Arc::new(MemoryStore::new());
    let lab = Lab::with(store.clone(), |_| {});
    let failed = lab.submit(&document(&["Killed"], &[]));
    let details = lab.wait(failed);
    assert_eq!(details["status"], "FAILED");
    assert_eq!(details["executionStatus"][0]["stderr"], "killed by signal 15");
    // The same signal reaches the service a moment later.
    let resumed = lab.submit(&document(&["Killed", "Pass after"], &[]));
    until(|| lab.probe.runs("after") == 1);
    lab.service.shutdown(Duration::from_secs(20)).unwrap();
    assert!(!store.get(resumed).unwrap().unwrap().state.status.is_final());
    assert_eq!(store.get(failed).unwrap().unwrap().state.status, JobStatus::Failed);
    let again = Lab::with(store, |_| {});
    until(|| !again.probe.order().is_empty());
    assert_eq!(again.status(resumed), "RUNNING");
    assert_eq!(again.wait(resumed)["status"], "FAILED", "killed again, and nobody stops");
}

#[test]
fn a_job_that_is_resumed_with_another_version_of_a_module_says_so() {
    let store = Arc::new(MemoryStore::new());
    let module = "Arithmetic.zip:Arithmetic".to_owned();
    let new = NewJob {
        owner: OWNER,
        started: Timestamp::now(),
        document: document(&["Pass"], &[]).into(),
        token: JobToken(1),
        modules: vec![ModuleUse { module: module.clone(), digest: "old".to_owned() }],
    };
    let id = store.insert(new).wait().unwrap();
    let running = JobState { status: JobStatus::Running, ..JobState::default() };
    store.save(id, running).wait().unwrap();
    let folder = Arc::new(TempDir::new().unwrap());
    let lab =
        Lab::with_modules(folder, store, |_| {}, |registry| Arc::new(OfArchive(registry, "new")));
    lab.wait(id);
    // Once more, from the store.
    until(|| lab.service.unfinished().is_empty());
    let details = lab.details(id);
    assert_eq!(details["modules"], serde_json::json!([{"module": module, "digest": "new"}]));
    assert_eq!(
        details["warnings"][0],
        "the job ran with another version of Arithmetic.zip:Arithmetic than when it was accepted: \
         SHA-256 new instead of old"
    );
}

/// A lab whose workflows may use this module as well.
fn with_module(store: Arc<dyn JobStore>, module: Module) -> Lab {
    let folder = Arc::new(TempDir::new().unwrap());
    Lab::with_modules(
        folder,
        store,
        |_| {},
        |mut registry| {
            registry.register(module).unwrap();
            Arc::new(registry)
        },
    )
}

fn of_module(blocks: &[&str], edges: &[(usize, usize)]) -> String {
    let text = document(blocks, edges).replace("Arithmetic.zip:Arithmetic", "M");
    text.replace(r#"["output", "output"]"#, r#"["out", "output"]"#)
}

#[test]
fn values_that_panic_when_they_are_measured_or_dropped_end_their_job_and_no_other() {
    for execution in [Execution::Compute, Execution::Wait] {
        for (at_size, at_drop) in [(true, false), (false, true), (true, true)] {
            let module = engine_guard::module(execution, at_size, at_drop);
            let lab = with_module(Arc::new(MemoryStore::new()), module);
            let id = lab.submit(&of_module(&["Make", "Ignore", "Make"], &[(1, 2)]));
            let details = lab.wait(id);
            assert_eq!(details["status"], "FAILED", "{details}");
            let next = lab.submit(&document(&["Pass"], &[]));
            assert_eq!(lab.wait(next)["status"], "COMPLETED");
            lab.service.health().unwrap();
        }
    }
}

#[test]
fn a_spec_that_panics_when_a_job_is_resumed_fails_the_job() {
    let store = Arc::new(MemoryStore::new());
    let new = NewJob {
        owner: OWNER,
        started: Timestamp::now(),
        document: of_module(&["Moody"], &[]).into(),
        token: JobToken(1),
        modules: Vec::new(),
    };
    let id = store.insert(new).wait().unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let spec = BlockSpec::new("Moody").output("out", PortType::NUMBER);
    let module = Module::new("M").block(Moody { spec, armed: Arc::clone(&armed) }).unwrap();
    armed.store(true, Ordering::SeqCst);
    let lab = with_module(store, module);
    let details = lab.wait(id);
    assert_eq!(details["status"], "FAILED", "{details}");
    let next = lab.submit(&document(&["Pass"], &[]));
    assert_eq!(lab.wait(next)["status"], "COMPLETED");
}

#[test]
fn a_listener_that_panics_ends_nothing() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let lab = Lab::with(store.clone(), |options| {
        options.on_problem = (|_: &JobProblem| panic!("a listener's own")).into();
    });
    store.fail(|operation| match operation {
        Operation::Save(_) => Some(StoreError::Full("jobs.db".into())),
        _ => None,
    });
    let id = lab.submit(&document(&["Pass"], &[]));
    until(|| lab.service.problems() > 0);
    store.heal();
    assert_eq!(lab.wait(id)["status"], "COMPLETED");
}
