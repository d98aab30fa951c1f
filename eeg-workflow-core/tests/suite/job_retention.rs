//! Which finished jobs are kept, and deleting on a full disk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::jobs;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use eeg_workflow_core::job::{Deletion, JobId, MemoryStore, Retention, StoreError};
use jobs::{FaultyStore, Lab, OWNER, Operation, document, until};

#[test]
fn the_newest_finished_jobs_of_an_owner_are_kept_and_no_files_of_others_stay() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.retention = Retention::of_jobs(2);
    });
    let ids: Vec<JobId> = (0..6)
        .map(|_| {
            let id = lab.submit(&document(&["Plot"], &[]));
            // It may be deleted as soon as it has ended.
            until(|| {
                lab.service.details(OWNER, id).unwrap().is_none_or(|d| !d.contains("RUNNING"))
            });
            id
        })
        .collect();
    let left = || -> Vec<JobId> {
        lab.service.list(OWNER, None, 10).unwrap().iter().map(|job| job.id).collect()
    };
    until(|| left() == [ids[5], ids[4]]);
    until(|| std::fs::read_dir(lab.folder.path().join("artifacts")).unwrap().count() == 2);
    assert!(lab.service.artifact(OWNER, ids[5], "1-plot.png").unwrap().is_some());
    assert_eq!(lab.service.prune().unwrap(), 0);
}

#[test]
fn old_jobs_are_deleted_when_the_service_is_opened_or_asked() {
    let store = Arc::new(MemoryStore::new());
    let lab = Lab::with(store.clone(), |_| {});
    for _ in 0..5 {
        lab.wait(lab.submit(&document(&["Pass"], &[])));
    }
    let again = Lab::with(store, |options| options.retention = Retention::of_jobs(3));
    until(|| again.service.list(OWNER, None, 10).unwrap().len() == 3);
}

#[test]
fn on_a_full_disk_deleting_makes_room_first() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let lab = Lab::with(store.clone(), |_| {});
    let ids = [(); 3].map(|()| lab.submit(&document(&["Plot"], &[])));
    ids.iter().for_each(|id| drop(lab.wait(*id)));
    store.has_reserve.store(true, Ordering::SeqCst);
    let fill = || {
        store.fail(|operation| match operation {
            Operation::Read => None,
            _ => Some(StoreError::Full("jobs.db".into())),
        });
    };
    fill();
    assert_eq!(lab.service.delete(OWNER, ids[0]).unwrap(), Deletion::Deleted);
    fill();
    assert_eq!(lab.service.delete_finished(OWNER).unwrap(), 2);
    assert_eq!(std::fs::read_dir(lab.folder.path().join("artifacts")).unwrap().count(), 0);
}
