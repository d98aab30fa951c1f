//! The interpreters behind Python modules: when the server starts them, whom they serve, and that
//! they end.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::{common, python_lab};

use std::time::{Duration, Instant};

use common::{Server, soon};
use eeg_workflow_core::runtime::sandbox::{Sandbox, SandboxKind};
use python_lab::*;
use serde_json::{Value, json};

#[test]
fn a_restarted_server_has_its_modules_and_starts_no_interpreter_until_one_is_needed() {
    let mut server = Server::start(&[]);
    assert!(server.python_processes().is_empty());
    let token = server.user("alice");
    assert!(server.python_processes().is_empty());
    uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &module(&["Begin"], SLEEP))]);
    server.terminate();
    soon("the interpreters end with the server", || server.python_processes().is_empty());
    // As a server leaves it that is killed while a module is imported.
    let orphan = server.folder().join("python/archives").join("0".repeat(64));
    std::fs::create_dir(&orphan).unwrap();
    let server = Server::start_in(server.data.clone(), &[]);
    assert!(server.modules(&token).contains(&"Lab.zip:Lab".to_owned()));
    assert!(!orphan.exists());
    soon("the sandbox is tried out", || server.log().matches("run in a sandbox").count() == 2);
    assert!(server.python_processes().is_empty());
    assert_eq!(run_block(&server, &token, "Begin", json!({}))["output"]["value"], "begun");
    assert!(!server.python_processes().is_empty());
    let metrics = server.get("/metrics").send().text();
    assert!(metrics.contains("eeg_python_workers{state=\"busy\"} 0"), "{metrics}");
    assert!(!metrics.contains("eeg_python_workers{state=\"idle\"} 0"), "{metrics}");
}

#[test]
fn a_job_whose_server_is_killed_leaves_no_process_and_completes_with_the_next_server() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let code = module(&["Begin", "Sleep"], SLEEP);
    uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &code)]);
    let lab = "Lab.zip:Lab";
    let blocks =
        [block(1, lab, "Begin", json!({})), block(2, lab, "Sleep", json!({"seconds": "2"}))];
    let document = workflow(&blocks, &[edge((1, "value"), (2, "value"))]);
    let job = server.schedule(&token, &document);
    soon("the first block is done", || {
        let details = server.get(&format!("/api/workflow/jobs/{job}")).token(&token).send().json();
        details["executionStatus"][0]["completed"] == true
    });
    assert!(!server.python_processes().is_empty());
    let of_server = server.folder().join("python/support-");
    let data = server.kill();
    soon("no process is left", || common::processes_with(&of_server.to_string_lossy()).is_empty());
    let server = Server::start_in(data, &[]);
    let details = server.finished(&token, job);
    assert_eq!(details["status"], "COMPLETED", "{details:#}");
    assert_eq!(details["executionStatus"][1]["output"]["value"], "slept");
}

#[test]
fn a_cancelled_job_ends_the_process_of_its_block() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &module(&["Sleep"], SLEEP))]);
    let sleeping = block(1, "Lab.zip:Lab", "Sleep", json!({"seconds": "600"}));
    let job = server.schedule(&token, &workflow(&[sleeping], &[]));
    let busy = |count: u32| {
        let line = format!("eeg_python_workers{{state=\"busy\"}} {count}");
        server.get("/metrics").send().text().lines().any(|one| one == line)
    };
    soon("the block runs", || busy(1));
    let started = Instant::now();
    let path = format!("/api/workflow/jobs/{job}/cancel");
    assert_eq!(server.request("POST", &path).token(&token).send().status, 202);
    assert_eq!(server.finished(&token, job)["status"], "CANCELLED");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    soon("its process ends", || busy(0));
    // Nobody waits for ten minutes: a worker that sleeps is not among those that are left.
    assert!(server.python_processes().len() <= 2, "{:?}", server.python_processes());
}

#[test]
fn jobs_of_two_users_never_share_an_interpreter() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let code = "
seen = []

class Remember(Block):
    def __init__(self):
        self.what = BlockParameter('what', ParameterType.STRING, '')
    def input_params(self, data):
        self.data = data['what']
    def execute(self):
        seen.append(self.data)
        return ' '.join(seen), 'STRING'
