//! What a job shows, logs and says is limited, and waiting jobs hold little memory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::jobs;

use std::sync::Arc;

use eeg_workflow_core::job::{JobId, MemoryStore};
use jobs::{Lab, OWNER, document, until};
use serde_json::Value;

fn output(details: &Value, block: usize) -> &str {
    details["executionStatus"][block]["output"]["value"].as_str().unwrap()
}

fn file_named_in<'a>(note: &'a str, name: &str) -> &'a str {
    note.split([' ', ';', ')']).find(|word| word.ends_with(name)).unwrap()
}

#[test]
fn a_long_string_is_cut_in_the_details_and_whole_in_a_file() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Show text:1000000", "Show text:1500000"], &[]));
    let details = lab.wait(id);
    assert_eq!(details["status"], "COMPLETED");
    assert_eq!(output(&details, 0).len(), 1_000_000, "not cut");
    let shown = output(&details, 1);
    let (start, note) = shown.split_once('\n').unwrap();
    assert_eq!(start.len(), 1024 * 1024);
    assert_eq!(note, "(cut: 1500000 bytes, all of them in the file 2-output.txt)");
    let path = lab.service.artifact(OWNER, id, "2-output.txt").unwrap().unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().len(), 1_500_000);
}

#[test]
fn a_file_of_what_was_shown_has_a_limit_too() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Show text:400000000"], &[]));
    let details = lab.wait(id);
    assert_eq!(details["status"], "COMPLETED");
    let note = output(&details, 0).split_once('\n').unwrap().1;
    assert_eq!(
        note,
        "(cut: 400000000 bytes, of which the file 1-output.txt has the first 16777216)"
    );
    let path = lab.service.artifact(OWNER, id, "1-output.txt").unwrap().unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().len(), 16 * 1024 * 1024);
}

#[test]
fn a_large_table_has_fewer_rows_in_the_details_and_all_in_a_file() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Show table:3000000"], &[]));
    let details = lab.wait(id);
    let table = &details["executionStatus"][0]["output"]["value"];
    assert_eq!(table["columns"], serde_json::json!(["a", "b"]));
    let rows = table["rows"].as_array().unwrap();
    assert!((5_000..15_000).contains(&rows.len()), "{}", rows.len());
    let note = rows.last().unwrap()[0].as_str().unwrap();
    assert!(note.contains("cut: ") && note.contains("; 30000 rows"), "{note}");
    let name = file_named_in(note, ".tsv");
    let path = lab.service.artifact(OWNER, id, name).unwrap().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!((text.lines().count(), text.lines().next()), (30_001, Some("a\tb")));
}

#[test]
fn all_blocks_of_a_job_together_show_log_and_say_no_more_than_the_store_can_hold() {
    let lab = Lab::new();
    let mut blocks = vec!["Show text:2000000"; 60];
    blocks.extend(["Show log:70000"; 300]);
    blocks.extend(["Show error:2000000"; 300]);
    let id = lab.submit(&document(&blocks, &[]));
    let details = lab.wait(id);
    assert_eq!(details["status"], "FAILED", "some blocks fail");
    let text = lab.service.details(OWNER, id).unwrap().unwrap();
    // As JSON, six times as long, and twice.
    assert!(text.len() < 2 * 6 * 20_000_000, "{} bytes", text.len());
    for block in details["executionStatus"].as_array().unwrap() {
        let shown = block["output"]["value"].as_str().unwrap_or_default();
        assert!(shown.is_empty() || shown.contains("cut: 2000000 bytes"), "it says so");
        let said = block["stderr"].as_str().unwrap();
        assert!(said.is_empty() || said.ends_with("(cut: 2000000 bytes)"), "it says so");
    }
}

#[test]
fn what_a_block_displays_counts_against_the_limit_on_memory() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.memory_limit = Some(3_000_000);
    });
    let blocks = ["Show text:2000000", "Show text:2000000"];
    let id = lab.submit(&document(&blocks, &[(1, 2)]));
    let details = lab.wait(id);
    assert_eq!(details["executionStatus"][0]["completed"], true);
    let why = details["executionStatus"][1]["stderr"].as_str().unwrap();
    assert_eq!(
        why,
        "a display of 2000000 bytes would exceed the limit on memory (2000000 of 3000000 bytes are held)"
    );
}

#[test]
fn a_waiting_job_is_in_the_store_only_when_others_fill_the_memory() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.max_running = 1;
        options.max_waiting_bytes = 10_000;
    });
    lab.submit(&document(&["Gate"], &[]));
    until(|| lab.probe.runs("") == 1);
    let long = "n".repeat(6_000);
    let text = document(&[&format!("Pass {long}"), "Plot shown"], &[(1, 2)]);
    let waiting: Vec<JobId> = (0..5).map(|_| lab.submit(&text)).collect();
    for id in &waiting {
        let details = lab.details(*id);
        assert_eq!(details["status"], "RUNNING");
        assert_eq!(details["executionStatus"][1]["type"], "Plot");
        assert_eq!(lab.service.list(OWNER, None, 10).unwrap().len(), 6);
    }
    // Those that are in the store only can be followed and cancelled like others.
    let events = lab.service.subscribe(OWNER, waiting[3], 0).unwrap().unwrap();
    let cancelled = lab.service.subscribe(OWNER, waiting[4], 0).unwrap().unwrap();
    lab.service.cancel(OWNER, waiting[4]).unwrap();
    let names: Vec<&str> = cancelled.map(|event| event.name).collect();
    assert_eq!(names, ["job", "end"]);
    let details = lab.wait(waiting[4]);
    assert_eq!(details["status"], "CANCELLED");
    assert_eq!(details["executionStatus"][0]["stderr"], "cancelled");
    lab.probe.open();
    for id in &waiting[..4] {
        let details = lab.wait(*id);
        assert_eq!(details["status"], "COMPLETED", "{details}");
        assert!(lab.service.artifact(OWNER, *id, "2-plot.png").unwrap().is_some());
    }
    let events: Vec<_> = events.collect();
    assert_eq!((events[0].number, events[0].name), (1, "job"));
    assert_eq!(events.last().unwrap().name, "end");
    assert_eq!(lab.probe.runs(&long), 4);
}

#[test]
fn large_documents_do_not_run_all_at_once_but_each_runs() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.max_running_bytes = 4_000;
    });
    let text = document(&[&format!("Gate {}", "n".repeat(3_000))], &[]);
    let ids: Vec<JobId> = (0..3).map(|_| lab.submit(&text)).collect();
    until(|| lab.probe.order().len() == 1);
    let counts = lab.service.counts();
    assert_eq!((counts.running, counts.queued), (1, 2), "one of any size may run");
    lab.probe.open();
    ids.iter().for_each(|id| assert_eq!(lab.wait(*id)["status"], "COMPLETED"));
}
