//! The events of jobs as server-sent events.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use common::{Server, addition};
use serde_json::Value;

#[derive(Debug, PartialEq)]
struct Event {
    id: u64,
    name: String,
    data: Value,
}

fn parse(text: &str) -> Vec<Event> {
    let event = |part: &str| {
        let field = |name: &str| {
            part.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        Event {
            id: field("id: ").parse().unwrap(),
            name: field("event: "),
            data: serde_json::from_str(&field("data: ")).unwrap(),
        }
    };
    text.split_terminator("\n\n").filter(|part| !part.starts_with(':')).map(event).collect()
}

#[test]
fn events_come_numbered_to_the_end_and_can_be_taken_up_again() {
    let server = Server::start(&["--threads", "1"]);
    let token = server.user("alice");
    let job = server.schedule(&token, &common::plots(3));
    let path = format!("/api/workflow/jobs/{job}/events");
    let reply = server.get(&path).token(&token).send();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/event-stream")));
    let events = parse(&reply.text());
    assert!(events.windows(2).all(|two| two[0].id < two[1].id), "{events:?}");
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data["status"]), ("end", &"COMPLETED".into()));

    let again = server.get(&path).token(&token).header("Last-Event-ID", &(last.id - 1).to_string());
    assert_eq!(
        parse(&again.send().text()),
        [Event { id: last.id, name: "end".into(), data: last.data.clone() }]
    );
    let nothing =
        server.get(&path).token(&token).header("Last-Event-ID", &last.id.to_string()).send();
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
    let wrong = server.get(&path).token(&token).header("Last-Event-ID", "x").send();
    assert_eq!(wrong.status, 400);
    assert_eq!(server.get(&path).send().status, 403);
}

#[test]
fn a_finished_job_is_told_at_once() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let job = server.schedule(&token, &addition());
    server.finished(&token, job);
    let server = Server::start_in(server.kill(), &[]);
    let path = format!("/api/workflow/jobs/{job}/events");
    let events = parse(&server.get(&path).token(&token).send().text());
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["snapshot", "end"]);
    let blocks = events[0].data["blocks"].as_array().unwrap();
    assert_eq!(blocks[2]["output"]["value"], "{'output': 70}");
}

#[test]
fn events_arrive_while_the_job_runs_and_end_when_the_server_stops() {
    let mut server = Server::start(&["--threads", "1", "--grace", "1"]);
    let token = server.user("alice");
    let job = server.schedule(&token, &common::plots(400));
    let stream = server.get(&format!("/api/workflow/jobs/{job}/events")).token(&token).open();
    let mut lines = BufReader::new(stream).lines();
    let mut next = |prefix: &str| {
        lines.by_ref().map(|line| line.unwrap()).find(|line| line.starts_with(prefix))
    };
    assert!(next("event: block").is_some());
    assert_eq!(
        server.get(&format!("/api/workflow/jobs/{job}")).token(&token).send().json()["status"],
        "RUNNING"
    );
    let started = Instant::now();
    assert!(server.terminate().success());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(next("event: end"), None);
}
