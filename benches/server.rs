//! The server under load on loopback, beside a bare hyper + multer + JSON handler in the same
//! run. Bounded: it sends for some seconds a round, a fixed number of rounds, and ends.
//!
//! `cargo build --release && cargo bench -p benches --bench server`
//! (`EEG_WORKFLOW_SERVER` names another server binary.)
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);
const STORED: usize = 100_000;

fn main() {
    if std::env::args().any(|argument| argument == "bare") {
        return bare();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

/// A process that serves HTTP, ended when dropped.
struct Server {
    process: Child,
    address: String,
    started_in: Duration,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let start = Instant::now();
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { process, address, started_in: start.elapsed() }
    }

    fn eeg_workflow(data: &Path) -> Self {
        let beside = || {
            let bench = std::env::current_exe().unwrap();
            bench.ancestors().nth(2).unwrap().join("eeg-workflow-server")
        };
        let binary = std::env::var_os("EEG_WORKFLOW_SERVER").map_or_else(beside, PathBuf::from);
        assert!(binary.exists(), "build the server first: cargo build --release");
        let mut command = Command::new(binary);
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        Self::start(&mut command)
    }

    fn memory_mib(&self, key: &str) -> f64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        let kib: String = line.chars().filter(char::is_ascii_digit).collect();
        kib.parse::<f64>().unwrap_or(f64::NAN) / 1024.0
    }

    /// CPU seconds that the process has used.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The least that a server must do for the same request: read the form, parse the JSON, answer.
fn bare() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let service = service_fn(|request: Request<hyper::body::Incoming>| async {
                    let kind = request.headers()["content-type"].to_str().unwrap();
                    let boundary = multer::parse_boundary(kind).unwrap();
                    let body = request.into_body().into_data_stream();
                    let mut form = multer::Multipart::new(body, boundary);
                    let mut blocks = 0;
                    while let Some(field) = form.next_field().await.unwrap() {
                        let text = field.text().await.unwrap();
                        let document: Value = serde_json::from_str(&text).unwrap();
                        blocks = document["blocks"].as_array().map_or(0, Vec::len);
                    }
                    let answer = json!({ "job_id": blocks }).to_string();
                    let answer = Response::builder()
                        .header("content-type", "application/json")
                        .body(Full::new(Bytes::from(answer)));
                    Ok::<_, Infallible>(answer.unwrap())
                });
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}

/// A keep-alive connection that sends one request at a time.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(64 << 10) }
    }

    /// The status and the body.
    async fn send(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|n| n.trim().parse().ok()).unwrap_or(0);
            if self.buffer.len() >= end + 4 + length {
                return (status, self.buffer[end + 4..end + 4 + length].to_vec());
            }
        }
    }

    async fn json(&mut self, request: &[u8]) -> Value {
        let (_, body) = self.send(request).await;
        serde_json::from_slice(&body).unwrap_or_default()
    }
}

