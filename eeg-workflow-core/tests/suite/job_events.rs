//! The events of a job, and those who follow them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::jobs;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use eeg_workflow_core::job::{JobEvent, JobId, MemoryStore, Subscription};
use jobs::{Lab, OWNER, document, until};

/// A job that waits for its turn behind another one, which the first that is returned is.
fn waiting(lab: &Lab, text: &str) -> (JobId, JobId) {
    (lab.submit(&document(&["Gate"], &[])), lab.submit(text))
}

fn one_at_a_time() -> Lab {
    Lab::with(Arc::new(MemoryStore::new()), |options| options.max_running = 1)
}

fn subscribe(lab: &Lab, id: JobId, after: u64) -> Subscription {
    lab.service.subscribe(OWNER, id, after).unwrap().unwrap()
}

fn short(events: &[JobEvent]) -> Vec<String> {
    let line = |event: &JobEvent| {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        assert!(!event.data.contains('\n'));
        let what = ["state", "fraction", "line", "status"].map(|key| &data[key]);
        let what = what.iter().find(|value| !value.is_null()).unwrap();
        format!("{} {} {} {what}", event.number, event.name, data["id"])
    };
    events.iter().map(line).collect()
}

#[test]
fn all_events_of_a_job_come_numbered_and_in_order() {
    let lab = one_at_a_time();
    let (_, id) = waiting(&lab, &document(&["Talk", "Fail", "Pass"], &[(1, 2), (2, 3)]));
    let events = subscribe(&lab, id, 0);
    lab.probe.open();
    let events: Vec<JobEvent> = events.collect();
    assert_eq!(
        short(&events),
        [
            "1 job null \"running\"",
            "2 block 1 \"running\"",
            "3 log 1 \"step 1\"",
            "4 progress 1 0.25",
            "5 log 1 \"step 2\"",
            "6 progress 1 0.5",
            "7 log 1 \"step 3\"",
            "8 progress 1 0.75",
            "9 log 1 \"step 4\"",
            "10 progress 1 1.0",
            "11 block 1 \"completed\"",
            "12 block 2 \"running\"",
            "13 log 2 \"about to fail\"",
            "14 block 2 \"failed\"",
            "15 block 3 \"skipped\"",
            "16 job null \"failed\"",
            "17 end null \"FAILED\"",
        ]
    );
    let failed: serde_json::Value = serde_json::from_str(&events[13].data).unwrap();
    assert_eq!(failed["stderr"], "Traceback\n  it \"broke\"");
    assert_eq!(failed["error"], true);
    assert!(failed["seconds"].as_f64().unwrap() >= 0.0);
    let skipped: serde_json::Value = serde_json::from_str(&events[14].data).unwrap();
    assert_eq!(skipped["stderr"], "skipped: block 2 failed");
}

#[test]
fn who_comes_back_goes_on_where_they_were() {
    let lab = one_at_a_time();
    let (_, id) = waiting(&lab, &document(&["Talk"], &[]));
    let mut first = subscribe(&lab, id, 0);
    lab.probe.open();
    let seen: Vec<JobEvent> = first.by_ref().take(5).collect();
    drop(first);
    lab.wait(id);
    // The job may be in the store only by now: then a snapshot stands for what was missed.
    let rest: Vec<JobEvent> = subscribe(&lab, id, seen[4].number).collect();
    assert_eq!(rest.last().unwrap().name, "end");
    assert!(rest[0].number > 5);
    let last = rest.last().unwrap().number;
    assert_eq!(subscribe(&lab, id, last).count(), 0, "who has seen the end is done");
}

