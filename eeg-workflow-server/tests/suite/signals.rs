//! Signals that stop the server, also when they reach all of its processes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Server, soon};
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

/// Sends a signal to the whole group while this job runs, waits for the end of the server, and
/// gives the job's status at the next one.
fn status_after(server: Server, name: &str, token: &str, job: i64) -> String {
    let data = server.data.clone();
    let started = Instant::now();
    signal_group(&server, name);
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
