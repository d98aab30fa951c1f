//! What is refused, and how: every refusal is JSON with a status of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Reply, Server, addition};

#[test]
fn unknown_addresses_and_methods_are_refused_as_json() {
    let server = Server::start(&[]);
    for path in [
        "/x",
        "/api",
        "/api/users",
        "/api/workflow/nope",
        "//",
        "/..",
        "/api/users/login/x",
        "/%ff",
    ] {
        let reply = server.get(path).send();
        assert_eq!((reply.status, reply.error().is_empty()), (404, false), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/api/users/login", "POST, OPTIONS"),
        ("PATCH", "/api/workflow/schedule", "POST, GET, HEAD, DELETE, OPTIONS"),
        ("DELETE", "/healthz", "GET, HEAD, OPTIONS"),
        ("BREW", "/api/files/a/b", "GET, HEAD, PUT, POST, DELETE, OPTIONS"),
    ] {
        let reply = server.request(method, path).send();
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
        assert!(!reply.error().is_empty());
        let options = server.request("OPTIONS", path).send();
        assert_eq!((options.status, options.header("allow")), (200, Some(allow)));
    }
    let head = server.request("HEAD", "/healthz/").send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    let id = head.header("x-request-id").unwrap().to_owned();
    assert_ne!(server.get("/healthz").send().header("x-request-id"), Some(id.as_str()));
}

#[test]
fn bodies_of_the_wrong_kind_or_size_are_refused_with_their_names() {
    let server = Server::start(&["--max-workflow", "10K", "--max-archive", "10K"]);
    let token = server.user("alice");
    let post = |content_type: &str, body: &str| {
        server.post("/api/workflow/schedule").token(&token).body(content_type, body).send()
    };
    assert_eq!(post("text/plain", "x").status, 415);
    assert_eq!(post("application/xml", "<x/>").status, 415);
    assert_eq!(post("application/json", "{").status, 400);
    assert_eq!(post("application/json", "[]").status, 400);
    assert_eq!(post("application/json", "\u{0}").status, 400);
    assert_eq!(post("multipart/form-data", "x").status, 400);
    assert_eq!(post("multipart/form-data; boundary=b", "nothing of it").status, 400);
    assert_eq!(
        post(
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"workflow\"\r\n\r\ncut"
        )
        .status,
        400
    );
    let binary: [(&str, &str, &[u8]); 1] = [("workflow", "w", b"\xff\xfe")];
    let reply = server.post("/api/workflow/schedule").token(&token).multipart(&[], &binary).send();
    assert_eq!((reply.status, reply.error().contains("UTF-8")), (400, true));

    let large = "x".repeat(20_000);
    for (path, field) in [
        ("/api/workflow/schedule", "workflow"),
        ("/api/workflow/upload", "file"),
        ("/api/workflow/validate", "workflow"),
    ] {
        let reply = server.post(path).token(&token).form(&[(field, &large)]).send();
        assert_eq!(
            (reply.status, reply.error().contains("10240 bytes")),
            (413, true),
            "{}",
            reply.text()
        );
    }
    let huge = "x".repeat(3_000_000);
    let reply = server.post("/api/users/login").form(&[("email", &huge)]).send();
    assert_eq!(reply.status, 413);
    // Without a length nothing is known before: what comes is counted.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "POST /api/users/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .unwrap();
    for _ in 0..20 {
        let _ = write!(stream, "2000\r\n{}\r\n", "x".repeat(0x2000));
    }
    assert_eq!(Reply::read(&mut stream, false).status, 413);
    // And the server goes on.
    assert_eq!(server.schedule(&token, &addition()), 1);
}

#[test]
fn heads_of_the_wrong_kind_or_size_are_refused() {
    let server = Server::start(&[]);
    let send = |head: &str| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let _ = stream.write_all(head.as_bytes());
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Reply::parse(&bytes, false)
    };
    let many: String = (0..200).map(|i| format!("X-{i}: y\r\n")).collect();
    assert_eq!(send(&format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).status, 431);
    let long = "y".repeat(100_000);
    assert_eq!(send(&format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n")).status, 431);
    assert!(matches!(send(&format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n")).status, 414 | 431));
    assert_eq!(send("nonsense\r\n\r\n").status, 400);
    assert_eq!(server.get("/healthz").send().status, 200);
}

#[test]
fn slow_clients_are_timed_out() {
    let server = Server::start(&["--head-timeout", "1", "--body-timeout", "1"]);
    let talk = |text: &str| {
        let started = Instant::now();
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.read_to_end(&mut bytes).unwrap();
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        bytes
    };
    assert_eq!(
        Reply::parse(&talk("GET / HTTP/1.1\r\nHost: x\r\nX-Slow"), false).error(),
        "the request did not arrive in time"
    );
    let body = "POST /api/users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    assert_eq!(Reply::parse(&talk(body), false).status, 408);
    // A connection that says nothing is closed without a word.
    assert!(talk("").is_empty());
}

#[test]
fn a_client_that_takes_nothing_does_not_keep_its_place() {
    let server = Server::start(&["--max-connections", "1", "--body-timeout", "1"]);
    let token = server.user("alice");
    let put = server.request("PUT", "/api/files/large").token(&token);
    let body = vec![0; 32 << 20];
    assert_eq!(put.body("application/octet-stream", body).send().status, 201);
    // It has asked for more than the system keeps for it, and does not read.
    let stuck = server.get("/api/files/large").token(&token).open();
    let started = Instant::now();
    assert_eq!(server.get("/healthz").send().status, 200);
    assert!(started.elapsed() < Duration::from_secs(10));
    drop(stuck);
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::start(&[]);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).unwrap();
        let reply = Reply::parse(&bytes[..count], false);
        assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"status":"ok"}"#));
    }
}

#[test]
fn what_the_server_counts_can_be_read() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let job = server.schedule(&token, &addition());
    server.finished(&token, job);
    server.get("/nope").send();
    let page = server.get("/metrics").send();
    assert!(page.header("content-type").unwrap().starts_with("text/plain"));
    let text = page.text();
    for line in [
        "eeg_http_requests_total{method=\"POST\",route=\"/api/users/register\",status=\"201\"} 1",
        "eeg_http_requests_total{method=\"POST\",route=\"/api/workflow/schedule\",status=\"200\"} 1",
        "eeg_http_requests_total{method=\"\",route=\"none\",status=\"404\"} 1",
        "eeg_jobs_finished_total{state=\"completed\"} 1",
        "eeg_jobs{state=\"running\"} 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(text.contains("eeg_http_request_duration_seconds_bucket{le=\"+Inf\"}"));
    let memory = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    assert!(memory.unwrap().parse::<u64>().unwrap() > 1_000_000);
    // Every line is a comment or a name, labels and a number.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
    }
    let about = server.get("/").send().json();
    assert_eq!(about["name"], "eeg-workflow-server");
    let description = server.get("/api/openapi.json").send().json();
    assert_eq!(description["openapi"], "3.1.0");
}

