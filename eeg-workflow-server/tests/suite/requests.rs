//! Heads of requests that are wrong in themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{Reply, Server};

/// What the server answers to these bytes, at the end of the connection.
fn raw(server: &Server, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn reply(server: &Server, request: &str) -> Reply {
    Reply::parse(&raw(server, request), false)
}

const LOGIN: &str = "POST /api/users/login HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/json\r\n";

#[test]
fn unknown_transfer_codings_are_not_implemented() {
    let server = Server::start(&[]);
    for coding in [
        "gzip, chunked",
        "gzip",
        "chunked, gzip",
        "xyz",
        "identity",
        "gzip\r\nTransfer-Encoding: chunked",
    ] {
        let request = format!("{LOGIN}Transfer-Encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
        let reply = reply(&server, &request);
        assert_eq!((reply.status, reply.error().contains("chunked")), (501, true), "{coding}");
    }
    let request = format!(
        "{LOGIN}Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    );
    assert_eq!(reply(&server, &request).error(), "the field \"email\" is missing");
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let server = Server::start(&[]);
    for lengths in [
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 2x\r\n",
        "Content-Length: \r\n",
    ] {
        let reply = reply(&server, &format!("{LOGIN}{lengths}\r\n{{}}"));
        assert_eq!((reply.status, reply.error().is_empty()), (400, false), "{lengths}");
    }
    let large = "Content-Length: 18446744073709551614\r\n";
    let status = reply(&server, &format!("{LOGIN}{large}\r\n{{}}")).status;
    assert!(matches!(status, 413 | 431), "{status}");
}

#[test]
fn every_head_that_cannot_be_read_is_answered_as_json() {
    let server = Server::start(&[]);
    let long = "y".repeat(100_000);
    for (request, statuses) in [
        ("nonsense\r\n\r\n".to_owned(), [400, 400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n".to_owned(), [400, 400]),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), [400, 400]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), [400, 400]),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), [400, 400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned(), [400, 400]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), [431, 431]),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), [414, 431]),
    ] {
        // A client that waits for the end without closing itself.
        let request = request.replace("Host: a\r\n", "Host: a\r\nConnection: close\r\n");
        let request =
            request.replacen("HTTP/1.1\r\n\r\n", "HTTP/1.1\r\nConnection: close\r\n\r\n", 1);
        let reply = reply(&server, &request);
        let start: String = request.chars().take(40).collect();
        assert!(statuses.contains(&reply.status), "{start}: {}", reply.status);
        assert!(!reply.error().is_empty(), "{start}: {}", reply.text());
    }
}

#[test]
fn what_cannot_be_read_after_a_good_request_is_answered_after_its_answer() {
    let server = Server::start(&[]);
    let good = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let bytes = raw(&server, &format!("{good}{good}nonsense\r\n\r\n"));
    let text = String::from_utf8(bytes).unwrap();
    let answers: Vec<&str> = text.matches("HTTP/1.1 200 OK").collect();
    assert_eq!((answers.len(), text.matches("HTTP/1.1 400").count()), (2, 1), "{text}");
}

#[test]
fn options_of_the_whole_server_are_answered() {
    let server = Server::start(&[]);
    let reply =
        reply(&server, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(reply.status, 200);
    assert!(reply.header("allow").unwrap().contains("DELETE"));
}
