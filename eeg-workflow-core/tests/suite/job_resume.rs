//! Jobs that outlive their service: after a crash, after a shutdown, with a failing store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::jobs;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eeg_workflow_core::engine::{Engine, EngineOptions};
use eeg_workflow_core::job::{
    BlockState, Cancellation, JobId, JobOptions, JobProblem, JobService, JobState, JobStatus,
    JobStore, JobToken, MemoryStore, NewJob, Phase, SqliteStore, StoreError, Timestamp,
};
use eeg_workflow_core::workflow::Workflow;
use jobs::{
    FaultyStore, Lab, OWNER, OfArchive, Operation, after_a_crash, copy_folder, document, until,
};
use tempfile::{TempDir, tempdir};

fn store(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(folder.join("jobs.db")).unwrap())
}

fn durable() -> Lab {
    let folder = tempdir().unwrap();
    let store = store(folder.path());
    Lab::at(Arc::new(folder), store, |_| {})
}

#[test]
fn a_crash_loses_no_accepted_job_and_runs_none_twice_in_the_list() {
    let lab = durable();
    let text = document(&["Pass a", "Gate", "Pass b"], &[(1, 2), (2, 3)]);
    let workflow = Workflow::from_json(&text).unwrap();
    // All at once: so few commits that no checkpoint moves them while the files are copied.
    let pending: Vec<_> =
        (0..100).map(|_| lab.service.submit(OWNER, workflow.clone()).unwrap()).collect();
    let ids: Vec<JobId> = pending.into_iter().map(|pending| pending.wait().unwrap()).collect();
    let again = after_a_crash(&lab);
    again.probe.open();
    for id in &ids {
        let details = again.wait(*id);
        assert_eq!(details["status"], "COMPLETED", "{details}");
    }
    let mut listed: Vec<JobId> =
        again.service.list(OWNER, None, 1_000).unwrap().iter().map(|job| job.id).collect();
    listed.reverse();
    assert_eq!(listed, ids);
    assert_eq!(again.probe.runs("b"), 100);
    assert!(again.submit(&text) > ids[99]);
    lab.probe.open();
}

#[test]
fn blocks_whose_outputs_were_saved_are_not_run_again() {
    let lab = durable();
    let blocks = ["Constant kept", "Plot shown", "Large lost", "Gate", "Pass end"];
    let id = lab.submit(&document(&blocks, &[(1, 4), (4, 5)]));
    let kept = || lab.store.get(id).unwrap().unwrap().state.saved_outputs.len() == 2;
    until(|| kept() && lab.probe.order().len() == 4);
    let again = after_a_crash(&lab);
    // What is shown of them is there from the start.
    let blocks = again.details(id)["executionStatus"].clone();
    assert_eq!(blocks[0]["output"]["value"], "{'output': ''}");
    assert_eq!(blocks[1]["output"]["value"]["filename"], "2-plot.png");
    assert!(again.service.artifact(OWNER, id, "2-plot.png").unwrap().is_some());
    again.probe.open();
    let details = again.wait(id);
    assert_eq!(details["status"], "COMPLETED");
    assert_eq!(details["executionStatus"][0]["output"]["value"], "{'output': ''}");
    let runs = ["kept", "shown", "lost", "", "end"].map(|name| again.probe.runs(name));
    assert_eq!(runs, [0, 0, 1, 1, 1]);
    again.store.flush().wait().unwrap();
    assert!(again.store.get(id).unwrap().unwrap().state.saved_outputs.is_empty(), "of no more use");
    lab.probe.open();
}

