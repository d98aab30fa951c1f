//! The job service: what clients read of a job, and what they can do with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::{jobs, needs};

use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::job::{
    Cancellation, Deletion, JobId, JobStatus, MemoryStore, SubmitError, Timestamp,
};
use eeg_workflow_core::workflow::Workflow;
use jobs::{EXAMPLE, Lab, OWNER, document, until};
use serde_json::json;

const STRANGER: OwnerId = OwnerId(2);

/// The text without spaces and line breaks outside of strings.
fn compact(json: &str) -> String {
    let mut text = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if quoted || !c.is_whitespace() {
            text.push(c);
        }
        quoted = match c {
            '"' if !escaped => !quoted,
            _ => quoted,
        };
        escaped = c == '\\' && !escaped;
    }
    text
}

/// The text with every `startTime` and `endTime` replaced.
fn without_times(json: &str) -> String {
    let mut text = json.to_owned();
    for key in ["\"startTime\":\"", "\"endTime\":\""] {
        let from = text.find(key).unwrap() + key.len();
        let to = from + text[from..].find('"').unwrap();
        assert_eq!(text[from..to].len(), 24, "{}", &text[from..to]);
        text.replace_range(from..to, "TIME");
    }
    text
}

#[test]
fn the_documented_example_gives_the_documented_details_to_the_letter() {
    let lab = Lab::new();
    let id = lab.submit(EXAMPLE);
    lab.wait(id);
    let details = lab.service.details(OWNER, id).unwrap().unwrap();
    let finished = |id: u32, x: &str, y: &str, kind: &str, values: &str, output: &str| {
        format!(
            r#"{{"id":{id},"x":{x},"y":{y},"type":"{kind}","module":"Arithmetic.zip:Arithmetic","values":{values},"output":{{"type":"STRING","value":"{{'output': {output}}}"}},"completed":true,"error":false,"stderr":""}}"#
        )
    };
    let blocks = [
        finished(1, "-420.0000061035156", "-209", "Constant", r#"{"constant value":"40"}"#, "'40'"),
        finished(
            2,
            "-362.0000061035156",
            "-90.00000381469727",
            "Constant",
            r#"{"constant value":"30"}"#,
            "'30'",
        ),
        finished(3, "-86.0000061035156", "-179.00000381469727", "Addition", "{}", "70"),
    ]
    .join(",");
    let edge = |id: u32, from: u32, to: &str| {
        format!(
            r#"{{"id":{id},"block1":{from},"connector1":["output","output"],"block2":3,"connector2":["{to}","input"]}}"#
        )
    };
    let edges = [edge(1, 1, "num1"), edge(2, 2, "num2")].join(",");
    let expected = format!(
        r#"{{"workflow":{{"edges":[{edges}],"blocks":[{blocks}]}},"executionStatus":[{blocks}],"startTime":"TIME","id":1,"endTime":"TIME","status":"COMPLETED"}}"#
    );
    assert_eq!(without_times(&compact(&details)), expected);
}

#[test]
fn the_details_equal_the_reference_text() {
    let Some(text) = needs::reference_file("000_f45b640814f2cfa4.txt") else { return };
    let from = text.find("{\n\"workflow\"").unwrap();
    let to = text.find("\nCodes :").unwrap();
    let expected =
        compact(&text[from..to]).replace("\"id\":16,\"endTime\"", "\"id\":1,\"endTime\"");
    let expected = expected.replace("Sun Jul 5", "Sun Jul  5");

    // With the real arithmetic blocks.
    let lab = Lab::with_modules(
        Arc::new(tempfile::tempdir().unwrap()),
        Arc::new(MemoryStore::new()),
        |_| {},
        |_| Arc::new(eeg_workflow_core::builtin::registry().unwrap()),
    );
    let id = lab.submit(EXAMPLE);
    lab.wait(id);
    let details = lab.service.details(OWNER, id).unwrap().unwrap();
    assert_eq!(without_times(&compact(&details)), without_times(&expected));
}

#[test]
fn times_are_those_of_c_in_utc() {
    // As `time.asctime(time.gmtime(seconds))` of Python prints them.
    for (seconds, text) in [
        (0, "Thu Jan  1 00:00:00 1970"),
        (-1, "Wed Dec 31 23:59:59 1969"),
        (951_782_399, "Mon Feb 28 23:59:59 2000"),
        (951_782_400, "Tue Feb 29 00:00:00 2000"),
        (951_868_800, "Wed Mar  1 00:00:00 2000"),
        (1_593_944_856, "Sun Jul  5 10:27:36 2020"),
        (1_709_164_800, "Thu Feb 29 00:00:00 2024"),
        (4_107_542_399, "Sun Feb 28 23:59:59 2100"),
        (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
        (253_402_300_799, "Fri Dec 31 23:59:59 9999"),
    ] {
        assert_eq!(Timestamp(seconds).to_string(), text);
    }
}

#[test]
fn times_agree_with_python() {
    let seconds: Vec<i64> = (0..2_000).map(|i| i * 7_777_777 - 2_000_000_000).collect();
    let program = format!("import time\nfor s in {seconds:?}: print(time.asctime(time.gmtime(s)))");
    let Some(mut python) = needs::python() else { return };
    let output = python.args(["-c", &program]).output().unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    let ours: Vec<String> = seconds.iter().map(|s| Timestamp(*s).to_string()).collect();
    assert_eq!(expected.lines().collect::<Vec<_>>(), ours);
}

#[test]
fn what_a_block_shows_and_logs_is_in_the_details() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Plot", "Table", "Talk", "Pass"], &[(1, 4)]));
    let details = lab.wait(id);
    let blocks = &details["executionStatus"];
    assert_eq!(details["workflow"]["blocks"], *blocks);
    assert_eq!(blocks[0]["output"], json!({"type": "GRAPH", "value": {"filename": "1-plot.png"}}));
    let table = json!({"columns": ["name", "value"], "rows": [["a", "1"]]});
    assert_eq!(blocks[1]["output"], json!({"type": "TABLE", "value": table}));
    assert_eq!(blocks[2]["stdout"], "step 1\nstep 2\nstep 3\nstep 4");
    assert!(blocks[2].get("output").is_none());
    assert!(blocks[2].get("progress").is_none());
    let pass = blocks[3].as_object().unwrap();
    let keys: Vec<&str> = pass.keys().map(String::as_str).collect();
    assert!(!keys.contains(&"output") && !keys.contains(&"stdout"), "{keys:?}");
    assert_eq!(pass["completed"], true);
}

#[test]
fn a_failed_block_says_why_and_those_behind_it_because_of_whom() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Fail", "Pass", "Pass", "Plot"], &[(1, 2), (2, 3)]));
    let details = lab.wait(id);
    assert_eq!(details["status"], "FAILED");
    assert_eq!(details["endTime"].as_str().unwrap().len(), 24);
    let blocks = details["executionStatus"].as_array().unwrap();
    let ended = |i: usize| {
        let block = &blocks[i];
        (block["completed"] == true, block["error"] == true, block["stderr"].as_str().unwrap())
    };
    assert_eq!(ended(0), (true, true, "Traceback\n  it \"broke\""));
    assert_eq!(blocks[0]["stdout"], "about to fail");
    assert_eq!(ended(1), (false, false, "skipped: block 1 failed"));
    assert_eq!(ended(2), (false, false, "skipped: block 1 failed"));
    assert_eq!(ended(3), (true, false, ""), "an independent branch runs to its end");
}

