//! Signals that stop the server, also when they reach all of its processes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;
#[cfg(target_os = "linux")]
use crate::support::python_lab::{SLEEP, block, edge, module, uploaded, workflow};

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Server, soon};
#[cfg(target_os = "linux")]
use serde_json::json;
use tempfile::TempDir;

#[test]
fn a_hangup_stops_the_server_as_a_termination_does() {
    for name in ["HUP", "INT", "TERM"] {
        let server = Server::start(&["--grace", "1"]);
        let token = server.user("alice");
        let job = server.schedule(&token, &common::addition());
        server.finished(&token, job);
        let data = server.data.clone();
        server.signal(name);
        soon("the server ends", || std::net::TcpStream::connect(&server.address).is_err());
        soon("it says so", || server.log().contains("stopped"));
        drop(server);
        let server = Server::start_in(data, &[]);
        assert_eq!(server.finished(&token, job)["status"], "COMPLETED", "{name}");
    }
}

#[test]
fn a_server_that_nohup_has_started_outlives_its_terminal() {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", common::PROGRAM]);
    let server = Server::start_by(command, Arc::new(TempDir::new().unwrap()), &[]);
    server.signal("HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.get("/healthz").send().status, 200);
}

/// As `start_by`, in a process group of its own, as a terminal or a service manager has it.
fn in_a_group(options: &[&str]) -> Server {
    let mut command = Command::new(common::PROGRAM);
    command.process_group(0);
    Server::start_by(command, Arc::new(TempDir::new().unwrap()), options)
}

fn signal_group(server: &Server, name: &str) {
    let group = format!("-{}", server.pid());
    let status = Command::new("kill").args([&format!("-{name}"), "--", &group]).status().unwrap();
    assert!(status.success());
}

/// Sends a signal to the whole group while this job runs, and gives the job's status at the next
/// server.
fn status_after(server: Server, name: &str, token: &str, job: i64) -> String {
    signal_group(&server, name);
    status_at_the_next_server(server, token, job)
}

/// Waits for the end of a server that was told to stop, and gives the job's status, once it has
/// ended, at the next one.
fn status_at_the_next_server(server: Server, token: &str, job: i64) -> String {
    let (data, started) = (server.data.clone(), Instant::now());
    soon("the server ends", || server.log().contains("stopped"));
    // A second of grace, and what ending takes on a busy machine.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    drop(server);
    let server = Server::start_in(data, &[]);
    let details = server.finished(token, job);
    assert_ne!(details["endTime"], "");
    details["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_signal_to_the_whole_group_leaves_native_jobs_to_be_resumed() {
    let server = in_a_group(&["--grace", "1", "--threads", "1"]);
    let token = server.user("alice");
    let job = server.schedule(&token, &common::plots(8));
    assert_eq!(status_after(server, "INT", &token, job), "COMPLETED");
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_to_the_whole_group_leaves_python_jobs_to_be_resumed() {
    for name in ["INT", "TERM", "HUP"] {
        let server = in_a_group(&["--grace", "1"]);
        let (token, job) = sleeping(&server, 4);
        assert_eq!(status_after(server, name, &token, job), "COMPLETED", "{name}");
    }
}

/// A job whose first block is done and whose second one sleeps, and who asked for it.
#[cfg(target_os = "linux")]
fn sleeping(server: &Server, seconds: u32) -> (String, i64) {
    let token = server.user("alice");
    let code = module(&["Begin", "Sleep"], SLEEP);
    uploaded(server, &token, "Lab.zip", &[("Lab/__init__.py", &code)]);
    let (begin, sleep) = (json!({}), json!({"seconds": seconds.to_string()}));
    let blocks = [block(1, "Lab.zip:Lab", "Begin", begin), block(2, "Lab.zip:Lab", "Sleep", sleep)];
    let document = workflow(&blocks, &[edge((1, "value"), (2, "value"))]);
    let job = server.schedule(&token, &document);
    soon("the first block is done", || {
        let details = server.get(&format!("/api/workflow/jobs/{job}")).token(&token).send();
        details.json()["executionStatus"][0]["completed"] == true
    });
    (token, job)
}

/// Sends SIGTERM to the processes of the server's modules, then to these.
#[cfg(target_os = "linux")]
fn terminate_workers_and(server: &Server, others: &[u32]) {
    let workers = server.python_processes();
    assert!(!workers.is_empty());
    let processes = workers.iter().chain(others).map(u32::to_string);
    // Some end with others before it is their turn.
    let _ = Command::new("kill").arg("-TERM").args(processes).status().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_termination_of_all_processes_leaves_python_jobs_to_be_resumed() {
    let server = Server::start(&["--grace", "1"]);
    let (token, job) = sleeping(&server, 4);
    terminate_workers_and(&server, &[server.pid()]);
    assert_eq!(status_at_the_next_server(server, &token, job), "COMPLETED");
}

#[test]
#[cfg(target_os = "linux")]
fn a_block_whose_worker_alone_is_ended_has_failed() {
    let server = Server::start(&[]);
    let (token, job) = sleeping(&server, 60);
    terminate_workers_and(&server, &[]);
    let details = server.finished(&token, job);
    assert_eq!(details["status"], "FAILED", "{details:#}");
    assert_eq!(details["executionStatus"][1]["stderr"], "killed by signal 15", "{details:#}");
}