#[test]
fn when_an_archive_has_changed_its_blocks_are_run_again() {
    let open = |folder: TempDir, digest| {
        let store = store(folder.path());
        Lab::with_modules(
            Arc::new(folder),
            store,
            |_| {},
            move |registry| Arc::new(OfArchive(registry, digest)),
        )
    };
    for (digest, runs) in [("first", 0), ("second", 1)] {
        let lab = open(tempdir().unwrap(), "first");
        let id = lab.submit(&document(&["Pass kept", "Gate"], &[(1, 2)]));
        until(|| lab.store.get(id).unwrap().unwrap().state.saved_outputs.len() == 1);
        assert_eq!(lab.store.get(id).unwrap().unwrap().modules[0].digest, "first");
        let copy = tempdir().unwrap();
        copy_folder(lab.folder.path(), copy.path());
        let again = open(copy, digest);
        again.probe.open();
        assert_eq!(again.wait(id)["status"], "COMPLETED");
        assert_eq!(again.probe.runs("kept"), runs, "{digest}");
        lab.probe.open();
    }
}

#[test]
fn a_block_whose_file_is_gone_is_run_again() {
    let lab = durable();
    let id = lab.submit(&document(&["Plot shown", "Gate"], &[(1, 2)]));
    until(|| lab.store.get(id).unwrap().unwrap().state.saved_outputs.len() == 1);
    std::fs::remove_file(lab.artifacts(id).join("1-plot.png")).unwrap();
    let again = after_a_crash(&lab);
    again.probe.open();
    assert_eq!(again.wait(id)["status"], "COMPLETED");
    assert_eq!(again.probe.runs("shown"), 1);
    assert!(again.service.artifact(OWNER, id, "1-plot.png").unwrap().is_some());
    lab.probe.open();
}

#[test]
fn what_a_shutdown_does_not_wait_for_goes_on_at_the_next_start() {
    let folder = Arc::new(tempdir().unwrap());
    let lab = Lab::at(Arc::clone(&folder), store(folder.path()), |options| {
        options.max_running = 2;
        options.save_interval = Duration::from_secs(60);
    });
    let text = document(&["Pass before", "Gate", "Pass after"], &[(1, 2), (2, 3)]);
    let ids = [(); 4].map(|()| lab.submit(&text));
    until(|| lab.probe.runs("") == 2);
    lab.service.shutdown(Duration::from_millis(20)).unwrap();
    assert_eq!(lab.service.counts().cancelled, 0);
    for id in ids {
        assert_eq!(lab.status(id), "RUNNING");
        let job = lab.store.get(id).unwrap().unwrap();
        assert!(!job.state.status.is_final());
    }
    drop(lab);
    // The engine's threads hold the store until the blocks have heard that they must stop.
    let mut again = None;
    until(|| {
        again = SqliteStore::open(folder.path().join("jobs.db")).ok();
        again.is_some()
    });
    let again = Lab::at(Arc::clone(&folder), Arc::new(again.unwrap()), |_| {});
    again.probe.open();
    for id in ids {
        assert_eq!(again.wait(id)["status"], "COMPLETED");
    }
    // Of the two that ran, the first block had finished and was kept.
    let runs = ["before", "", "after"].map(|name| again.probe.runs(name));
    assert_eq!(runs, [2, 4, 4]);
}

#[test]
fn a_shutdown_waits_for_running_jobs_as_long_as_it_may() {
    let lab = durable();
    let id = lab.submit(&document(&["Gate"], &[]));
    until(|| lab.service.counts().running == 1);
    let probe = Arc::clone(&lab.probe);
    let opener = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        probe.open();
    });
    lab.service.shutdown(Duration::from_secs(20)).unwrap();
    opener.join().unwrap();
    assert_eq!(lab.store.get(id).unwrap().unwrap().state.status, JobStatus::Completed);
}