#[test]
fn what_an_exported_document_carries_of_an_earlier_run_is_left_out() {
    let lab = Lab::new();
    let text = r#"{"name": "my \u00e9tude", "blocks": [{"type": "Gate", "id": "a", "x": 1.50,
        "module": "Arithmetic.zip:Arithmetic", "values": null, "colour": {"b": 1, "a": [1e2]},
        "output": {"type": "STRING", "value": "old"}, "completed": true, "error": true,
        "stderr": "old", "stdout": "old", "progress": 0.5}], "edges": [], "zoom": 1.10}"#;
    let id = lab.submit(text);
    until(|| lab.probe.order().len() == 1);
    let running = lab.service.details(OWNER, id).unwrap().unwrap();
    let own = r#""type":"Gate","id":"a","x":1.50,"module":"Arithmetic.zip:Arithmetic","values":null,"colour":{"b":1,"a":[1e2]}"#;
    let started = format!(
        r#"{{"workflow":{{"name":"my \u00e9tude","blocks":[{{{own},"progress":0.0}}],"edges":[],"zoom":1.10}},"executionStatus":[{{{own},"progress":0.0}}],"#
    );
    assert!(compact(&running).starts_with(&started), "{running}");
    assert!(running.contains("\"endTime\":\"\",\"status\":\"RUNNING\"}"), "{running}");
    lab.probe.open();
    lab.wait(id);
    let details = lab.service.details(OWNER, id).unwrap().unwrap();
    let block = format!(r#"{{{own},"completed":true,"error":false,"stderr":""}}"#);
    assert!(compact(&details).contains(&block), "{details}");
}

