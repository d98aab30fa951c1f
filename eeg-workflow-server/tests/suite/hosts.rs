//! By which names the server may be called, and from which pages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::io::Write;
use std::net::TcpStream;

use common::{Reply, Server};

fn get(server: &Server, target: &str, headers: &str) -> Reply {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").unwrap();
    Reply::read(&mut stream, false)
}

#[test]
fn a_name_that_is_not_the_servers_is_refused() {
    let server = Server::start(&["--allowed-host", "eeg.example.org"]);
    let status =
        |host: &str| get(&server, "/api/openapi.json", &format!("Host: {host}\r\n")).status;
    let port = server.address.rsplit(':').next().unwrap();
    for own in [
        "127.0.0.1",
        "192.0.2.7:80",
        "[2001:db8::1]:8080",
        "localhost",
        "labserver",
        "EEG.example.org",
    ] {
        assert_eq!(status(own), 200, "{own}");
        assert_eq!(status(&format!("{}:{port}", own.split(":8").next().unwrap())), 200, "{own}");
    }
    for foreign in ["evil.example", "127.0.0.1.evil.example", "example.org", "xeeg.example.org"] {
        assert_eq!(status(foreign), 403, "{foreign}");
    }
    let refused = get(&server, "/", "Host: rebound.evil.example\r\n");
    assert!(
        refused.error().contains("rebound.evil.example") && refused.error().contains("--origin")
    );
    // A rebound page cannot register or log in either.
    let fields = [("email", "a@b.c"), ("username", "a"), ("password", "p")];
    let mut request = server.post("/api/users/register").form(&fields);
    request.replace_host("evil.example");
    assert_eq!(request.send().status, 403);
    // The target of a request counts too.
    assert_eq!(get(&server, "http://evil.example/", "Host: 127.0.0.1\r\n").status, 403);
    assert_eq!(get(&server, "/healthz", "Host: backend-7.example.net\r\n").status, 403);
    assert_eq!(get(&server, "/", "Host: a@127.0.0.1\r\n").status, 400);
}

#[test]
fn a_proxy_in_front_is_named_by_its_origin() {
    let server = Server::start(&["--origin", "https://lab.example.org", "--behind-proxy"]);
    let post = |origin: &str| {
        let fields = [("email", "x@y.z"), ("password", "wrong")];
        let mut request = server.post("/api/users/login").form(&fields).header("Origin", origin);
        request.replace_host("lab.example.org");
        let reply = request.send();
        (reply.status, reply.error().contains("another site"))
    };
    assert_eq!(post("https://lab.example.org"), (403, false), "only the password is wrong");
    // A page that somebody on the way has put there without TLS is another site.
    assert_eq!(post("http://lab.example.org"), (403, true));
    assert_eq!(post("https://lab.example.org:8443"), (403, true));

    let wrong = std::process::Command::new(common::PROGRAM)
        .args(["--origin", "lab.example.org"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("not an origin"));
}