#[test]
fn logs_are_lines_of_json_with_the_ids_of_requests_and_jobs() {
    let server = Server::start(&["--log-format", "json", "--log", "debug"]);
    let token = server.user("alice");
    let reply = server.post("/api/workflow/schedule").token(&token).json(addition()).send();
    let id = reply.header("x-request-id").unwrap().to_owned();
    let log = server.log();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["request"] == *id && line["job"] == 1), "{log}");
    assert!(lines.iter().any(|line| line["request"] == *id && line["status"] == 200), "{log}");
}

#[test]
fn times_that_no_clock_can_express_are_for_ever() {
    let most = u64::MAX.to_string();
    let mut options = Vec::new();
    for name in [
        "--run-deadline",
        "--block-deadline",
        "--head-timeout",
        "--body-timeout",
        "--token-lifetime",
        "--grace",
        "--python-import-timeout",
        "--python-idle",
    ] {
        options.extend([name, most.as_str()]);
    }
    let mut server = Server::start(&options);
    let token = server.user("alice");
    for _ in 0..2 {
        let job = server.schedule(&token, &addition());
        assert_eq!(server.finished(&token, job)["status"], "COMPLETED");
    }
    assert_eq!(server.get("/healthz").send().status, 200);
    assert!(server.terminate().success());
}

