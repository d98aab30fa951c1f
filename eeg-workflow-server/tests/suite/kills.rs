//! The server is killed at any moment, or its disk is full: what it has answered still holds.
//!
//! `EEG_KILL_ROUNDS` is how often it is killed (5 unless it is set).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use crate::support::common;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{PROGRAM, Server, addition};
use serde_json::Value;
use tempfile::TempDir;

/// What a client was told of a job.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Accepted,
    /// It is to end as cancelled.
    Cancelled,
    /// The details of its end.
    Ended(Value),
    Deleted,
    /// It was asked to be cancelled or deleted, and there was no answer.
    Unknown,
}

type Ledger = BTreeMap<i64, Told>;

/// How much happened in all rounds.
#[derive(Debug, Default)]
struct Counts {
    rounds: u32,
    accepted: usize,
    cancelled: usize,
    ended: usize,
    deleted: usize,
}

/// The same numbers at each run.
struct Random(AtomicU64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn below(&self, end: u64) -> u64 {
        let next = |seed: u64| {
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
        };
        let before = self.0.fetch_update(Relaxed, Relaxed, |seed| Some(next(seed)));
        (next(before.unwrap()) >> 33) % end
    }
}

/// One client: submits, follows, cancels and deletes until the server is gone.
fn client(server: &Server, token: &str, ledger: &Mutex<Ledger>, random: Random) {
    while one_job(server, token, ledger, &random).is_some() {}
}

/// One job of a client; none if the server is gone.
fn one_job(server: &Server, token: &str, ledger: &Mutex<Ledger>, random: &Random) -> Option<()> {
    let document = if random.below(12) == 0 { common::plots(1) } else { addition() };
    let schedule = server.post("/api/workflow/schedule").token(token);
    let reply = schedule.form(&[("workflow", &document)]).try_send()?;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let job = reply.json()["job_id"].as_i64().unwrap();
    let set = |told| ledger.lock().unwrap().insert(job, told);
    set(Told::Accepted);
    let path = format!("/api/workflow/jobs/{job}");
    match random.below(4) {
        0 => {
            set(Told::Unknown);
            let cancel = server.request("POST", &format!("{path}/cancel")).token(token);
            // 200: it had ended.
            let is_cancelled = cancel.try_send()?.status == 202;
            set(if is_cancelled { Told::Cancelled } else { Told::Accepted });
        }
        1 => {}
        _ => {
            let mut details = Value::Null;
            for _ in 0..20 {
                details = server.get(&path).token(token).try_send()?.json();
                if details["status"] != "RUNNING" {
                    break;
                }
            }
            if details["status"] == "RUNNING" {
                return Some(());
            }
            set(Told::Ended(details));
            if random.below(3) == 0 {
                set(Told::Unknown);
                let reply = server.request("DELETE", &path).token(token).try_send()?;
                assert_eq!(reply.status, 200, "{}", reply.text());
                set(Told::Deleted);
            }
        }
    }
    Some(())
}

/// What the server says now must be what it said before.
fn check(server: &Server, token: &str, ledger: &Ledger) {
    for (job, told) in ledger {
        let reply = server.get(&format!("/api/workflow/jobs/{job}")).token(token).send();
        match told {
            Told::Accepted => assert_eq!(reply.status, 200, "job {job} is lost"),
            Told::Cancelled => assert_eq!(reply.json()["status"], "CANCELLED", "job {job}"),
            Told::Ended(details) => {
                assert_eq!(reply.json(), *details, "job {job} has ended once more");
                for block in details["executionStatus"].as_array().unwrap() {
                    if let Some(file) = block["output"]["value"]["filename"].as_str() {
                        let path = format!("/api/workflow/file/{job}/{file}");
                        assert_eq!(server.get(&path).token(token).send().status, 200, "{path}");
                    }
                }
            }
            Told::Deleted => assert_eq!(reply.status, 404, "job {job} is back"),
            Told::Unknown => assert!([200, 404].contains(&reply.status), "job {job}"),
        }
    }
}

#[test]
fn a_server_that_is_killed_at_any_moment_keeps_what_it_has_answered() {
    let rounds = std::env::var("EEG_KILL_ROUNDS").map_or(5, |text| text.parse().unwrap());
    let options = ["--max-runs", "4", "--threads", "2"];
    let mut server = Server::start(&options);
    let token = server.user("alice");
    let mut counts = Counts::default();
    let random = Random::new(2024);
    for _ in 0..rounds {
        let ledger = Mutex::new(Ledger::new());
        let pause = Duration::from_micros(random.below(400_000));
        let data = std::thread::scope(|scope| {
            let shared = &server;
            let clients: Vec<_> = (0..3)
                .map(|_| {
                    let (token, ledger) = (&token, &ledger);
                    let random = Random::new(random.below(1 << 30));
                    scope.spawn(move || client(shared, token, ledger, random))
                })
                .collect();
            std::thread::sleep(pause);
            shared.signal("KILL");
            clients.into_iter().for_each(|client| client.join().unwrap());
            server.data.clone()
        });
        drop(server);
        server = Server::start_in(data, &options);
        let ledger = ledger.into_inner().unwrap();
        check(&server, &token, &ledger);
        counts.rounds += 1;
        counts.accepted += ledger.len();
        let count = |is: fn(&Told) -> bool| ledger.values().filter(|told| is(told)).count();
        counts.cancelled += count(|told| *told == Told::Cancelled);
        counts.ended += count(|told| matches!(told, Told::Ended(_)));
        counts.deleted += count(|told| *told == Told::Deleted);
        if counts.rounds == rounds {
            all_end(&server, &token);
            check(&server, &token, &ledger);
        }
    }
    eprintln!("{counts:?}");
    assert!(counts.accepted > 0, "{counts:?}");
}