#[test]
fn two_followers_get_the_same_and_one_who_comes_late_what_is_kept() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Gate", "Talk"], &[(1, 2)]));
    until(|| lab.probe.order().len() == 1);
    // Nobody had listened: where the job stands comes first.
    let mut early = subscribe(&lab, id, 0);
    let snapshot = early.next().unwrap();
    assert_eq!((snapshot.number, snapshot.name), (2, "snapshot"));
    let data: serde_json::Value = serde_json::from_str(&snapshot.data).unwrap();
    assert_eq!(data["status"], "RUNNING");
    assert_eq!(data["blocks"][0]["state"], "running");
    assert_eq!(data["blocks"][1]["state"], "waiting");
    assert_eq!(data["blocks"][1]["id"], 2);
    let late = subscribe(&lab, id, 2);
    lab.probe.open();
    let early: Vec<JobEvent> = early.collect();
    assert_eq!(early[0].number, 3);
    assert!(early.windows(2).all(|pair| pair[0].number + 1 == pair[1].number));
    assert_eq!(late.collect::<Vec<_>>(), early);
}

#[test]
fn a_follower_who_is_too_slow_gets_a_snapshot_and_the_end() {
    let lab = one_at_a_time();
    let talk: Vec<&str> = std::iter::repeat_n("Talk", 300).collect();
    let (_, id) = waiting(&lab, &document(&talk, &[]));
    let slow = subscribe(&lab, id, 0);
    lab.probe.open();
    lab.wait(id);
    let rest: Vec<JobEvent> = slow.collect();
    assert_eq!(rest[0].name, "snapshot");
    assert_eq!(rest.last().unwrap().name, "end");
    assert!(rest.iter().filter(|event| event.name == "end").count() == 1);
}

#[test]
fn an_ended_job_gives_a_snapshot_and_the_end() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Plot", "Fail"], &[]));
    lab.wait(id);
    let events: Vec<JobEvent> = subscribe(&lab, id, 0).collect();
    let names: Vec<&str> = events.iter().map(|event| event.name).collect();
    assert_eq!(names, ["snapshot", "end"]);
    assert_eq!(events[0].number + 1, events[1].number);
    let data: serde_json::Value = serde_json::from_str(&events[0].data).unwrap();
    assert_eq!(data["blocks"][0]["output"]["value"]["filename"], "1-plot.png");
    assert_eq!(data["blocks"][1]["state"], "failed");
    // An event number that was never given.
    let names: Vec<&str> = subscribe(&lab, id, 10_000).map(|event| event.name).collect();
    assert_eq!(names, ["snapshot", "end"]);
}

#[test]
fn a_number_that_was_never_given_gets_a_snapshot_and_then_what_follows() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Gate", "Talk"], &[(1, 2)]));
    until(|| lab.probe.order().len() == 1);
    let known = subscribe(&lab, id, 0);
    let unknown = subscribe(&lab, id, 1 << 40);
    lab.probe.open();
    let known: Vec<JobEvent> = known.collect();
    let unknown: Vec<JobEvent> = unknown.collect();
    assert_eq!(unknown[0].name, "snapshot");
    let rest = known.iter().position(|event| event.number > unknown[0].number).unwrap();
    assert_eq!(unknown[1..], known[rest..]);
    assert_eq!(unknown.last().unwrap().name, "end");
}

#[test]
fn events_can_be_awaited_without_a_runtime() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let lab = one_at_a_time();
    let (_, id) = waiting(&lab, &document(&["Pass"], &[]));
    let mut events = subscribe(&lab, id, 0);
    let mut all = pin!(async {
        let mut names = Vec::new();
        while let Some(event) = events.next_event().await {
            names.push(event.name);
        }
        names
    });
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut cx = Context::from_waker(&waker);
    assert!(all.as_mut().poll(&mut cx).is_pending());
    lab.probe.open();
    let names = loop {
        match all.as_mut().poll(&mut cx) {
            Poll::Ready(names) => break names,
            Poll::Pending => thread::park(),
        }
    };
    assert_eq!(names, ["job", "block", "block", "job", "end"]);
}

#[test]
fn a_shutdown_ends_what_others_follow() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Gate"], &[]));
    until(|| lab.probe.order().len() == 1);
    let events = subscribe(&lab, id, 0);
    let follower = thread::spawn(move || events.map(|event| event.name).collect::<Vec<_>>());
    lab.service.shutdown(std::time::Duration::ZERO).unwrap();
    let names = follower.join().unwrap();
    assert!(!names.contains(&"end"), "the job has not ended: {names:?}");
}