";
    let files = [("Lab/__init__.py", module(&["Remember"], code))];
    let archive = common::zip(&[(files[0].0, &files[0].1)]);
    let upload = server.post("/api/workflow/upload").token(&alice);
    let reply = upload.multipart(&[("public", "true")], &[("file", "Lab.zip", &archive)]).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut all = Vec::new();
    for _ in 0..4 {
        for (token, name, other) in [(&alice, "of-alice", "of-bob"), (&bob, "of-bob", "of-alice")] {
            let shown = run_block(&server, token, "Remember", json!({"what": name}));
            let text = shown["output"]["value"].as_str().unwrap().to_owned();
            assert!(text.contains(name) && !text.contains(other), "{text}");
            all.push(text);
        }
    }
    // Otherwise nothing would have been shown: interpreters are used again.
    assert!(all.iter().any(|text| text.contains(' ')), "{all:?}");
}

#[test]
fn an_import_that_never_ends_is_ended() {
    let server = Server::start(&["--python-import-timeout", "2"]);
    let token = server.user("alice");
    let endless = "import time\nprint('waiting', flush=True)\ntime.sleep(600)\n";
    let reply = server.upload(&token, "Lab.zip", &[("Lab/__init__.py", endless)]);
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.error().contains("not loaded within 2 s"), "{}", reply.error());
    assert_eq!(reply.json()["details"], "waiting");
    soon("its process ends", || server.python_processes().is_empty());
}

#[test]
fn every_sandbox_that_works_here_runs_modules_and_leaves_no_process_of_a_killed_server() {
    let kinds = [
        ("bubblewrap", SandboxKind::Bubblewrap),
        ("landlock", SandboxKind::Landlock),
        ("none", SandboxKind::None),
    ];
    for (name, kind) in kinds {
        if let Err(error) = Sandbox::new(kind) {
            eprintln!("skipped: {name}: {error}");
            continue;
        }
        let server = Server::start(&["--python-sandbox", name, "--allow-unsandboxed-python"]);
        let token = server.user("alice");
        uploaded(&server, &token, "Lab.zip", &everything());
        let code = module(&["Begin", "Sleep"], SLEEP);
        uploaded(&server, &token, "Time.zip", &[("Time/__init__.py", &code)]);
        let put = server.request("PUT", "/api/files/one.txt").token(&token);
        assert_eq!(put.body("application/octet-stream", "found").send().status, 201);
        let values = json!({"file": "Home/one.txt", "files": []});
        let made = run_block(&server, &token, "Make", values);
        assert_eq!(made["stderr"], "", "{name}: {made}");
        let sleeping = block(1, "Time.zip:Time", "Sleep", json!({"seconds": "600"}));
        server.schedule(&token, &workflow(&[sleeping], &[]));
        soon("the block runs", || server.get("/metrics").send().text().contains("busy\"} 1"));
        let of_server = server.folder().join("python/support-");
        let _data = server.kill();
        soon(&format!("{name}: no process is left"), || {
            common::processes_with(&of_server.to_string_lossy()).is_empty()
        });
    }
}

#[test]
fn a_job_that_runs_when_its_module_is_removed_goes_on_to_its_end() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    // What the last blocks need is imported only then, and in several interpreters.
    let code = module(
        &["Begin", "Slow", "Late"],
        &format!(
            "{SLEEP}
class Slow(Begin):
    def __init__(self):
        self.inp = BlockInput('value', 1, 1, ParameterType.STRING)
        super().__init__()
    def execute(self):
        time.sleep(1)
        return super().execute()

class Late(Slow):
    def execute(self):
        from .late import text
        time.sleep(0.5)
        return text, 'STRING'
"
        ),
    );
    let files = [("Lab/__init__.py", code.as_str()), ("Lab/late.py", "text = 'late'\n")];
    uploaded(&server, &token, "Lab.zip", &files);
    let lab = "Lab.zip:Lab";
    let blocks: Vec<Value> = [block(1, lab, "Begin", json!({}))]
        .into_iter()
        .chain([block(2, lab, "Slow", json!({}))])
        .chain((3..7).map(|id| block(id, lab, "Late", json!({}))))
        .collect();
    let edges: Vec<Value> =
        (2..7).map(|id| edge((if id == 2 { 1 } else { 2 }, "value"), (id, "value"))).collect();
    let job = server.schedule(&token, &workflow(&blocks, &edges));
    soon("the first block is done", || {
        let details = server.get(&format!("/api/workflow/jobs/{job}")).token(&token).send().json();
        details["executionStatus"][0]["completed"] == true
    });
    let remove = server.request("DELETE", "/api/workflow/modules/Lab.zip").token(&token);
    assert_eq!(remove.send().status, 200);
    assert!(!server.modules(&token).contains(&lab.to_owned()));
    let details = server.finished(&token, job);
    assert_eq!(details["status"], "COMPLETED", "{details:#}");
    let archives = server.folder().join("python/archives");
    soon("its code is removed with the job", || std::fs::read_dir(&archives).unwrap().count() == 0);
}