#[test]
fn a_job_whose_modules_are_gone_has_failed_and_says_why() {
    let store = Arc::new(MemoryStore::new());
    let text = document(&["Pass", "Pass"], &[]).replace("Arithmetic.zip:", "Gone.zip:");
    let new = |document: &str| NewJob {
        owner: OWNER,
        started: Timestamp(0),
        document: document.into(),
        token: JobToken(5),
        modules: Vec::new(),
    };
    let gone = store.insert(new(&text)).wait().unwrap();
    let broken = store.insert(new("no JSON")).wait().unwrap();
    let good = store.insert(new(&document(&["Pass"], &[]))).wait().unwrap();
    let lab = Lab::with(store, |_| {});
    let details = lab.wait(gone);
    assert_eq!(details["status"], "FAILED");
    assert_eq!(details["endTime"].as_str().unwrap().len(), 24);
    assert!(details["error"].as_str().unwrap().contains("Gone.zip"), "{details}");
    let keys: Vec<&String> = details.as_object().unwrap().keys().collect();
    assert!(keys.contains(&&"error".to_owned()));
    let names: Vec<&str> =
        lab.service.subscribe(OWNER, gone, 0).unwrap().unwrap().map(|event| event.name).collect();
    assert_eq!(names, ["snapshot", "end"]);
    assert_eq!(lab.wait(good)["status"], "COMPLETED");
    assert_eq!(lab.store.get(broken).unwrap().unwrap().state.status, JobStatus::Failed);
    assert_eq!(lab.service.counts().failed, 2);
}

#[test]
fn a_short_job_costs_one_insert_and_one_more_write() {
    let folder = Arc::new(tempdir().unwrap());
    let lab = Lab::at(Arc::clone(&folder), store(folder.path()), |options| {
        options.save_interval = Duration::from_secs(60);
    });
    for _ in 0..20 {
        let id = lab.submit(&document(&["Pass", "Pass", "Pass"], &[(1, 2), (2, 3)]));
        lab.wait(id);
    }
    lab.store.flush().wait().unwrap();
    let writes = lab.store.statistics().writes;
    assert!((40..=41).contains(&writes), "{writes} writes for 20 jobs and a flush");
}

fn faulty() -> Arc<FaultyStore> {
    Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())))
}

#[test]
fn a_failing_store_refuses_new_jobs_and_loses_no_result() {
    let failing = faulty();
    let lab = Lab::with(failing.clone(), |_| {});
    let id = lab.submit(&document(&["Gate"], &[]));
    failing.fail(|operation| match operation {
        Operation::Insert | Operation::Save(_) => Some(StoreError::Full("jobs.db".into())),
        _ => None,
    });
    let workflow = Workflow::from_json(&document(&["Pass"], &[])).unwrap();
    let refused = lab.service.submit(OWNER, workflow).unwrap().wait().unwrap_err();
    assert!(refused.to_string().contains("no space"), "{refused}");
    lab.probe.open();
    // Nobody is told of an end that may be lost.
    until(|| lab.details(id)["error"].is_string());
    assert_eq!(lab.status(id), "RUNNING");
    let why = lab.details(id)["error"].as_str().unwrap().to_owned();
    assert!(why.contains("no space") && !why.contains("jobs.db"), "{why}");
    assert!(lab.service.problems() > 0);
    assert_eq!(lab.service.list(OWNER, None, 10).unwrap()[0].status.wire(), "RUNNING");
    // There is space again: the result is stored, and all is well.
    failing.heal();
    until(|| failing.get(id).unwrap().unwrap().state.status == JobStatus::Completed);
    assert_eq!(lab.wait(id)["status"], "COMPLETED");
    until(|| lab.details(id).get("error").is_none());
    let names: Vec<JobId> =
        lab.service.list(OWNER, None, 10).unwrap().iter().map(|job| job.id).collect();
    assert_eq!(names, [id]);
}

#[test]
fn an_end_is_told_once_it_is_durable_and_never_taken_back() {
    let slow = faulty();
    let lab = Lab::with(slow.clone(), |_| {});
    slow.slow.store(true, Ordering::SeqCst);
    let id = lab.submit(&document(&["Pass", "Gate"], &[(1, 2)]));
    let held = || slow.held();
    until(|| held() > 0);
    let progress = held();
    lab.probe.open();
    until(|| held() > progress && lab.service.counts().running == 0);
    assert_eq!(lab.service.counts().completed, 0);
    let mut told = false;
    while held() > 0 {
        assert_eq!(lab.status(id), if told { "COMPLETED" } else { "RUNNING" });
        slow.let_one_through();
        let durable = slow.get(id).unwrap().unwrap().state.status;
        told |= durable == JobStatus::Completed;
        let expected = if told { "COMPLETED" } else { "RUNNING" };
        assert_eq!(lab.status(id), expected);
        assert_eq!(lab.service.list(OWNER, None, 1).unwrap()[0].status.wire(), expected);
    }
    assert!(told);
}