#[test]
fn an_invalid_workflow_is_refused_with_everything_that_is_wrong() {
    let lab = Lab::new();
    let text = document(&["Nope", "Pass"], &[(2, 9)]);
    let invalid = lab.service.submit(OWNER, Workflow::from_json(&text).unwrap()).unwrap_err();
    assert!(invalid.diagnostics.len() >= 2, "{invalid:?}");
    assert!(lab.service.list(OWNER, None, 10).unwrap().is_empty());
}

#[test]
fn an_empty_workflow_completes_at_once() {
    let lab = Lab::new();
    let id = lab.submit(r#"{"blocks": [], "edges": []}"#);
    let details = lab.wait(id);
    assert_eq!(details["status"], "COMPLETED");
    assert_eq!(details["executionStatus"], json!([]));
}

#[test]
fn other_owners_see_nothing_of_a_job() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Plot"], &[]));
    lab.wait(id);
    let running = lab.submit(&document(&["Gate"], &[]));
    for id in [id, running, JobId(99)] {
        let owner = STRANGER;
        assert!(lab.service.details(owner, id).unwrap().is_none());
        assert!(lab.service.subscribe(owner, id, 0).unwrap().is_none());
        assert!(lab.service.artifact(owner, id, "1-plot.png").unwrap().is_none());
        assert_eq!(lab.service.delete(owner, id).unwrap(), Deletion::NotFound);
        assert_eq!(lab.service.cancel(owner, id).unwrap(), Cancellation::NotFound);
    }
    assert!(lab.service.list(STRANGER, None, 10).unwrap().is_empty());
    assert_eq!(lab.service.delete_finished(STRANGER).unwrap(), 0);
    assert_eq!(lab.service.list(OWNER, None, 10).unwrap().len(), 2);
    lab.probe.open();
    lab.wait(running);
}

#[test]
fn jobs_are_listed_newest_first_in_pages() {
    let lab = Lab::new();
    let ids: Vec<JobId> = (0..5).map(|_| lab.submit(&document(&["Pass"], &[]))).collect();
    ids.iter().for_each(|id| drop(lab.wait(*id)));
    let page = |before, limit| -> Vec<JobId> {
        let jobs = lab.service.list(OWNER, before, limit).unwrap();
        jobs.into_iter().map(|job| job.id).collect()
    };
    assert_eq!(page(None, 2), [ids[4], ids[3]]);
    assert_eq!(page(Some(ids[3]), 2), [ids[2], ids[1]]);
    assert_eq!(page(Some(ids[1]), 2), [ids[0]]);
    let newest = lab.service.list(OWNER, None, 1).unwrap().remove(0);
    let text = serde_json::to_string(&newest).unwrap();
    let (start, end) = (newest.started, newest.ended.unwrap());
    let expected = format!(
        r#"{{"startTime":"{start}","id":{},"endTime":"{end}","status":"COMPLETED"}}"#,
        ids[4]
    );
    assert_eq!(text, expected);
}

