//! Many connections: those that say nothing keep nobody out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Reply, Server, soon};
use tempfile::TempDir;

/// Connections that say nothing, or only the beginning of a request.
fn silent(server: &Server, count: usize) -> Vec<TcpStream> {
    (0..count)
        .map(|number| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            if number % 2 == 1 {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").unwrap();
            }
            stream
        })
        .collect()
}

#[track_caller]
fn answers_at_once(server: &Server) {
    let started = Instant::now();
    assert_eq!(server.get("/healthz").send().status, 200);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// A server whose shell sets a limit before.
fn limited(ulimit: &str, options: &[&str]) -> Server {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{ulimit}; exec \"$0\" \"$@\""), common::PROGRAM]);
    Server::start_by(command, Arc::new(TempDir::new().unwrap()), options)
}

#[test]
fn a_thousand_silent_connections_keep_nobody_out() {
    let server = Server::start(&[]);
    let idle = silent(&server, 1_100);
    answers_at_once(&server);
    drop(idle);
}

#[test]
fn silent_connections_give_way_when_there_are_too_many() {
    for options in [["--max-connections", "20"], ["--max-connections-per-address", "20"]] {
        let server = Server::start(&options);
        let mut idle = silent(&server, 100);
        answers_at_once(&server);
        // The oldest have gone, the newest are still there.
        let mut bytes = [0; 16];
        idle[0].set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(matches!(idle[0].read(&mut bytes), Ok(0) | Err(_)));
        let newest = idle.len() - 2;
        idle[newest]
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        assert_eq!(Reply::read(&mut idle[newest], false).status, 200);
    }
}

#[test]
fn running_out_of_files_stops_nothing_for_good() {
    let server = limited("ulimit -n 128", &[]);
    let idle = silent(&server, 400);
    answers_at_once(&server);
    answers_at_once(&server);
    drop(idle);
    answers_at_once(&server);
}

#[test]
fn the_limit_on_open_files_is_raised_at_the_start() {
    let server = limited("ulimit -Sn 100", &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    assert_ne!(numbers[0], "100");
}

#[test]
fn whoever_comes_when_all_places_are_busy_waits_for_one() {
    let server = Server::start(&["--max-connections", "2", "--threads", "1"]);
    let token = server.user("alice");
    let job = server.schedule(&token, &common::plots(2_000));
    let path = format!("/api/workflow/jobs/{job}/events");
    let mut streams: Vec<TcpStream> =
        (0..2).map(|_| server.get(&path).token(&token).open()).collect();
    let is_open = |stream: &mut TcpStream| {
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
    };
    streams.iter_mut().for_each(is_open);
    let late = server.get("/healthz").open();
    std::thread::sleep(Duration::from_millis(300));
    streams.pop();
    let mut late = late;
    assert_eq!(Reply::read(&mut late, false).status, 200);
    // Where none becomes free, that is the answer, and not silence.
    let mut second = server.get(&path).token(&token).open();
    is_open(&mut second);
    let started = Instant::now();
    let reply = Reply::read(&mut server.get("/healthz").open(), false);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.error().contains("too many connections"));
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
}

#[test]
fn event_streams_of_one_user_are_limited_and_keep_nobody_out() {
    let server = Server::start(&["--threads", "1"]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let job = server.schedule(&alice, &common::plots(2_000));
    let path = format!("/api/workflow/jobs/{job}/events");
    let mut open = Vec::new();
    let mut refused = None;
    for _ in 0..1_030 {
        let mut stream = server.get(&path).token(&alice).open();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        match &head {
            b"HTTP/1.1 200" => open.push(stream),
            b"HTTP/1.1 429" => refused = Some(stream),
            other => panic!("{:?}", String::from_utf8_lossy(other)),
        }
    }
    assert_eq!(open.len(), 128);
    let mut answer = String::new();
    refused.unwrap().read_to_string(&mut answer).unwrap();
    assert!(answer.contains("you have 128 event streams open"), "{answer}");
    answers_at_once(&server);
    let other = server.schedule(&bob, &common::addition());
    let stream = server.get(&format!("/api/workflow/jobs/{other}/events")).token(&bob).open();
    assert!(server.get("/metrics").send().text().contains("eeg_event_streams 12"));
    drop(stream);
    // A place becomes free with a stream that is closed.
    open.truncate(120);
    soon("there is a place again", || {
        let mut head = [0; 12];
        server.get(&path).token(&alice).open().read_exact(&mut head).unwrap();
        &head == b"HTTP/1.1 200"
    });
}

#[test]
fn requests_of_one_user_at_once_are_limited_and_keep_nobody_out() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    // Uploads of which nothing comes.
    let begin = |number: usize| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        write!(
            stream,
            "PUT /api/files/{number} HTTP/1.1\r\nHost: localhost\r\nCookie: token={alice}\r\n\
             Content-Length: 10\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream
    };
    let uploads: Vec<TcpStream> = (0..256).map(begin).collect();
    soon("all places are taken", || {
        server.get("/api/users/details").token(&alice).send().status == 429
    });
    let refused = server.get("/api/users/details").token(&alice).send();
    assert!(refused.error().contains("you have 256 requests in progress"), "{}", refused.text());
    assert_eq!(server.get("/api/files").token(&bob).send().status, 200);
    drop(uploads);
    soon("there are places again", || {
        server.get("/api/users/details").token(&alice).send().status == 200
    });
}

/// Begins to schedule a workflow of 60 MB, of which only this many bytes come.
fn begin_workflow(server: &Server, token: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "POST /api/workflow/schedule HTTP/1.1\r\nHost: localhost\r\nCookie: token={token}\r\n\
         Content-Type: application/json\r\nContent-Length: 60000000\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    // It may be refused before all of it has come.
    let _ = stream.write_all(&vec![b' '; bytes]);
    stream
}

#[test]
fn workflows_that_drip_in_keep_nobody_elses_out() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let dripping: Vec<TcpStream> =
        (0..40).map(|_| begin_workflow(&server, &alice, 1_000)).collect();
    let large =
        common::addition().replacen('{', &format!("{{\"note\":\"{}\",", "x".repeat(1 << 20)), 1);
    for token in [&bob, &alice] {
        let started = Instant::now();
        let job = server.schedule(token, &large);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!(server.finished(token, job)["status"], "COMPLETED");
    }
    drop(dripping);

    // What has really come counts: two of them are as much as one user may hold.
    let held: Vec<TcpStream> =
        (0..2).map(|_| begin_workflow(&server, &alice, 59_999_000)).collect();
    soon("they have come", || {
        server.get("/metrics").send().text().contains("eeg_form_bytes 119998000")
    });
    let mut third = begin_workflow(&server, &alice, 59_999_000);
    let reply = Reply::read(&mut third, false);
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert!(reply.error().contains("hold too much memory"), "{}", reply.text());
    let job = server.schedule(&bob, &large);
    assert_eq!(server.finished(&bob, job)["status"], "COMPLETED");
    drop(held);
    soon("the memory is free again", || {
        let request = server.post("/api/workflow/schedule").token(&alice);
        request.form(&[("workflow", &large)]).send().status == 200
    });
}