fn multipart(path: &str, cookie: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    body += "--frontier--\r\n";
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nCookie: token={cookie}\r\nContent-Type: \
         multipart/form-data; boundary=frontier\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn get(path: &str, cookie: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nCookie: token={cookie}\r\n\r\n").into_bytes()
}

/// The three-block example, padded by its positions and descriptions to about 2 KB.
fn example() -> String {
    let note = "x".repeat(300);
    let block = |id: u32, kind: &str, values: Value| {
        json!({"id": id, "x": -457.5000061035156, "y": -176, "type": kind,
               "module": "Arithmetic.zip:Arithmetic", "values": values, "note": note})
    };
    let edge = |id: u32, port: &str| {
        json!({"id": id, "block1": id, "connector1": ["output", "output"],
               "block2": 3, "connector2": [port, "input"]})
    };
    json!({"edges": [edge(1, "num1"), edge(2, "num2")], "blocks": [
        block(1, "Constant", json!({"constant value": "40"})),
        block(2, "Constant", json!({"constant value": "30"})),
        block(3, "Addition", json!({})),
    ]})
    .to_string()
}

/// 100 constants added up one after the other: 199 blocks.
fn long() -> String {
    let module = "Arithmetic.zip:Arithmetic";
    let mut blocks: Vec<Value> = (1..=100)
        .map(|id| json!({"id": id, "type": "Constant", "module": module, "values": {"constant value": "1"}}))
        .collect();
    let mut edges = Vec::new();
    for id in 101..=199 {
        blocks.push(json!({"id": id, "type": "Addition", "module": module, "values": {}}));
        let before = if id == 101 { 1 } else { id - 1 };
        for (from, port) in [(before, "num1"), (id - 99, "num2")] {
            edges.push(json!({"block1": from, "connector1": ["output", "output"],
                              "block2": id, "connector2": [port, "input"]}));
        }
    }
    json!({"blocks": blocks, "edges": edges}).to_string()
}

/// Requests a second over all connections, for `time`; the latencies in ms.
async fn load(address: &str, request: &[u8], time: Duration) -> (f64, Vec<f64>) {
    let start = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (address, request) = (address.to_owned(), request.to_vec());
            tokio::spawn(async move {
                let mut connection = Connection::open(&address).await;
                let mut latencies = Vec::new();
                while start.elapsed() < time {
                    let sent = Instant::now();
                    let (status, body) = connection.send(&request).await;
                    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                    latencies.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.append(&mut task.await.unwrap());
    }
    (latencies.len() as f64 / start.elapsed().as_secs_f64(), latencies)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn log_in(connection: &mut Connection, user: &str) -> String {
    let email = format!("{user}@example.org");
    let password = "correct horse";
    let fields = [("email", email.as_str()), ("username", user), ("password", password)];
    connection.send(&multipart("/api/users/register", "", &fields)).await;
    let answer = connection.json(&multipart("/api/users/login", "", &fields)).await;
    answer["token"].as_str().expect("logged in").to_owned()
}

/// Milliseconds from sending the workflow until the job's details say COMPLETED.
async fn complete(connection: &mut Connection, token: &str, document: &str) -> f64 {
    let start = Instant::now();
    let schedule = multipart("/api/workflow/schedule", token, &[("workflow", document)]);
    let job = connection.json(&schedule).await["job_id"].to_string();
    let details = multipart("/api/workflow/jobs", token, &[("jobId", &job)]);
    loop {
        let answer = connection.json(&details).await;
        match answer["status"].as_str() {
            Some("COMPLETED") => return start.elapsed().as_secs_f64() * 1e3,
            Some("RUNNING") => tokio::time::sleep(Duration::from_micros(200)).await,
            _ => panic!("the job has failed: {answer}"),
        }
    }
}

/// How many of the caller's jobs still run.
async fn unfinished(connection: &mut Connection) -> f64 {
    let (_, body) = connection.send(&get("/metrics", "")).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    let states = ["queued", "running"];
    text.lines()
        .filter(|line| !line.starts_with('#') && line.contains("jobs"))
        .filter(|line| states.iter().any(|state| line.contains(&format!("\"{state}\""))))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

async fn measure() {
    let folder = std::env::temp_dir().join(format!("bench-server-{}", std::process::id()));
    let bare = Server::start(Command::new(std::env::current_exe().unwrap()).arg("bare"));
    let server = Server::eeg_workflow(&folder);
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("idle memory: {:.1} MiB (budget 25)", server.memory_mib("VmRSS:"));

    let mut connection = Connection::open(&server.address).await;
    let token = log_in(&mut connection, "bench").await;

    let mut latencies = Vec::new();
    for _ in 0..200 {
        latencies.push(complete(&mut connection, &token, &example()).await);
    }
    println!("schedule to COMPLETED, 3 blocks: median {:.2} ms (budget 2)", median(latencies));
    let mut latencies = Vec::new();
    for _ in 0..50 {
        latencies.push(complete(&mut connection, &token, &long()).await);
    }
    println!("schedule to COMPLETED, 199 blocks: median {:.2} ms (budget 10)", median(latencies));

    let request = multipart("/api/workflow/schedule", &token, &[("workflow", &example())]);
    println!(
        "request of {} bytes, {CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?}:",
        request.len()
    );
    let (mut ratios, mut jobs) = (Vec::new(), 0.0);
    for _ in 0..ROUNDS {
        let (floor, _) = load(&bare.address, &request, ROUND).await;
        let (cpu, start) = (server.cpu(), Instant::now());
        let (rate, latencies) = load(&server.address, &request, ROUND).await;
        while unfinished(&mut connection).await > 0.0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let (cpu, count) = (server.cpu() - cpu, latencies.len() as f64);
        let done = count / start.elapsed().as_secs_f64();
        jobs += count;
        ratios.push(rate / floor);
        println!(
            "  bare {floor:.0}/s, schedule {rate:.0}/s (x {:.2}; median {:.2} ms, {:.0} µs cpu), \
             completed {done:.0}/s (budget 3,000)",
            rate / floor,
            median(latencies),
            cpu / count * 1e6,
        );
    }
    println!("schedule / bare: median x {:.2} (budget 0.5)", median(ratios));

    let give_up = Instant::now() + Duration::from_secs(120);
    while jobs < STORED as f64 && Instant::now() < give_up {
        jobs += load(&server.address, &request, ROUND).await.1.len() as f64;
    }
    while unfinished(&mut connection).await > 0.0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut latencies = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let (status, _) = connection.send(&get("/api/workflow/schedule?limit=50", &token)).await;
        assert_eq!(status, 200);
        latencies.push(start.elapsed().as_secs_f64() * 1e3);
    }
    println!("newest 50 of {jobs:.0} jobs: median {:.2} ms (budget 2)", median(latencies));
    println!("peak memory: {:.1} MiB", server.memory_mib("VmHWM:"));
    drop(server);
    let again = Server::eeg_workflow(&folder);
    let mut connection = Connection::open(&again.address).await;
    let start = Instant::now();
    let (status, _) = connection.send(&get("/healthz", "")).await;
    assert_eq!(status, 200);
    let first = again.started_in + start.elapsed();
    println!(
        "start to first answer with {jobs:.0} jobs stored: {:.0} ms (budget 50)",
        first.as_secs_f64() * 1e3
    );
    drop(again);
    let _ = std::fs::remove_dir_all(folder);
}