#[test]
fn a_running_job_is_cancelled_and_a_waiting_one_too() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| options.max_running = 1);
    let running = lab.submit(&document(&["Gate", "Pass", "Pass first"], &[(1, 2)]));
    let waiting = lab.submit(&document(&["Pass never"], &[]));
    until(|| lab.probe.runs("") == 1 && lab.probe.runs("first") == 1);
    assert_eq!((lab.service.counts().running, lab.service.counts().queued), (1, 1));
    assert_eq!(lab.status(waiting), "RUNNING");
    for id in [waiting, running] {
        assert_eq!(lab.service.delete(OWNER, id).unwrap(), Deletion::Unfinished);
        assert_eq!(lab.service.cancel(OWNER, id).unwrap(), Cancellation::Cancelling);
        let details = lab.wait(id);
        assert_eq!(details["status"], "CANCELLED");
        assert_eq!(details["endTime"].as_str().unwrap().len(), 24);
    }
    let details = lab.details(running);
    assert_eq!(details["executionStatus"][1]["stderr"], "cancelled");
    assert_eq!(details["executionStatus"][2]["completed"], true);
    assert_eq!(lab.details(waiting)["executionStatus"][0]["stderr"], "cancelled");
    assert_eq!(lab.probe.runs("never"), 0);
    assert_eq!(lab.service.counts().cancelled, 2);
    assert_eq!(lab.service.list(OWNER, None, 1).unwrap()[0].status, JobStatus::Cancelled);
    // Now that they have ended, they stay so, and can be deleted.
    let ended = Cancellation::Ended(JobStatus::Cancelled);
    assert_eq!(lab.service.cancel(OWNER, running).unwrap(), ended);
    assert_eq!(lab.service.delete(OWNER, running).unwrap(), Deletion::Deleted);
    assert_eq!(lab.service.delete(OWNER, running).unwrap(), Deletion::NotFound);
}

#[test]
fn deleting_a_job_removes_its_artifacts_and_never_its_number() {
    let lab = Lab::new();
    let first = lab.submit(&document(&["Plot"], &[]));
    let second = lab.submit(&document(&["Plot"], &[]));
    let running = lab.submit(&document(&["Gate"], &[]));
    [first, second].iter().for_each(|id| drop(lab.wait(*id)));
    assert!(lab.artifacts(first).join("1-plot.png").is_file());
    assert_eq!(lab.service.delete(OWNER, first).unwrap(), Deletion::Deleted);
    assert!(!lab.artifacts(first).exists());
    assert!(lab.service.details(OWNER, first).unwrap().is_none());
    assert_eq!(lab.service.delete_finished(OWNER).unwrap(), 1);
    assert!(!lab.artifacts(second).exists());
    let left = lab.service.list(OWNER, None, 10).unwrap();
    assert_eq!(left.iter().map(|job| job.id).collect::<Vec<_>>(), [running]);
    lab.probe.open();
    lab.wait(running);
    lab.service.delete_finished(OWNER).unwrap();
    assert!(lab.submit(&document(&["Pass"], &[])) > running);
}

