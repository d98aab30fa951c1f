//! Who may read the metrics, and where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::io::Write;
use std::net::TcpStream;

use common::{Reply, Server};

#[test]
fn metrics_can_be_for_administrators_alone() {
    let server = Server::start(&["--metrics-for", "admins"]);
    let (admin, bob) = (server.user("alice"), server.user("bob"));
    assert_eq!(server.get("/metrics").send().status, 403);
    assert_eq!(server.get("/metrics").token(&bob).send().status, 403);
    let page = server.get("/metrics").token(&admin).send();
    assert_eq!(page.status, 200);
    assert!(page.text().contains("eeg_jobs"));
}

#[test]
fn metrics_can_be_served_at_an_address_of_their_own() {
    let mut server = Server::start(&["--metrics-listen", "127.0.0.1:0"]);
    let log = server.log();
    let address = log.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let host = "what-prometheus-calls-it.example.net";
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        Reply::read(&mut stream, false).status
    };
    assert_eq!([get("/metrics"), get("/healthz")], [200, 200]);
    assert_eq!([get("/api/openapi.json"), get("/api/users/details"), get("/")], [404, 404, 404]);
    assert_eq!(server.get("/metrics").send().status, 404);
    assert_eq!(server.get("/healthz").send().status, 200);
    assert!(server.terminate().success());
}