/// What the server answers to these bytes.
fn raw(server: &Server, request: &str) -> Reply {
    let mut stream = server.get("/healthz").header("connection", "close").open();
    let mut before = Vec::new();
    stream.read_to_end(&mut before).unwrap();
    let mut stream = TcpStream::connect(stream.peer_addr().unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    Reply::parse(&answer, false)
}

#[test]
fn a_request_names_its_host_once() {
    let server = Server::start(&[]);
    let get = "GET /healthz HTTP/1.1\r\nConnection: close\r\n";
    assert_eq!(raw(&server, &format!("{get}\r\n")).status, 400);
    assert_eq!(raw(&server, &format!("{get}Host: a\r\nHost: b\r\n\r\n")).status, 400);
    assert_eq!(raw(&server, &format!("{get}Host: a\r\n\r\n")).status, 200);
    assert_eq!(raw(&server, "GET /healthz HTTP/1.0\r\n\r\n").status, 200);
    let all = "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(&server, all).status, 200);
}

#[test]
fn a_json_form_has_a_limit_of_members_and_answers_do_not_echo_long_values() {
    let server = Server::start(&[]);
    let token = server.user("ann");
    let members: Vec<String> = (0..300).map(|number| format!("\"m{number}\": 1")).collect();
    let body = format!("{{{}}}", members.join(","));
    let reply = server.post("/api/workflow/jobs").token(&token).json(body).send();
    assert_eq!(reply.status, 400);
    assert!(reply.error().contains("members"), "{}", reply.error());
    let long = "x".repeat(20_000);
    let request = server.post("/api/workflow/jobs").token(&token).body(&format!("a/{long}"), "x");
    let reply = request.send();
    assert_eq!(reply.status, 415);
    assert!(reply.body.len() < 10_000, "{}", reply.body.len());
    assert!(server.log().lines().all(|line| line.len() < 4_000));
}

#[test]
fn what_is_outside_of_the_parts_of_a_form_is_limited() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let part = |head: &str, content: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"file\"{head}\r\n\r\n{content}\r\n")
    };
    let long = "x".repeat(3 << 20);
    let send = |path: &str, body: String| {
        let request = server.post(path).token(&token);
        request.body("multipart/form-data; boundary=b", body).send()
    };
    let good = part("; filename=\"a.bin\"", "content") + "--b--\r\n";
    for body in [
        format!("{long}\r\n{good}"),
        part(&format!("; filename=\"a.bin\"\r\nX-Long: {long}"), "content") + "--b--\r\n",
        part("", "").repeat(30_000) + &good,
        long.clone(),
    ] {
        for path in ["/api/files", "/api/files/one.bin", "/api/workflow/schedule"] {
            let reply = send(path, body.clone());
            let start: String = body.chars().take(60).collect();
            assert_eq!(reply.status, 400, "{path} {start}: {}", reply.text());
        }
    }
    // A large content is not outside, nor is what is usual.
    let large = part("; filename=\"large.bin\"", &"y".repeat(40 << 20));
    let reply = send("/api/files", format!("a preamble\r\n{large}{good}the end"));
    assert_eq!(reply.status, 201, "{}", reply.text());
    let sizes: Vec<u64> = reply
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["size"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [40 << 20, 7]);
    assert_eq!(server.get("/healthz").send().status, 200);
}