#[test]
fn artifacts_are_found_by_plain_names_only() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Plot", "Plot", "Plot evil"], &[]));
    let details = lab.wait(id);
    let name = |block: usize| {
        let value = &details["executionStatus"][block]["output"]["value"]["filename"];
        value.as_str().unwrap().to_owned()
    };
    assert_eq!((name(0), name(1)), ("1-plot.png".to_owned(), "2-plot.png".to_owned()));
    assert!(name(2).starts_with("3-") && !name(2).contains(['/', '\0']), "{}", name(2));
    for block in 0..3 {
        let path = lab.service.artifact(OWNER, id, &name(block)).unwrap().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"picture");
    }
    let folder = lab.artifacts(id);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "nothing else is left there");
    std::fs::create_dir(folder.join("folder")).unwrap();
    std::fs::write(folder.join(".hidden"), "").unwrap();
    std::fs::write(lab.folder.path().join("secret"), "").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(lab.folder.path().join("secret"), folder.join("link")).unwrap();
    for name in ["", ".", "..", "folder", "link", ".hidden", "../secret", "nothing", "a/b", "a\\b"]
    {
        assert!(lab.service.artifact(OWNER, id, name).unwrap().is_none(), "{name}");
    }
}

#[test]
fn a_file_that_cannot_be_kept_fails_its_block_and_the_job() {
    let lab = Lab::new();
    // Where the folder of artifacts should be is a file.
    std::fs::remove_dir(lab.folder.path().join("artifacts")).unwrap();
    std::fs::write(lab.folder.path().join("artifacts"), "").unwrap();
    let id = lab.submit(&document(&["Plot", "Pass"], &[(1, 2)]));
    let details = lab.wait(id);
    assert_eq!(details["status"], "FAILED");
    let block = &details["executionStatus"][0];
    assert_eq!((&block["completed"], &block["error"]), (&json!(true), &json!(true)));
    let stderr = block["stderr"].as_str().unwrap();
    assert!(stderr.starts_with("cannot keep \"plot.png\": "), "{stderr}");
    assert_eq!(details["executionStatus"][1]["completed"], true);
}

#[test]
fn files_are_looked_up_in_the_owners_own_folder() {
    let lab = Lab::new();
    for owner in [OWNER, STRANGER] {
        let folder = lab.folder.path().join("files").join(owner.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("mine.txt"), format!("of {owner}")).unwrap();
    }
    let text = document(&["File"], &[]).replace(r#""name": """#, r#""file": "Home/mine.txt""#);
    let workflow = Workflow::from_json(&text).unwrap();
    for owner in [OWNER, STRANGER] {
        let id = lab.service.submit(owner, workflow.clone()).unwrap().wait().unwrap();
        let details = || lab.service.details(owner, id).unwrap().unwrap();
        until(|| details().contains("COMPLETED"));
        assert!(details().contains(&format!("of {owner}")), "{}", details());
    }
}

#[test]
fn an_owner_cannot_have_more_unfinished_jobs_than_allowed() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.max_unfinished_per_owner = 2;
    });
    let gate = document(&["Gate"], &[]);
    let jobs = [lab.submit(&gate), lab.submit(&gate)];
    let workflow = Workflow::from_json(&gate).unwrap();
    let refused = lab.service.submit(OWNER, workflow.clone()).unwrap().wait().unwrap_err();
    assert!(matches!(refused, SubmitError::TooManyJobs { limit: 2 }), "{refused}");
    lab.service.submit(STRANGER, workflow).unwrap().wait().unwrap();
    lab.probe.open();
    jobs.iter().for_each(|id| drop(lab.wait(*id)));
    lab.submit(&gate);
}

#[test]
fn owners_take_turns() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| options.max_running = 1);
    lab.submit(&document(&["Gate first"], &[]));
    let flood: Vec<JobId> = (0..50).map(|_| lab.submit(&document(&["Pass flood"], &[]))).collect();
    let workflow = Workflow::from_json(&document(&["Pass other"], &[])).unwrap();
    lab.service.submit(STRANGER, workflow).unwrap().wait().unwrap();
    lab.probe.open();
    lab.wait(*flood.last().unwrap());
    let order = lab.probe.order();
    let turn = order.iter().position(|name| name == "other");
    assert!(turn.is_some_and(|turn| turn <= 2), "{order:?}");
}

