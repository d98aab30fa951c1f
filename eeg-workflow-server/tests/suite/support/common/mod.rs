//! A real server process, and a small HTTP client to talk to it.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_eeg-workflow-server");

/// A running server with a data directory of its own.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// What it printed after the line with the address.
    pub announced: String,
    pub data: Arc<TempDir>,
}

impl Server {
    /// Starts a server on a new data directory.
    pub fn start(options: &[&str]) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), options)
    }

    /// Starts a server on this data directory.
    pub fn start_in(data: Arc<TempDir>, options: &[&str]) -> Self {
        Self::start_by(Command::new(PROGRAM), data, options)
    }

    /// Starts a server by this command on this data directory.
    pub fn start_by(mut command: Command, data: Arc<TempDir>, options: &[&str]) -> Self {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(data.path().join("stderr.log"))
            .unwrap();
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path().join("data"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let announced = String::from_utf8_lossy(stdout.buffer()).into_owned();
        let address = line.strip_prefix("listening on http://").unwrap_or_else(|| {
            let log = std::fs::read_to_string(data.path().join("stderr.log")).unwrap_or_default();
            panic!("the server did not start: {line:?}\n{log}")
        });
        Self { child, address: address.trim_end().to_owned(), announced, data }
    }

    /// The folder that the server keeps everything in.
    pub fn folder(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Runs the command `users` on the server's folder.
    pub fn users(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(PROGRAM);
        command.arg("users").args(arguments).arg("--data-dir").arg(self.folder());
        command.output().unwrap()
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("stderr.log")).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process as `kill -9` does; gives the data directory for another one.
    pub fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.data.clone()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    pub fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        assert!(
            Command::new("kill")
                .args([&signal, &self.pid().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request {
            address: &self.address,
            head: format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address),
            body: Vec::new(),
            has_body: false,
        }
    }

    /// Makes an account and logs in; the token.
    pub fn user(&self, name: &str) -> String {
        let email = format!("{name}@example.org");
        let fields = [("email", email.as_str()), ("username", name), ("password", "secret")];
        let reply = self.post("/api/users/register").form(&fields).send();
        assert_eq!(reply.status, 201, "{}", reply.text());
        self.login(&email, "secret")
    }

    pub fn login(&self, email: &str, password: &str) -> String {
        let fields = [("email", email), ("password", password)];
        let reply = self.post("/api/users/login").form(&fields).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// Uploads an archive of these files.
    pub fn upload(&self, token: &str, archive: &str, files: &[(&str, &str)]) -> Reply {
        let upload = self.post("/api/workflow/upload").token(token);
        upload.multipart(&[], &[("file", archive, &zip(files))]).send()
    }

    /// The full names of the modules that a user may use, each once.
    pub fn modules(&self, token: &str) -> Vec<String> {
        let types = self.get("/api/workflow/initialize").token(token).send().json();
        let mut names: Vec<String> = types
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["module"].as_str().unwrap().to_owned())
            .collect();
        names.dedup();
        names
    }

    /// The processes that run Python modules for this server.
    pub fn python_processes(&self) -> Vec<u32> {
        processes_with(&self.folder().join("python/support-").to_string_lossy())
    }

    /// Schedules a workflow that must be taken; the job's number.
    pub fn schedule(&self, token: &str, workflow: &str) -> i64 {
        let request = self.post("/api/workflow/schedule").token(token);
        let reply = request.form(&[("workflow", workflow)]).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["job_id"].as_i64().unwrap()
    }

    /// The details of a job, as soon as it has ended.
    pub fn finished(&self, token: &str, job: i64) -> Value {
        let started = Instant::now();
        loop {
            let reply = self.get(&format!("/api/workflow/jobs/{job}")).token(token).send();
            assert_eq!(reply.status, 200, "{}", reply.text());
            let details = reply.json();
            if details["status"] != "RUNNING" {
                return details;
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "job {job} does not end: {details}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that is being put together.
pub struct Request<'a> {
    address: &'a str,
    head: String,
    body: Vec<u8>,
    has_body: bool,
}

const BOUNDARY: &str = "a-boundary-of-the-test";

impl Request<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Names another host than the address of the server.
    pub fn replace_host(&mut self, host: &str) {
        self.head = self.head.replace(&format!("Host: {}", self.address), &format!("Host: {host}"));
    }

    pub fn token(self, token: &str) -> Self {
        self.header("Cookie", &format!("token={token}"))
    }

    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.has_body = true;
        self.header("Content-Type", content_type)
    }

    pub fn json(self, body: impl ToString) -> Self {
        self.body("application/json", body.to_string())
    }

    /// As a multipart form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        self.multipart(fields, &[])
    }

    /// As a multipart form with files: field, file name, content.
    pub fn multipart(self, fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (name, value) in fields {
            write!(
                body,
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .unwrap();
        }
        for (name, file, content) in files {
            write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\r\n").unwrap();
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        write!(body, "--{BOUNDARY}--\r\n").unwrap();
        self.body(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    pub fn urlencoded(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends the request and gives the open connection.
    pub fn open(mut self) -> TcpStream {
        if self.has_body {
            self.head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        self.head.push_str("Connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(self.head.as_bytes()).unwrap();
        // The server may have refused the request, and closed the connection, before.
        let _ = stream.write_all(&self.body);
        stream
    }

    /// Sends the request; none if the server is gone, or goes before its answer is whole.
    pub fn try_send(mut self) -> Option<Reply> {
        if self.has_body {
            self.head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        self.head.push_str("Connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(self.head.as_bytes()).ok()?;
        stream.write_all(&self.body).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        (bytes.len() == head + 4 + length.parse::<usize>().ok()?)
            .then(|| Reply::parse(&bytes, false))
    }

    pub fn send(self) -> Reply {
        let is_head = self.head.starts_with("HEAD");
        Reply::read(&mut self.open(), is_head)
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads to the end of the connection.
    pub fn read(stream: &mut TcpStream, is_head: bool) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Self::parse(&bytes, is_head)
    }

    pub fn parse(bytes: &[u8], is_head: bool) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers = lines.map(header).collect();
        let mut reply = Self { status, headers, body: bytes[end + 4..].to_vec() };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = unchunk(&reply.body);
        } else if let (Some(length), false) = (reply.header("content-length"), is_head) {
            assert_eq!(length.parse(), Ok(reply.body.len()), "the body is cut off");
        }
        reply
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The `error` of a refused request.
    pub fn error(&self) -> String {
        let error = |json: Value| Some(json["error"].as_str()?.to_owned());
        serde_json::from_slice(&self.body).ok().and_then(error).unwrap_or_default()
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return all;
        }
        all.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 2 + size + 2..];
    }
}

pub use crate::support::needs::reference;

/// Processes of this machine whose command line has this text in it.
pub fn processes_with(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(text) {
            found.push(id);
        }
    }
    found
}

/// Waits until something holds, half a minute at most.
#[track_caller]
pub fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "not within half a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A zip archive of these files, stored without compression.
pub fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let push = |out: &mut Vec<u8>, numbers: &[(u64, usize)]| {
        for (number, bytes) in numbers {
            out.extend_from_slice(&number.to_le_bytes()[..*bytes]);
        }
    };
    for (name, content) in files {
        let offset = out.len() as u64;
        let sizes = [
            (u64::from(crc32(content.as_bytes())), 4),
            (content.len() as u64, 4),
            (content.len() as u64, 4),
            (name.len() as u64, 2),
            (0, 2),
        ];
        push(&mut out, &[(0x0403_4b50, 4), (20, 2), (0, 2), (0, 2), (0, 2), (0x21, 2)]);
        push(&mut out, &sizes);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(content.as_bytes());
        push(
            &mut directory,
            &[(0x0201_4b50, 4), (0x0314, 2), (20, 2), (0, 2), (0, 2), (0, 2), (0x21, 2)],
        );
        push(&mut directory, &sizes);
        push(&mut directory, &[(0, 2), (0, 2), (0, 2), (0o100_644 << 16, 4), (offset, 4)]);
        directory.extend_from_slice(name.as_bytes());
    }
    let (offset, count) = (out.len() as u64, files.len() as u64);
    out.extend_from_slice(&directory);
    push(&mut out, &[(0x0605_4b50, 4), (0, 2), (0, 2), (count, 2), (count, 2)]);
    push(&mut out, &[(directory.len() as u64, 4), (offset, 4), (0, 2)]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// A workflow of the blocks and edges in these JSON texts.
pub fn workflow(blocks: &[String], edges: &[String]) -> String {
    format!("{{\"blocks\":[{}],\"edges\":[{}]}}", blocks.join(","), edges.join(","))
}

/// A block of the Arithmetic module.
pub fn arithmetic(id: i64, block_type: &str, values: &str) -> String {
    format!(
        "{{\"id\":{id},\"type\":\"{block_type}\",\"module\":\"Arithmetic.zip:Arithmetic\",\"values\":{values}}}"
    )
}

/// An edge from the output of one block to an input of another.
pub fn edge(from: i64, to: i64, input: &str) -> String {
    format!(
        "{{\"block1\":{from},\"connector1\":[\"output\",\"output\"],\"block2\":{to},\"connector2\":[\"{input}\",\"input\"]}}"
    )
}

/// 40 + 30.
pub fn addition() -> String {
    workflow(
        &[
            arithmetic(1, "Constant", "{\"constant value\":\"40\"}"),
            arithmetic(2, "Constant", "{\"constant value\":\"30\"}"),
            arithmetic(3, "Addition", "{}"),
        ],
        &[edge(1, 3, "num1"), edge(2, 3, "num2")],
    )
}

/// So many pictures, which take a while to draw.
pub fn plots(count: i64) -> String {
    let plot =
        |id| arithmetic(id, "Plot", "{\"function equation\":\"np.sin(x)/x\",\"range\":\"100\"}");
    workflow(&(1..=count).map(plot).collect::<Vec<_>>(), &[])
}

/// JSON text without the space between its parts: the order of keys and the spelling of
/// numbers stay as they are.
pub fn canonical(text: &str) -> String {
    use eeg_workflow_core::workflow::RawObject;
    use serde_json::value::RawValue;
    let text = text.trim();
    if text.starts_with('{') {
        let object: RawObject<'_> = serde_json::from_str(text).unwrap();
        let member =
            |(key, value): &(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, RawValue>)| {
                format!("{}:{}", Value::from(key.as_ref()), canonical(value.get()))
            };
        return format!("{{{}}}", object.0.iter().map(member).collect::<Vec<_>>().join(","));
    }
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).unwrap();
        let items: Vec<String> = items.iter().map(|item| canonical(item.get())).collect();
        return format!("[{}]", items.join(","));
    }
    match serde_json::from_str(text).unwrap() {
        Value::String(string) => Value::from(string).to_string(),
        _ => text.to_owned(),
    }
}

/// Whether the server's own description of its interface has such an answer to such a request.
pub fn is_documented(description: &Value, method: &str, path: &str, status: u16) -> bool {
    let path = path.split('?').next().unwrap();
    let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
    let segments: Vec<&str> = path.split('/').collect();
    let mut templates = description["paths"].as_object().unwrap().iter().filter(|(template, _)| {
        let template: Vec<&str> = template.split('/').collect();
        let takes_rest = template.last() == Some(&"{path}");
        let is_long_enough = match takes_rest {
            true => segments.len() >= template.len(),
            false => segments.len() == template.len(),
        };
        let fits = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
        is_long_enough && template.iter().zip(&segments).all(fits)
    });
    let Some((_, methods)) = templates.next() else { return status == 404 };
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    match methods.get(&method) {
        Some(operation) => !operation["responses"][status.to_string()].is_null(),
        None => status == if method == "options" { 200 } else { 405 },
    }
}
