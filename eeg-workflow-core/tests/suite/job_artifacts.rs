//! The folders of artifacts belong to one job each, whatever becomes of the store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::jobs;

use std::path::Path;
use std::sync::Arc;

use eeg_workflow_core::engine::{Engine, EngineOptions};
use eeg_workflow_core::job::{
    JobError, JobOptions, JobService, JobStore, MemoryStore, SqliteStore,
};
use jobs::{Lab, OWNER, document};
use tempfile::TempDir;

fn durable(folder: &Arc<TempDir>) -> Lab {
    let store = Arc::new(SqliteStore::open(folder.path().join("jobs.db")).unwrap());
    Lab::at(Arc::clone(folder), store, |_| {})
}

/// Opens a service on the folder's artifacts without running anything.
fn open(folder: &Path, store: Arc<dyn JobStore>, discard: bool) -> Result<JobService, JobError> {
    let mut options = JobOptions::new(folder.join("artifacts"));
    options.discard_foreign_artifacts = discard;
    let engine = Engine::new(EngineOptions::default()).unwrap();
    JobService::open(engine, store, Arc::new(jobs::registry(&Arc::default())), options)
}

fn folders(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("artifacts")).unwrap().count()
}

/// A folder with a job that has made a file, and its service ended.
fn with_a_plot() -> Arc<TempDir> {
    let folder = Arc::new(TempDir::new().unwrap());
    let lab = durable(&folder);
    let id = lab.submit(&document(&["Plot"], &[]));
    lab.wait(id);
    lab.service.shutdown(std::time::Duration::from_secs(10)).unwrap();
    drop(lab);
    folder
}

/// The store, once the service before has let go of it.
fn reopened(folder: &Path) -> Arc<SqliteStore> {
    let mut store = None;
    jobs::until(|| {
        store = SqliteStore::open(folder.join("jobs.db")).ok();
        store.is_some()
    });
    Arc::new(store.unwrap())
}

#[test]
fn artifacts_without_their_store_are_refused_until_they_are_discarded() {
    let folder = with_a_plot();
    let lost = || Arc::new(MemoryStore::new());
    let error = open(folder.path(), lost(), false).unwrap_err();
    assert!(matches!(error, JobError::ForeignArtifacts { count: 1, .. }), "{error}");
    assert_eq!(folders(folder.path()), 1, "nothing was touched");
    // With the store that they belong to all is well.
    let service = open(folder.path(), reopened(folder.path()), false).unwrap();
    let job = service.list(OWNER, None, 1).unwrap().remove(0);
    assert!(service.artifact(OWNER, job.id, "1-plot.png").unwrap().is_some());
    drop(service);
    open(folder.path(), lost(), true).unwrap();
    assert_eq!(folders(folder.path()), 0);
}

#[test]
fn an_older_or_another_store_is_refused() {
    let folder = with_a_plot();
    // Another store whose jobs have the same numbers.
    let other = TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(other.path().join("jobs.db")).unwrap());
    let lab = Lab::at(Arc::new(TempDir::new().unwrap()), store.clone(), |_| {});
    lab.wait(lab.submit(&document(&["Plot"], &[])));
    let error = open(folder.path(), store, false).unwrap_err();
    assert!(error.to_string().contains("not of a job of this store"), "{error}");
}

#[test]
fn what_an_interrupted_deletion_left_is_swept_and_other_things_are_left_alone() {
    let folder = with_a_plot();
    let artifacts = folder.path().join("artifacts");
    let kept = std::fs::read_dir(&artifacts).unwrap().next().unwrap().unwrap().path();
    let store = reopened(folder.path());
    // A second job that was deleted: its number is taken, its row is gone, its folder is not.
    let lab = Lab::at(Arc::clone(&folder), store, |_| {});
    let id = lab.submit(&document(&["Plot"], &[]));
    lab.wait(id);
    let left = lab.artifacts(id);
    let copy = folder.path().join("copy");
    std::fs::rename(&left, &copy).unwrap();
    lab.service.delete(OWNER, id).unwrap();
    lab.service.shutdown(std::time::Duration::from_secs(10)).unwrap();
    drop(lab);
    std::fs::rename(&copy, &left).unwrap();
    std::fs::create_dir(artifacts.join("notes")).unwrap();
    let service = open(folder.path(), reopened(folder.path()), false).unwrap();
    assert!(kept.is_dir() && artifacts.join("notes").is_dir() && !left.exists());
    drop(service);
}

#[test]
fn a_folder_for_artifacts_must_be_named() {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let modules = Arc::new(jobs::registry(&Arc::default()));
    let store = Arc::new(MemoryStore::new());
    let error = JobService::open(engine, store, modules, JobOptions::new("")).unwrap_err();
    assert!(matches!(error, JobError::Artifacts { .. }), "{error}");
}