#[test]
fn a_service_needs_a_folder_for_artifacts() {
    let folder: TempDir = tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let options = JobOptions::new(folder.path().join("file"));
    let modules = Arc::new(jobs::registry(&Arc::default()));
    let store = Arc::new(MemoryStore::new());
    let error = JobService::open(engine, store, modules, options).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

/// A job that a process has left in the store without a shutdown, after some resumes.
fn left(store: &MemoryStore, text: &str, change: impl FnOnce(&mut JobState)) -> JobId {
    let new = NewJob {
        owner: OWNER,
        started: Timestamp::now(),
        document: text.into(),
        token: JobToken(5),
        modules: Vec::new(),
    };
    let id = store.insert(new).wait().unwrap();
    let mut state = JobState { status: JobStatus::Running, ..JobState::default() };
    change(&mut state);
    store.save(id, state).wait().unwrap();
    id
}

#[test]
fn a_job_during_which_the_process_ends_again_and_again_fails() {
    let store = Arc::new(MemoryStore::new());
    let text = document(&["Pass", "Gate held"], &[(1, 2)]);
    let id = left(&store, &text, |state| {
        state.blocks =
            vec![BlockState::default(), BlockState { phase: Phase::Running(0.0), log: None }];
    });
    for resumes in 1..=3 {
        let lab = Lab::with(store.clone(), |_| {});
        until(|| lab.probe.runs("held") == 1);
        assert_eq!(store.get(id).unwrap().unwrap().state.resumes, resumes);
        // As if it had been killed: what the store has now is what the next one finds.
        let killed = store.get(id).unwrap().unwrap().state;
        lab.probe.open();
        lab.wait(id);
        drop(lab);
        store.save(id, JobState { status: JobStatus::Running, ..killed }).wait().unwrap();
    }
    let lab = Lab::with(store, |_| {});
    let details = lab.wait(id);
    assert_eq!(details["status"], "FAILED");
    let error = details["error"].as_str().unwrap();
    assert_eq!(
        error,
        "the process ended 4 times while this job was running; last seen running: block 2"
    );
    assert_eq!(lab.probe.runs("held"), 0);
}

#[test]
fn an_orderly_stop_is_not_held_against_a_job() {
    let store = Arc::new(MemoryStore::new());
    let id = left(&store, &document(&["Gate"], &[]), |state| state.resumes = 2);
    let lab = Lab::with(store.clone(), |_| {});
    until(|| lab.probe.runs("") == 1);
    lab.service.shutdown(Duration::ZERO).unwrap();
    assert_eq!(store.get(id).unwrap().unwrap().state.resumes, 0);
}

#[test]
fn a_cancel_that_was_answered_outlives_the_process() {
    let store = Arc::new(MemoryStore::new());
    let lab = Lab::with(store.clone(), |_| {});
    let id = lab.submit(&document(&["Gate"], &[]));
    until(|| lab.probe.runs("") == 1);
    assert_eq!(lab.service.cancel(OWNER, id).unwrap(), Cancellation::Cancelling);
    assert!(store.get(id).unwrap().unwrap().state.cancel_requested);
    let other = left(&store, &document(&["Pass"], &[]), |state| state.cancel_requested = true);
    let again = Lab::with(store, |_| {});
    assert_eq!(again.wait(other)["status"], "CANCELLED");
    assert_eq!(again.probe.runs(""), 0);
}

#[test]
fn a_cancel_that_was_answered_is_not_taken_back_by_one_that_fails() {
    let memory = Arc::new(MemoryStore::new());
    let store = Arc::new(FaultyStore::new(memory.clone()));
    let lab = Lab::with(store.clone(), |_| {});
    let id = lab.submit(&document(&["Stubborn"], &[]));
    until(|| lab.probe.runs("") == 1);
    assert_eq!(lab.service.cancel(OWNER, id).unwrap(), Cancellation::Cancelling);
    store.fail(|operation| match operation {
        Operation::Save(_) => Some(StoreError::Full("jobs.db".into())),
        _ => None,
    });
    // What was answered is answered again, whatever the store does.
    assert_eq!(lab.service.cancel(OWNER, id).unwrap(), Cancellation::Cancelling);
    store.heal();
    assert!(memory.get(id).unwrap().unwrap().state.cancel_requested);
    lab.probe.open();
    assert_eq!(lab.wait(id)["status"], "CANCELLED");
}

#[test]
fn a_cancel_that_could_not_be_stored_is_told_and_does_not_count() {
    let store = faulty();
    let lab = Lab::with(store.clone(), |_| {});
    let id = lab.submit(&document(&["Gate"], &[]));
    until(|| lab.probe.runs("") == 1);
    store.fail(|operation| match operation {
        Operation::Save(_) => Some(StoreError::Full("jobs.db".into())),
        _ => None,
    });
    assert!(lab.service.cancel(OWNER, id).is_err());
    assert!(lab.service.problems() > 0);
    store.heal();
    lab.probe.open();
    assert_eq!(lab.wait(id)["status"], "COMPLETED");
}

#[test]
fn events_of_a_resumed_job_have_numbers_that_were_never_given_before() {
    let store = Arc::new(MemoryStore::new());
    let id = left(&store, &document(&["Gate"], &[]), |state| state.events = 2);
    let lab = Lab::with(store, |_| {});
    until(|| lab.probe.runs("") == 1);
    // Number 4 was given by the process before, and never stored.
    let first = lab.service.subscribe(OWNER, id, 4).unwrap().unwrap().next().unwrap();
    assert_eq!(first.name, "snapshot");
    assert!(first.number > 1 << 50 && first.number < 1 << 53, "{}", first.number);
}

#[test]
fn a_result_that_the_store_refuses_fails_the_job_once_with_the_reason() {
    let too_large = || StoreError::TooLarge("jobs.db".into());
    let refused =
        || StoreError::Refused { path: "jobs.db".into(), problem: "not like this".to_owned() };
    let errors = [too_large(), refused()];
    for (error, reason) in errors.into_iter().zip(["too large", "not like this"]) {
        let memory = Arc::new(MemoryStore::new());
        let store = Arc::new(FaultyStore::new(memory.clone()));
        // It cannot hold a job whose blocks show anything.
        store.fail(move |operation| match operation {
            Operation::Save(state) => {
                let shows = |block: &BlockState| matches!(block.phase, Phase::Finished(Some(_)));
                state.blocks.iter().any(shows).then(|| error.clone())
            }
            _ => None,
        });
        let problems = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&problems);
        let lab = Lab::with(store, |options| {
            options.on_problem =
                (move |problem: &JobProblem| told.lock().unwrap().push(problem.clone())).into();
        });
        let id = lab.submit(&document(&["Plot"], &[]));
        let details = lab.wait(id);
        assert_eq!(details["status"], "FAILED");
        let why = details["error"].as_str().unwrap();
        assert!(why.contains("cannot be stored") && why.contains(reason), "{why}");
        assert!(!why.contains("jobs.db"), "the owner is not told where the store is: {why}");
        assert_eq!(lab.service.counts().failed, 1);
        assert!(memory.unfinished().unwrap().is_empty(), "it does not run again");
        let problems = problems.lock().unwrap();
        assert!(
            matches!(problems[0], JobProblem::NotSaved { job, .. } if job == id),
            "{problems:?}"
        );
        assert_eq!(lab.service.problems(), u64::try_from(problems.len()).unwrap());
    }
}