#[test]
fn a_long_queue_of_jobs_that_end_at_once_is_worked_off_without_deep_recursion() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.max_running = 1;
        options.max_unfinished_per_owner = 100_000;
    });
    let first = lab.submit(&document(&["Gate"], &[]));
    let ids: Vec<JobId> =
        (0..20_000).map(|_| lab.submit(r#"{"blocks": [], "edges": []}"#)).collect();
    lab.probe.open();
    lab.wait(first);
    lab.wait(*ids.last().unwrap());
    assert_eq!(lab.service.counts().completed, 20_001);
}

#[test]
fn a_job_past_its_deadline_fails_and_says_so() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.run_deadline = Some(Duration::from_millis(50));
    });
    let id = lab.submit(&document(&["Gate", "Pass"], &[(1, 2)]));
    let details = lab.wait(id);
    assert_eq!(details["status"], "FAILED");
    assert_eq!(details["executionStatus"][0]["stderr"], "timed out after 0.05 s");
}

#[test]
fn after_a_shutdown_no_job_is_taken() {
    let lab = Lab::new();
    let id = lab.submit(&document(&["Pass"], &[]));
    until(|| lab.probe.runs("") == 1);
    lab.service.shutdown(Duration::from_secs(5)).unwrap();
    assert_eq!(lab.status(id), "COMPLETED");
    let workflow = Workflow::from_json(EXAMPLE).unwrap();
    let refused = lab.service.submit(OWNER, workflow).unwrap().wait().unwrap_err();
    assert!(matches!(refused, SubmitError::ShuttingDown), "{refused}");
}

#[test]
fn many_threads_submit_follow_cancel_and_list_at_once() {
    let lab = Lab::with(Arc::new(MemoryStore::new()), |options| {
        options.max_running = 4;
        options.max_running_per_owner = 2;
        options.save_interval = Duration::from_millis(1);
    });
    lab.probe.open();
    let (threads, jobs) = (6_i64, 60);
    let text = document(&["Talk", "Gate", "Pass", "Fail", "Pass"], &[(1, 2), (2, 3), (4, 5)]);
    let workflow = Workflow::from_json(&text).unwrap();
    std::thread::scope(|scope| {
        for owner in (0..threads).map(OwnerId) {
            let (service, workflow) = (&lab.service, &workflow);
            scope.spawn(move || {
                for i in 0..jobs {
                    let id = service.submit(owner, workflow.clone()).unwrap().wait().unwrap();
                    if i % 3 == 0 {
                        assert_ne!(service.delete(owner, id).unwrap(), Deletion::NotFound);
                    }
                    if i % 4 == 0 {
                        let events: Vec<_> = service
                            .subscribe(owner, id, 0)
                            .unwrap()
                            .into_iter()
                            .flatten()
                            .collect();
                        // Deleting may have come after the end: then the job is gone.
                        assert!(events.last().is_none_or(|event| event.name == "end"));
                        let numbers = events.iter().map(|event| event.number);
                        assert!(numbers.is_sorted_by(|a, b| a < b));
                    }
                    let listed = service.list(owner, None, 10).unwrap();
                    assert!(listed.windows(2).all(|pair| pair[0].id > pair[1].id));
                }
            });
        }
    });
    until(|| (lab.service.counts().queued, lab.service.counts().running) == (0, 0));
    let counts = lab.service.counts();
    assert_eq!(counts.completed, 0, "each has a block that fails, or is cancelled");
    assert_eq!(counts.failed + counts.cancelled, (threads * jobs).unsigned_abs());
    for owner in (0..threads).map(OwnerId) {
        let left = lab.service.list(owner, None, 1_000).unwrap();
        assert!(left.iter().all(|job| job.status.is_final() && job.ended.is_some()));
        assert_eq!(lab.service.delete_finished(owner).unwrap(), left.len());
    }
    assert!(lab.store.unfinished().unwrap().is_empty());
}