/// Nothing stays RUNNING for ever.
fn all_end(server: &Server, token: &str) {
    let started = Instant::now();
    let running = || {
        let list = server.get("/api/workflow/schedule").token(token).send().json();
        list.as_array().unwrap().iter().filter(|job| job["status"] == "RUNNING").count()
    };
    while running() > 0 {
        assert!(started.elapsed() < Duration::from_secs(120), "{} jobs run", running());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn numbers_of_events_do_not_come_again_after_a_kill() {
    let server = Server::start(&["--threads", "1"]);
    let token = server.user("alice");
    let job = server.schedule(&token, &common::plots(400));
    let path = format!("/api/workflow/jobs/{job}/events");
    let numbers = |server: &Server, after: Option<u64>| -> Vec<(u64, String)> {
        let mut request = server.get(&path).token(&token);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", &after.to_string());
        }
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(request.open()));
        let mut next = |prefix: &str| {
            lines.by_ref().find_map(|line| Some(line.ok()?.strip_prefix(prefix)?.to_owned()))
        };
        (0..5).map_while(|_| Some((next("id: ")?.parse().ok()?, next("event: ")?))).collect()
    };
    let before = numbers(&server, None);
    assert_eq!(before.len(), 5);
    let last = before.last().unwrap().0;
    let server = Server::start_in(server.kill(), &["--threads", "1"]);
    let after = numbers(&server, Some(last));
    assert_eq!(after[0].1, "snapshot", "{after:?}");
    assert!(after.iter().all(|(number, _)| *number > last), "{before:?} {after:?}");
    server.request("POST", &format!("/api/workflow/jobs/{job}/cancel")).token(&token).send();
}

/// A server whose data folder is a disk of this size of its own.
fn on_a_small_disk(bytes: u32, options: &[&str]) -> Option<Server> {
    let works = Command::new("bwrap").args(["--dev-bind", "/", "/", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("bubblewrap makes the small disk of this test, and does not work here");
        return None;
    }
    let folder = Arc::new(TempDir::new().unwrap());
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut command = Command::new("bwrap");
    command.args(["--dev-bind", "/", "/", "--die-with-parent", "--perms", "0700"]);
    command.args(["--size", &bytes.to_string(), "--tmpfs"]).arg(&data).arg(PROGRAM);
    Some(Server::start_by(command, folder, options))
}

#[test]
fn on_a_full_disk_nothing_is_acknowledged_deleting_works_and_then_all_is_well() {
    let Some(server) = on_a_small_disk(24 << 20, &[]) else { return };
    let token = server.user("alice");
    let kept = server.schedule(&token, &common::plots(1));
    let ended = server.finished(&token, kept);
    let doomed = server.schedule(&token, &addition());
    server.finished(&token, doomed);
    let put = |name: &str, bytes: usize| {
        let request = server.request("PUT", &format!("/api/files/{name}")).token(&token);
        request.body("application/octet-stream", vec![7; bytes]).send().status
    };
    // Large files, then small ones, until not even a page is left.
    for (at, bytes) in [4 << 20, 1 << 20, 64 << 10, 4 << 10].into_iter().enumerate() {
        let stored = (0..100).take_while(|n| put(&format!("f{at}-{n}"), bytes) == 201).count();
        assert!(stored < 100, "the disk does not fill");
    }
    // What is taken is stored; at some point nothing is taken, with a reason and not for ever.
    let mut taken = Vec::new();
    let refused = (0..2_000).find_map(|_| {
        let request = server.post("/api/workflow/schedule").token(&token);
        let reply = request.form(&[("workflow", &common::plots(1))]).send();
        if reply.status == 200 {
            taken.push(reply.json()["job_id"].as_i64().unwrap());
            return None;
        }
        Some(reply)
    });
    let refused = refused.expect("a full disk takes no jobs");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(server.get("/healthz").send().status, 503);
    assert!(server.log().contains("could not be stored"), "{}", server.log());
    // What was told before still holds, and can be deleted.
    let details = server.get(&format!("/api/workflow/jobs/{kept}")).token(&token).send().json();
    assert_eq!(details, ended);
    let path = format!("/api/workflow/jobs/{doomed}");
    let reply = server.request("DELETE", &path).token(&token).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(server.get(&path).token(&token).send().status, 404);
    // With room again it goes on by itself.
    let reply = server.request("DELETE", "/api/files/f0-0").token(&token).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    common::soon("it is well again", || server.get("/healthz").send().status == 200);
    for job in taken {
        assert_ne!(server.finished(&token, job)["status"], "RUNNING");
    }
    let job = server.schedule(&token, &addition());
    assert_eq!(server.finished(&token, job)["status"], "COMPLETED");
}
