//! Jobs outlive the server, however it ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::io::Write;
use std::time::{Duration, Instant};

use common::Server;

/// Pictures beside a sum, so that a job takes a while and has outputs to keep.
fn document() -> String {
    let plot =
        |id| common::arithmetic(id, "Plot", "{\"function equation\":\"x**2\",\"range\":\"100\"}");
    // Without optimisation a picture takes much longer.
    let count = if cfg!(debug_assertions) { 1 } else { 5 };
    let plots: String = (10..10 + count).map(|id| plot(id) + ",").collect();
    common::addition().replace("{\"blocks\":[", &format!("{{\"blocks\":[{plots}"))
}

fn list(server: &Server, token: &str) -> Vec<(i64, String)> {
    let list = server.get("/api/workflow/schedule").token(token).send().json();
    let jobs = list.as_array().unwrap().iter();
    jobs.map(|job| (job["id"].as_i64().unwrap(), job["status"].as_str().unwrap().to_owned()))
        .collect()
}

fn all_completed(server: &Server, token: &str, jobs: &[i64]) {
    let started = Instant::now();
    while list(server, token).iter().any(|(_, status)| status == "RUNNING") {
        assert!(started.elapsed() < Duration::from_secs(240), "{:?}", list(server, token));
        std::thread::sleep(Duration::from_millis(50));
    }
    let expected: Vec<(i64, String)> =
        jobs.iter().rev().map(|job| (*job, "COMPLETED".to_owned())).collect();
    assert_eq!(list(server, token), expected);
    for job in jobs {
        let details = server.finished(token, *job);
        assert_ne!(details["endTime"], "");
        for block in details["executionStatus"].as_array().unwrap() {
            assert_eq!(
                (&block["completed"], &block["error"]),
                (&true.into(), &false.into()),
                "{block}"
            );
            if let Some(file) = block["output"]["value"]["filename"].as_str() {
                let path = format!("/api/workflow/file/{job}/{file}");
                assert_eq!(server.get(&path).token(token).send().status, 200);
            }
        }
    }
}

#[test]
fn jobs_of_a_killed_server_are_taken_up_and_none_is_lost_or_run_twice() {
    let server = Server::start(&["--max-runs", "8", "--threads", "1"]);
    let token = server.user("alice");
    // Many clients at once, so that the jobs come faster than they can be done.
    let schedule = || (0..10).map(|_| server.schedule(&token, &document())).collect::<Vec<i64>>();
    let mut jobs: Vec<i64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..10).map(|_| scope.spawn(schedule)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    jobs.sort_unstable();
    let before = list(&server, &token);
    let running = before.iter().filter(|(_, status)| status == "RUNNING").count();
    assert!(running > 10, "only {running} of 100 jobs were left to be taken up");
    let server = Server::start_in(server.kill(), &["--max-runs", "8"]);
    all_completed(&server, &token, &jobs);
    // Numbers go on where they were.
    assert_eq!(server.schedule(&token, &common::addition()), jobs[99] + 1);
}

#[test]
fn a_terminated_server_lets_requests_finish_and_leaves_jobs_to_the_next_one() {
    let mut server = Server::start(&["--max-runs", "2", "--grace", "1"]);
    let token = server.user("alice");
    let jobs: Vec<i64> = (0..30).map(|_| server.schedule(&token, &document())).collect();
    assert!(server.terminate().success());
    let log = server.log();
    assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
    let server = Server::start_in(server.data.clone(), &[]);
    all_completed(&server, &token, &jobs);
}

#[test]
fn a_server_that_is_stopped_takes_no_more_connections_and_ends_at_once_when_idle() {
    let mut server = Server::start(&[]);
    let idle = std::net::TcpStream::connect(&server.address).unwrap();
    let mut half = std::net::TcpStream::connect(&server.address).unwrap();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: lo").unwrap();
    assert_eq!(server.get("/healthz").send().status, 200);
    let started = Instant::now();
    assert!(server.terminate().success());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(std::net::TcpStream::connect(&server.address).is_err());
    drop((idle, half));
}

#[test]
fn a_data_folder_whose_job_store_is_gone_is_refused_until_its_artifacts_are_discarded() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let job = server.schedule(&alice, &common::plots(1));
    let details = server.finished(&alice, job);
    let file = details["executionStatus"][0]["output"]["value"]["filename"].as_str().unwrap();
    let path = format!("/api/workflow/file/{job}/{file}");
    assert_eq!(server.get(&path).token(&alice).send().status, 200);
    let folder = server.folder();
    let data = server.kill();
    for name in ["jobs.db", "jobs.db-wal", "jobs.db-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    let mut command = std::process::Command::new(common::PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(&folder);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--discard-foreign-artifacts"), "{said}");
    let server = Server::start_in(data, &["--discard-foreign-artifacts"]);
    // The number comes again, for somebody else.
    let again = server.schedule(&bob, &common::workflow(&[], &[]));
    assert_eq!(again, job);
    server.finished(&bob, again);
    for token in [&alice, &bob] {
        assert_eq!(server.get(&path).token(token).send().status, 404);
    }
}

#[test]
fn only_the_newest_finished_jobs_are_kept_if_the_operator_says_so() {
    let server = Server::start(&["--keep-jobs", "2"]);
    let token = server.user("alice");
    let jobs: Vec<i64> = (0..5).map(|_| server.schedule(&token, &common::addition())).collect();
    common::soon("two are left", || {
        let left: Vec<i64> = list(&server, &token).iter().map(|(job, _)| *job).collect();
        left == [jobs[4], jobs[3]]
    });
}
