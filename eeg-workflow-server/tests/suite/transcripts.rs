//! The recorded exchanges with the first system, replayed: each must be answered as it was, or
//! better, in a way that the table below states and gives the reason for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::collections::HashMap;

use common::{Reply, Request, Server};
use eeg_workflow_core::workflow::RawObject;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What is expected of the answer to an exchange.
enum Expected {
    /// The recorded answer.
    Same,
    /// The recorded status, with an error in our own words.
    SameStatus,
    /// Another status, for this reason.
    Better(u16, &'static str),
    /// A job that ends so, for this reason; of each block the value that it shows, `=` and the
    /// text that it shows, `!` and the error of one that failed, `~` and why one was not run, or
    /// nothing for one that shows nothing.
    Ends(&'static str, &'static [&'static str], &'static str),
}
use Expected::{Better, Ends, Same, SameStatus};

const JSON_BODY: &str = "multipart, urlencoded and JSON bodies are all taken";
const METHOD: &str = "405 with Allow, never an HTML page";
const PLANNED: &str = "validation finds every problem before anything runs";
const CYCLE: &str = "cycles are refused with 400 instead of running for ever";
const DANGLING: &str = "dangling edges are refused with 400 instead of running for ever";
const REFUSED: &str = "the workflow was refused, so there is no such job";
const OWNED: &str = "404 for another user's job, not told apart from one that does not exist";
const COOKIE: &str = "the file endpoint needs the cookie";
const CONFINED: &str =
    "the file endpoint cannot leave the job's folder; never a 5xx or an HTML page";
const ARCHIVE: &str = "a bad archive is one clear error";
const ENDS: &str = "no job stays RUNNING when nobody runs it";
const FAILED: &str = "a failed job has an endTime, and says in words what is wrong";
const SHOWS: &str = "what a block shows is the dict of its outputs, as the user's text prints it";
const DEFAULT: &str = "a parameter that the document leaves out takes its default";
const EXACT: &str = "constants are kept as they are given, decimals among them";
const SAME: &str = "it was recorded so";
const POISON: &str = "one bad upload does not break initialize for all";

/// The table: what is expected of the exchange of this number.
#[rustfmt::skip]
fn expected(index: usize) -> Expected {
    match index {
        2 => Better(403, "e-mails compare case-insensitively"),
        3..=6 | 12 | 18 | 19 | 25 | 26 => SameStatus,
        8 => Better(201, "passwords are hashed with Argon2id, which takes any length"),
        11 => Better(201, JSON_BODY),
        13 | 80 | 231 => Better(405, METHOD),
        20 => Better(400, "a missing field is 400, whether or not there is such a user"),
        21 => Better(200, "a trailing slash changes nothing"),
        28 => Better(200, "POST and PUT both change the password"),
        31 => Better(400, "a changed password ends old tokens"),
        32 => Better(200, "GET /api/users/details is served"),
        75 | 76 => SameStatus,
        77 => Better(200, "the page says what the server is; there is no designer here"),
        78 => Better(404, "never an HTML page"),
        79 => Better(200, "initialize is served by POST and GET"),
        84 => Better(200, "the folders are made at the first start"),
        86 | 108 => Ends("COMPLETED", &["'40'", "'30'", "70"], ENDS),
        87 | 88 | 101..=103 => SameStatus,
        96 => Better(400, ARCHIVE),
        97 => Better(400, "a module without a mapping would be a module without blocks"),
        100 => Better(200, "what macOS adds to an archive is no module"),
        105 => SameStatus,
        109 => Better(200, "a bad module leaves nothing behind and can be uploaded again, fixed"),
        106 | 111 => Better(200, POISON),
        113..=118 => SameStatus,
        119 => Better(200, JSON_BODY),
        121 | 227 => Ends("COMPLETED", &["'40'", "'30'", "70"], SHOWS),
        122 => Better(200, "the document may be wrapped once more, as the user's text prints it"),
        124 => Ends("COMPLETED", &["'4'"], ENDS),
        126 => Ends("COMPLETED", &[], ENDS),
        128 => Ends("COMPLETED", &["'4'"], SHOWS),
        129 | 131 | 133 => Better(400, PLANNED),
        130 | 132 | 134 => Better(404, REFUSED),
        136 | 138 => Ends("COMPLETED", &["'10'"], DEFAULT),
        139 | 145 => Better(400, PLANNED),
        140 | 146 => Better(404, REFUSED),
        142 => Ends("COMPLETED", &["'40.5'"], EXACT),
        144 => Ends("COMPLETED", &["40.7"], EXACT),
        148 => Ends("COMPLETED", &["'999999999999999999999999999999'", "'1'", "1000000000000000000000000000000", "1000000000000000000000000000000000000000000000000000000000000", "1e+30", "-1e+30"], SHOWS),
        150 => Ends("COMPLETED", &["'7'", "'2'", "9", "5", "14", "3.5"], SHOWS),
        152 => Ends("FAILED", &["'7'", "'0'", "!division by zero"], FAILED),
        154 => Ends("FAILED", &["'7'", "'0'", "!division by zero", "~skipped: block 3 failed", "'1'", "2"], "branches that do not depend on a failed block run to their end"),
        155 | 157 => Better(400, PLANNED),
        156 | 158 => Better(404, REFUSED),
        159 => Better(400, "two edges into a 1-1 input are refused"),
        160 => Better(404, REFUSED),
        162 => Ends("COMPLETED", &["'7'", "'5'", "12"], SHOWS),
        163 | 165 | 167 => Better(400, CYCLE),
        164 | 166 | 168 => Better(404, REFUSED),
        169 | 171 | 173 => Better(400, DANGLING),
        170 | 172 | 174 => Better(404, REFUSED),
        175 | 177 | 183 | 185 => Better(400, PLANNED),
        176 | 178 | 184 | 186 => Better(404, REFUSED),
        180 | 182 => Ends("COMPLETED", &["'7'", "'5'", "12"], "reversed edges work"),
        188 => Ends("COMPLETED", &["'7'", "'8'", "15"], SHOWS),
        190 => Ends("COMPLETED", &["'7'", "'8'", "15", "'1'", "'2'", "-1"], SHOWS),
        192 => Ends("COMPLETED", &["'3'", "6", "9", "-3"], SHOWS),
        194 => Ends("COMPLETED", &["'3'", r#"=[('flag', 'True'), ('in', '3'), ('items', "['a', 'b']"), ('text', "'hi'")]"#], "a Constant gives a number, and shows what was typed"),
        196 | 198 | 200 => Ends("COMPLETED", &[""], SAME),
        202 => Ends("COMPLETED", &["=<b>bold</b><script>1</script>"], "text is data, never markup, for whoever shows it"),
        204 => Ends("FAILED", &["!RuntimeError: probe failure: h\u{e9}llo \"quoted\""], FAILED),
        206 => Ends("FAILED", &["!SystemExit: 3"], FAILED),
        208 => Ends("FAILED", &["!AttributeError: 'str' object has no attribute 'savefig'"], FAILED),
        210 => Ends("COMPLETED", &["=['src']", "=['src', 'left']", "=['src', 'right']"], "branches that share a value never see each other's changes"),
        212 => Ends("COMPLETED", &["GRAPH"], SHOWS),
        214 => Ends("FAILED", &["!unexpected end"], FAILED),
        216 => Ends("FAILED", &["!parameter \"function equation\""], "an expression is parsed, never run as code"),
        218 => Ends("COMPLETED", &["GRAPH", "GRAPH"], SHOWS),
        222 => Better(404, OWNED),
        223 => Better(404, OWNED),
        224..=226 => SameStatus,
        229 | 249 | 250 => Better(403, COOKIE),
        232..=248 => Better(404, CONFINED),
        251 => Better(200, "there is no other service that could be down"),
        _ => Same,
    }
}

/// An exchange as it was recorded.
#[derive(Deserialize)]
struct Exchange<'a> {
    name: String,
    request: Value,
    #[serde(borrow)]
    response: Recorded<'a>,
}

#[derive(Deserialize)]
struct Recorded<'a> {
    status: u16,
    content_type: Option<String>,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl Exchange<'_> {
    fn path(&self) -> &str {
        self.request["path"].as_str().unwrap()
    }

    fn body(&self) -> Value {
        serde_json::from_str(self.response.body.get()).unwrap()
    }

    /// Whose cookie it has, or whose it gives.
    fn user(&self) -> &'static str {
        let name = self.name.as_str();
        if name.contains("bob") || name.contains("other user") { "bob" } else { "alice" }
    }
}

struct Replay {
    server: Server,
    /// Our number of each recorded job; none when the workflow was refused.
    jobs: HashMap<i64, Option<i64>>,
    /// Our name of a picture that was recorded.
    pictures: HashMap<i64, String>,
    tokens: HashMap<&'static str, String>,
}

#[test]
fn every_recorded_exchange_is_answered_the_same_or_better() {
    let Some(reference) = common::reference() else { return };
    let text = std::fs::read_to_string(reference.join("api/transcripts.json")).unwrap();
    let exchanges: Vec<Exchange<'_>> = serde_json::from_str(&text).unwrap();
    assert_eq!(exchanges.len(), 253);
    let mut replay = Replay {
        // The first system took modules from everybody.
        server: Server::start(&["--python-uploads", "users"]),
        jobs: HashMap::new(),
        pictures: HashMap::new(),
        tokens: HashMap::new(),
    };
    let description = replay.server.get("/api/openapi.json").send().json();
    let mut problems = Vec::new();
    for (index, exchange) in exchanges.iter().enumerate() {
        let reply = replay.send(index, exchange);
        let method = exchange.request["method"].as_str().unwrap();
        let is_documented = common::is_documented(&description, method, exchange.path(), reply.status)
                // Names that lead outside are at no address at all.
                || reply.error() == "there is nothing at this address";
        if !is_documented {
            problems.push(format!("{index} {}: {} is not documented", exchange.name, reply.status));
        }
        let checked = check_always(&reply).and_then(|()| check(exchange, &expected(index), &reply));
        if let Err(problem) = checked {
            let answer: String = reply.text().chars().take(1000).collect();
            problems
                .push(format!("{index} {}: {problem}\n  {} {answer}", exchange.name, reply.status));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for user in ["alice", "bob"] {
        let list = replay.server.get("/api/workflow/schedule").token(&replay.tokens[user]).send();
        assert!(!list.text().contains("RUNNING"), "{}", list.text());
    }
}

/// What holds of every answer.
fn check_always(reply: &Reply) -> Result<(), String> {
    if reply.status >= 500 {
        return Err("a 5xx".into());
    }
    if reply.header("content-type").is_some_and(|value| value.contains("html")) {
        return Err("an HTML page".into());
    }
    let refused = reply.status >= 400;
    if refused && reply.json()["error"].as_str().is_none_or(str::is_empty) {
        return Err("a refusal without an error".into());
    }
    if reply.status == 405 && reply.header("allow").is_none() {
        return Err("a 405 without Allow".into());
    }
    Ok(())
}

fn check(exchange: &Exchange<'_>, expected: &Expected, reply: &Reply) -> Result<(), String> {
    let recorded = exchange.response.status;
    let is = |status: u16, why: &str| {
        if reply.status == status { Ok(()) } else { Err(format!("not {status}, though {why}")) }
    };
    match expected {
        Same => {
            is(recorded, "it was recorded so")?;
            check_same(exchange, reply)
        }
        SameStatus => is(recorded, "it was recorded so"),
        Better(status, why) => is(*status, why),
        Ends(status, shows, why) => {
            is(200, why)?;
            check_ended(exchange, status, shows, &reply.text())
                .map_err(|e| format!("{e}, though {why}"))
        }
    }
}

/// The recorded body, what changes with every run aside.
fn check_same(exchange: &Exchange<'_>, reply: &Reply) -> Result<(), String> {
    let recorded = exchange.body();
    let not_same = || Err(format!("not as recorded: {recorded}"));
    if recorded["binary"] == true {
        let is_type = reply.header("content-type") == exchange.response.content_type.as_deref();
        return if is_type && !reply.body.is_empty() { Ok(()) } else { not_same() };
    }
    if recorded["job_id"].is_i64() {
        return if reply.json()["job_id"].is_i64() { Ok(()) } else { not_same() };
    }
    match exchange.path() {
        "/api/workflow/initialize" if reply.status == 200 => {
            // Ours has the EEG blocks too: each recorded one must be there to the letter.
            let listed: Vec<&RawValue> = serde_json::from_slice(&reply.body).unwrap();
            let listed: Vec<String> =
                listed.iter().map(|one| common::canonical(one.get())).collect();
            let known: Vec<&RawValue> = serde_json::from_str(exchange.response.body.get()).unwrap();
            match known
                .iter()
                .map(|one| owned(&common::canonical(one.get())))
                .find(|one| !listed.contains(one))
            {
                Some(missing) => Err(format!("not listed: {missing}")),
                None => Ok(()),
            }
        }
        "/api/workflow/schedule" if reply.status == 200 && recorded.is_array() => {
            let (jobs, expected) = (reply.json(), recorded.as_array().unwrap());
            let jobs = jobs.as_array().unwrap();
            let keys = "{\"startTime\":\"";
            let is_newest_first =
                jobs.windows(2).all(|two| two[0]["id"].as_i64() > two[1]["id"].as_i64());
            let have_ended =
                jobs.iter().all(|job| job["status"] != "RUNNING" && job["endTime"] != "");
            let is_shaped = jobs.is_empty() || reply.text().starts_with(&format!("[{keys}"));
            let is_as_empty = jobs.is_empty() == expected.is_empty();
            if is_newest_first && have_ended && is_shaped && is_as_empty {
                Ok(())
            } else {
                not_same()
            }
        }
        _ if recorded == "" || recorded.is_null() => Ok(()),
        _ => {
            let mut ours = reply.json();
            if ours["token"].is_string() {
                ours["token"] = "TOKEN".into();
            }
            if recorded["message"].is_string() {
                // Ours has the same text under "error" too.
                ours.as_object_mut().unwrap().remove("error");
            }
            if ours == recorded { Ok(()) } else { not_same() }
        }
    }
}

/// A recorded block type with the owner that ours has: the first system named its guest for all.
fn owned(block_type: &str) -> String {
    let owner = if block_type.contains("\"module\":\"Probe.zip:") {
        "alice@example.org"
    } else {
        "guest@guest.com"
    };
    block_type.replace("guest@guest.com", owner)
}

/// The details of a job that has ended so, its document as it was recorded.
fn check_ended(
    exchange: &Exchange<'_>,
    status: &str,
    shows: &[&str],
    details: &str,
) -> Result<(), String> {
    let ours: RawObject<'_> = serde_json::from_str(details).unwrap();
    let keys: Vec<&str> = ours.0.iter().map(|(key, _)| key.as_ref()).collect();
    if keys != ["workflow", "executionStatus", "startTime", "id", "endTime", "status"] {
        return Err(format!("the keys are {keys:?}"));
    }
    let value: Value = serde_json::from_str(details).unwrap();
    if value["status"] != status || value["endTime"] == "" {
        return Err(format!("it is {} and ended at {}", value["status"], value["endTime"]));
    }
    let workflow: RawObject<'_> =
        serde_json::from_str(ours.get("workflow").unwrap().get()).unwrap();
    let state = ours.get("executionStatus").unwrap().get();
    if common::canonical(workflow.get("blocks").unwrap().get()) != common::canonical(state) {
        return Err("blocks and executionStatus differ".into());
    }
    let recorded: RawObject<'_> = serde_json::from_str(exchange.response.body.get()).unwrap();
    let own = |state: &str| -> Vec<String> {
        let mut blocks: Vec<RawObject<'_>> = serde_json::from_str(state).unwrap();
        for block in &mut blocks {
            block
                .0
                .retain(|(key, _)| !["output", "completed", "error", "stderr"].contains(&&**key));
        }
        blocks
            .iter()
            .map(|block| common::canonical(&serde_json::to_string(block).unwrap()))
            .collect()
    };
    if own(state) != own(recorded.get("executionStatus").unwrap().get()) {
        return Err("the blocks are not those of the document".into());
    }
    let blocks = value["executionStatus"].as_array().unwrap();
    if blocks.len() != shows.len() {
        return Err(format!("there are {} blocks", blocks.len()));
    }
    for (block, expected) in blocks.iter().zip(shows) {
        let (output, stderr) = (&block["output"], block["stderr"].as_str().unwrap_or_default());
        let is_well = block["completed"] == true && block["error"] == false && stderr.is_empty();
        let is_so = match expected.split_at(expected.len().min(1)) {
            ("", _) => is_well && output.is_null(),
            ("=", text) => is_well && output["type"] == "STRING" && output["value"] == text,
            ("!", error) => {
                block["completed"] == true
                    && block["error"] == true
                    && stderr.contains(error)
                    && output.is_null()
            }
            ("~", why) => block["completed"] == false && block["error"] == false && stderr == why,
            _ if *expected == "GRAPH" => {
                output["type"] == "GRAPH"
                    && output["value"]["filename"].is_string()
                    && stderr.is_empty()
            }
            _ => {
                let text = format!("{{'output': {expected}}}");
                is_well && output["type"] == "STRING" && output["value"] == text
            }
        };
        if !is_so {
            return Err(format!("block {} is not as {expected:?} says: {block}", block["id"]));
        }
    }
    Ok(())
}

impl Replay {
    fn send(&mut self, index: usize, exchange: &Exchange<'_>) -> Reply {
        if index == 23 {
            self.make_odd_tokens();
        }
        let method = exchange.request["method"].as_str().unwrap();
        let path = self.path(exchange.path());
        let mut call = self.server.request(method, &path);
        if let Some(token) = self.token(exchange) {
            call = call.token(&token);
        }
        let reply = self.with_body(call, index, exchange).send();
        self.learn(index, exchange, &reply);
        reply
    }

    /// The recorded path, with our job and our picture in place of the recorded ones.
    fn path(&self, path: &str) -> String {
        let Some(rest) = path.strip_prefix("/api/workflow/file/") else { return path.to_owned() };
        let (job, file) = rest.split_once('/').unwrap_or((rest, ""));
        let job: Option<i64> = job.parse().ok();
        match job.and_then(|job| Some((self.jobs.get(&job)?.as_ref()?, self.pictures.get(&job)))) {
            Some((ours, picture)) => {
                let file = if file.ends_with("18453.png") { picture.unwrap() } else { file };
                format!("/api/workflow/file/{ours}/{file}")
            }
            None => path.to_owned(),
        }
    }

    /// The token that the recorded words stand for.
    fn token(&self, exchange: &Exchange<'_>) -> Option<String> {
        let name = exchange.name.as_str();
        let key = match exchange.request["cookie"].as_str()? {
            "a valid token" if name.starts_with("old token") => "old",
            "a valid token" => exchange.user(),
            _ if name.contains("expired") => "expired",
            _ if name.contains("missing user") => "gone",
            _ if name.contains("empty") => return Some(String::new()),
            // Signed tokens of the first system, wrong ones: here, any text that is no token.
            _ => return Some("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl".into()),
        };
        Some(self.tokens[key].clone())
    }

    fn with_body<'a>(
        &self,
        call: Request<'a>,
        index: usize,
        exchange: &Exchange<'_>,
    ) -> Request<'a> {
        match index {
            // These bodies were JSON, which was not recorded.
            11 => {
                return call
                    .json(r#"{"email":"json@example.org","username":"json","password":"p"}"#);
            }
            119 => return call.json(common::addition()),
            _ => {}
        }
        let fields = exchange.request["fields"].as_object().cloned().unwrap_or_default();
        let field = |(key, value): (String, Value)| {
            let text = value.as_str().unwrap();
            let text = if key == "jobId" { self.job_id(text) } else { text.to_owned() };
            (key, text)
        };
        let fields: Vec<(String, String)> = fields.into_iter().map(field).collect();
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        if let Some(files) = exchange.request["files"].as_object() {
            let file = |(field, file): (&String, &Value)| {
                let name = file["filename"].as_str().unwrap().to_owned();
                (field.clone(), name, archive(&exchange.name, file))
            };
            let files: Vec<(String, String, Vec<u8>)> = files.iter().map(file).collect();
            let files: Vec<(&str, &str, &[u8])> = files
                .iter()
                .map(|(field, name, bytes)| (field.as_str(), name.as_str(), bytes.as_slice()))
                .collect();
            return call.multipart(&fields, &files);
        }
        match exchange.name.as_str() {
            name if name.contains("urlencoded") => call.urlencoded(&fields),
            _ if fields.is_empty() => call,
            _ => call.form(&fields),
        }
    }

    /// Our number of a recorded job, spelled as it was.
    fn job_id(&self, text: &str) -> String {
        let recorded = text.trim().parse().ok();
        match recorded.and_then(|recorded: i64| self.jobs.get(&recorded)) {
            Some(Some(ours)) => text.replace(text.trim(), &ours.to_string()),
            Some(None) => "999999".into(),
            None => text.to_owned(),
        }
    }

    /// Remembers what later exchanges stand on.
    fn learn(&mut self, index: usize, exchange: &Exchange<'_>, reply: &Reply) {
        // The first system failed to schedule its first job, and listed it nevertheless.
        let recorded = if index == 84 { Some(1) } else { exchange.body()["job_id"].as_i64() };
        let ours = match reply.status {
            200 if reply.text().starts_with("{\"job_id\"") => reply.json()["job_id"].as_i64(),
            _ => None,
        };
        if let Some(ours) = ours {
            let details = self.server.finished(&self.tokens[exchange.user()], ours);
            let picture = details["executionStatus"][0]["output"]["value"]["filename"].as_str();
            if let (Some(recorded), Some(picture)) = (recorded, picture) {
                self.pictures.insert(recorded, picture.to_owned());
            }
        }
        if let Some(recorded) = recorded {
            self.jobs.insert(recorded, ours);
        }
        let is_login = exchange.path().starts_with("/api/users/login") && reply.status == 200;
        if is_login && !exchange.name.contains("unicode") {
            let token = reply.json()["token"].as_str().unwrap().to_owned();
            self.tokens.insert(exchange.user(), token);
        }
        if (index == 27 || index == 28) && reply.status == 200 {
            let cookie = reply.header("set-cookie").unwrap();
            let token =
                cookie.strip_prefix("token=").unwrap().split(';').next().unwrap().to_owned();
            let old = self.tokens.insert("alice", token.clone()).unwrap();
            self.tokens.entry("old").or_insert(old);
            if index == 28 {
                // The first system did not take this one: the password goes back to what the
                // exchanges that follow expect.
                let fields = [("currentPassword", "New2"), ("newPassword", "New1")];
                let back = self.server.post("/api/users/reset").token(&token).form(&fields).send();
                assert_eq!(back.status, 200);
            }
        }
    }

    /// A token that has expired, and one whose user is gone.
    fn make_odd_tokens(&mut self) {
        for name in ["expired", "gone"] {
            self.tokens.insert(name, self.server.user(name));
        }
        let accounts =
            rusqlite::Connection::open(self.server.folder().join("accounts.db")).unwrap();
        let expire = "UPDATE tokens SET expires = 1 WHERE user =
            (SELECT id FROM users WHERE email_key = 'expired@example.org')";
        assert_eq!(accounts.execute(expire, []).unwrap(), 1);
        let delete = "DELETE FROM users WHERE email_key = 'gone@example.org'";
        assert_eq!(accounts.execute(delete, []).unwrap(), 1);
    }
}

/// The file of an upload, as far as it was recorded.
fn archive(name: &str, file: &Value) -> Vec<u8> {
    if file["not a zip"] == true {
        return match name {
            name if name.contains("empty") => Vec::new(),
            name if name.contains("truncated") => {
                common::zip(&[("A/module.json", "{}")])[..40].to_vec()
            }
            _ => b"this is not a zip".to_vec(),
        };
    }
    let members: Vec<&str> =
        file["members"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    let content = |member: &str| {
        let recorded = file["contents"][member].as_str();
        recorded.unwrap_or_else(|| unrecorded(name)).to_owned()
    };
    let files: Vec<(&str, String)> =
        members.iter().map(|member| (*member, content(member))).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    common::zip(&files)
}

/// The code of a module of which only its name was recorded.
fn unrecorded(name: &str) -> &'static str {
    match name {
        name if name.contains("without mapping") => "blocks = {}\n",
        name if name.contains("code runs at import time") => {
            "import os, sys\nprint('imported by', os.getpid())\nstring_classobject_mapping = {}\n"
        }
        name if name.contains("syntax error") => "def broken(:\n",
        name if name.contains("plain attribute") => {
            "from blocks.Block import Block\n\nclass Plain(Block):\n    name = 'Plain'\n\n    \
             def __init__(self):\n        self.response = object()\n\n\
             string_classobject_mapping = {Plain.name: Plain()}\n"
        }
        _ => "string_classobject_mapping = {}\n",
    }
}
