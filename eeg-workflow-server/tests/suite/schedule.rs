//! Workflows through the real server: the example that users know, validation, lists, jobs of
//! others, modules.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use common::{Server, addition, arithmetic, canonical, edge, workflow};
use serde_json::Value;

/// The first JSON object in a text.
fn object_in(text: &str) -> &str {
    let start = text.find("{\n").unwrap();
    let rest = &text[start..];
    let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    stream.next().unwrap().unwrap();
    &rest[..stream.byte_offset()]
}

/// Details with everything out that differs from run to run: the positions of the blocks, the
/// number and the times of the job.
fn without_what_differs(details: &str) -> String {
    let text = canonical(details);
    let mut kept = String::new();
    let mut rest = text.as_str();
    while let Some(start) = ["\"x\":", "\"y\":", "\"startTime\":", "\"endTime\":", "\"status\":"]
        .iter()
        .filter_map(|key| rest.find(key).map(|at| at + key.len()))
        .min()
    {
        kept.push_str(&rest[..start]);
        let end = rest[start..].find([',', '}']).unwrap();
        if rest[..start].ends_with("\"status\":") {
            kept.push_str(&rest[start..start + end]);
        } else if rest[..start].ends_with("\"startTime\":") {
            // The job's number comes next.
            let after = &rest[start..];
            assert!(after[end..].starts_with(",\"id\":"), "{after}");
            let number = after[end + 6..].find(',').unwrap();
            kept.push_str(",\"id\":");
            rest = &after[end + 6 + number..];
            continue;
        }
        rest = &rest[start + end..];
    }
    kept + rest
}

#[test]
fn the_documented_example_is_answered_as_it_is_documented() {
    let Some(reference) = common::reference() else { return };
    let text = |name: &str| {
        let mut folder = std::fs::read_dir(&reference).unwrap();
        let entry = folder.find_map(|entry| {
            let entry = entry.ok()?;
            entry.file_name().to_str()?.starts_with(name).then_some(entry)
        });
        std::fs::read_to_string(entry.unwrap().path()).unwrap()
    };
    let (schedule, details) = (text("001_"), text("000_"));
    let wrapped = object_in(&schedule);
    let bare = serde_json::from_str::<eeg_workflow_core::workflow::RawObject<'_>>(wrapped).unwrap();
    let bare = bare.get("workflow").unwrap().get().to_owned();
    let returned = &details[details.find("the API returns:").unwrap()..];
    let documented = without_what_differs(object_in(returned));

    let server = Server::start(&[]);
    let token = server.user("alice");
    for document in [wrapped, bare.as_str()] {
        let job = server.schedule(&token, document);
        server.finished(&token, job);
        let id = job.to_string();
        for path in ["/api/workflow/schedule", "/api/workflow/jobs", "/api/workflow/jobs/"] {
            let reply = server.post(path).token(&token).form(&[("jobId", &id)]).send();
            assert_eq!(reply.status, 200);
            assert_eq!(without_what_differs(&reply.text()), documented, "{path}");
            // What differs is there all the same, spelled as it came in.
            assert!(canonical(&reply.text()).contains("\"x\":-457.5000061035156,\"y\":-176,"));
            let details = reply.json();
            assert_eq!(details["id"], job);
            for time in ["startTime", "endTime"] {
                let time = details[time].as_str().unwrap();
                assert!(time.len() == 24 && time.ends_with(char::is_numeric), "{time}");
            }
        }
    }
}

#[test]
fn a_workflow_may_come_in_any_kind_of_body() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let document = addition();
    let post = || server.post("/api/workflow/schedule").token(&token);
    let wrapped = format!("{{\"workflow\":{document}}}");
    let quoted = format!("{{\"workflow\":{}}}", Value::from(document.as_str()));
    let requests = [
        post().form(&[("workflow", &document)]),
        post().urlencoded(&[("workflow", &wrapped)]),
        post().multipart(&[], &[("workflow", "w.json", document.as_bytes())]),
        post().json(&document),
        post().json(&wrapped),
        post().json(&quoted),
    ];
    for request in requests {
        let reply = request.send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let job = reply.json()["job_id"].as_i64().unwrap();
        let details = server.finished(&token, job);
        assert_eq!(details["executionStatus"][2]["output"]["value"], "{'output': 70}");
        let again = post().json(format!("{{\"jobId\": {job}}}")).send();
        assert_eq!(again.json()["id"], job);
    }
}

#[test]
fn every_problem_of_a_workflow_is_told_at_once() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let document = workflow(
        &[
            arithmetic(1, "Addition", "{}"),
            arithmetic(2, "Addition", "{}"),
            arithmetic(3, "Nope", "{}"),
            arithmetic(4, "Constant", "{\"constant value\":\"x\"}"),
        ],
        &[edge(1, 2, "num1"), edge(2, 1, "num1"), edge(9, 1, "num2")],
    );
    let refused =
        server.post("/api/workflow/schedule").token(&token).form(&[("workflow", &document)]).send();
    assert_eq!(refused.status, 400);
    let codes = |reply: &Value| -> Vec<String> {
        let diagnostics = reply["diagnostics"].as_array().unwrap().iter();
        diagnostics.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    let found = codes(&refused.json());
    for code in
        ["cycle", "unknown-block-type", "invalid-parameter", "dangling-edge", "too-few-edges"]
    {
        assert!(found.contains(&code.to_owned()), "{code} in {found:?}");
    }
    let checked =
        server.post("/api/workflow/validate").token(&token).form(&[("workflow", &document)]).send();
    assert_eq!(checked.status, 200);
    assert_eq!((&checked.json()["valid"], codes(&checked.json())), (&Value::from(false), found));
    let fine = server.post("/api/workflow/validate").token(&token).json(addition()).send();
    assert_eq!(fine.text(), r#"{"valid":true,"diagnostics":[]}"#);
    let malformed = server
        .post("/api/workflow/schedule")
        .token(&token)
        .form(&[("workflow", "{\"blocks\": [}")])
        .send();
    assert_eq!(malformed.status, 400);
    assert!(malformed.error().contains("line 1 column 13"), "{}", malformed.error());
    assert_eq!(server.get("/api/workflow/schedule").token(&token).send().text(), "[]");
}

#[test]
fn jobs_are_listed_in_pages_and_belong_to_their_owner() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let jobs: Vec<i64> = (0..5).map(|_| server.schedule(&alice, &addition())).collect();
    for job in &jobs {
        server.finished(&alice, *job);
    }
    let mut listed = Vec::new();
    let mut next = Some("/api/workflow/schedule?limit=2".to_owned());
    while let Some(path) = next {
        let page = server.get(&path).token(&alice).send();
        assert_eq!(page.status, 200);
        let page_json = page.json();
        assert!(page_json.as_array().unwrap().len() <= 2);
        listed.extend(page_json.as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()));
        next = page.header("link").map(|link| {
            assert!(link.ends_with("; rel=\"next\""));
            link[1..link.find('>').unwrap()].to_owned()
        });
    }
    assert_eq!(listed, jobs.iter().rev().copied().collect::<Vec<_>>());
    let all = server.get("/api/workflow/schedule/").token(&alice).send();
    assert!(canonical(&all.text()).starts_with("[{\"startTime\":\""));
    assert_eq!(all.json()[0]["status"], "COMPLETED");
    for wrong in ["?limit=0", "?limit=x", "?before=x", "?limit=10001"] {
        let reply = server.get(&format!("/api/workflow/schedule{wrong}")).token(&alice).send();
        assert_eq!(reply.status, 400, "{wrong}");
    }

    let job = jobs[0];
    let id = job.to_string();
    assert_eq!(server.get("/api/workflow/schedule").token(&bob).send().text(), "[]");
    let (path, events) =
        (format!("/api/workflow/jobs/{job}"), format!("/api/workflow/jobs/{job}/events"));
    let unknown = server.get("/api/workflow/jobs/999999").token(&bob).send().text();
    for reply in [
        server.get(&path).token(&bob).send(),
        server.request("DELETE", &path).token(&bob).send(),
        server.get(&events).token(&bob).send(),
        server.post("/api/workflow/jobs").token(&bob).form(&[("jobId", &id)]).send(),
        server.post("/api/workflow/schedule").token(&bob).form(&[("jobId", &id)]).send(),
    ] {
        assert_eq!((reply.status, reply.text()), (404, unknown.clone()));
    }

    assert_eq!(server.request("DELETE", &path).token(&alice).send().status, 200);
    assert_eq!(server.get(&path).token(&alice).send().status, 404);
    let rest = server.request("DELETE", "/api/workflow/schedule").token(&alice).send();
    assert_eq!(rest.text(), r#"{"deleted":4}"#);
    assert_eq!(server.get("/api/workflow/schedule").token(&alice).send().text(), "[]");
}

#[test]
fn a_running_job_is_cancelled_and_a_waiting_one_too() {
    let server = Server::start(&["--max-runs", "1", "--threads", "1"]);
    let token = server.user("alice");
    let (running, waiting) =
        (server.schedule(&token, &common::plots(200)), server.schedule(&token, &addition()));
    for job in [waiting, running] {
        let path = format!("/api/workflow/jobs/{job}");
        assert_eq!(server.request("DELETE", &path).token(&token).send().status, 409);
        let cancel = || server.request("POST", &format!("{path}/cancel")).token(&token).send();
        let reply = cancel();
        assert_eq!((reply.status, reply.text().as_str()), (202, r#"{"success":"Job Cancelled"}"#));
        let details = server.finished(&token, job);
        assert_eq!(details["status"], "CANCELLED");
        assert_ne!(details["endTime"], "");
        let again = cancel();
        assert_eq!((again.status, &again.json()["status"]), (200, &"CANCELLED".into()));
        assert_eq!(server.request("DELETE", &path).token(&token).send().status, 200);
    }
}

/// An archive with one block: 10 more than its input.
fn archive(module: &str) -> Vec<u8> {
    let manifest = r#"{
        "format": 1,
        "blocks": [{
            "name": "Ten more",
            "family": "Sums",
            "workflow": {
                "document": {
                    "blocks": [
                        {"id": 1, "type": "Constant", "module": "Arithmetic.zip:Arithmetic", "values": {"constant value": "10"}},
                        {"id": 2, "type": "Addition", "module": "Arithmetic.zip:Arithmetic", "values": {}}
                    ],
                    "edges": [{"block1": 1, "connector1": ["output", "output"], "block2": 2, "connector2": ["num2", "input"]}]
                },
                "inputs": [{"name": "x", "for": {"block": 2, "port": "num1"}}],
                "outputs": [{"name": "y", "from": {"block": 2, "port": "output"}}],
                "shows": 2
            }
        }]
    }"#;
    common::zip(&[(&format!("{module}/module.json"), manifest)])
}

#[test]
fn an_uploaded_module_is_its_owners_until_it_is_made_public() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let upload = |token: &str, file: &str, module: &str, public: &str| {
        let content = archive(module);
        let files: [(&str, &str, &[u8]); 1] = [("file", file, &content)];
        server
            .post("/api/workflow/upload")
            .token(token)
            .multipart(&[("public", public)], &files)
            .send()
    };
    let lists = |token: &str, module: &str| {
        server.get("/api/workflow/initialize").token(token).send().text().contains(module)
    };
    let reply = upload(&alice, "Lab.zip", "Lab", "");
    assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"new_blocks_length":1}"#));
    assert!(lists(&alice, "Lab.zip:Lab") && !lists(&bob, "Lab.zip:Lab"));
    let again = upload(&alice, "Lab2.zip", "Lab", "");
    let error = "Module name 'Lab' in Lab2.zip already exsists, pls change the name";
    assert_eq!((again.status, again.error().as_str()), (403, error));
    // A private name is not taken for others.
    assert_eq!(upload(&server.user("carol"), "Lab2.zip", "Lab", "").status, 200);
    assert_eq!(upload(&alice, "Pub.zip", "Pub", "true").status, 200);
    assert!(lists(&bob, "Pub.zip:Pub"));
    assert_eq!(upload(&alice, "x.zip", "X", "perhaps").status, 400);

    let document = workflow(
        &[
            arithmetic(1, "Constant", "{\"constant value\":\"5\"}"),
            "{\"id\":2,\"type\":\"Ten more\",\"module\":\"Lab.zip:Lab\",\"values\":{}}".into(),
        ],
        &[edge(1, 2, "x")],
    );
    let job = server.schedule(&alice, &document);
    let details = server.finished(&alice, job);
    assert_eq!(details["executionStatus"][1]["output"]["value"], "{'output': 15}");
    let refused =
        server.post("/api/workflow/schedule").token(&bob).form(&[("workflow", &document)]).send();
    assert_eq!(
        (refused.status, &refused.json()["diagnostics"][0]["code"]),
        (400, &"unknown-module".into())
    );

    let server = Server::start_in(server.kill(), &[]);
    let remove = |token: &str, archive: &str| {
        server
            .request("DELETE", &format!("/api/workflow/modules/{archive}"))
            .token(token)
            .send()
            .status
    };
    assert_eq!(remove(&bob, "Lab.zip"), 404);
    assert_eq!(remove(&alice, "Lab.zip"), 200);
    assert_eq!(remove(&alice, "Lab.zip"), 404);
    let types = server.post("/api/workflow/initialize/").token(&bob).send().text();
    assert!(types.contains("Pub.zip:Pub") && !types.contains("Lab.zip:Lab"));
}

#[test]
fn the_block_types_are_listed_as_designers_know_them() {
    let Some(reference) = common::reference() else { return };
    let recorded = std::fs::read_to_string(reference.join("api/initialize.json")).unwrap();
    let server = Server::start(&[]);
    let token = server.user("alice");
    let reply = server.post("/api/workflow/initialize").token(&token).send();
    let raw = |text: &str| -> Vec<String> {
        let types: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).unwrap();
        types.iter().map(|one| canonical(one.get())).collect()
    };
    let listed = raw(&reply.text());
    for recorded in raw(&recorded) {
        // The keys in their order and the fields in theirs; fields may have been added behind.
        let same = recorded.strip_suffix("]}").unwrap();
        let found = listed.iter().any(|one| one.starts_with(same));
        assert!(found, "not as recorded: {recorded}");
    }
}

#[test]
fn block_types_are_listed_with_help_on_request() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let types = |path: &str| -> Vec<Value> {
        let reply = server.post(path).token(&token).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        serde_json::from_str(&reply.text()).unwrap()
    };
    assert!(types("/api/workflow/initialize").iter().all(|one| one.get("help").is_none()));
    for one in types("/api/workflow/initialize?help=true") {
        assert!(one["help"].as_str().is_some_and(|help| !help.is_empty()), "{one}");
        for field in one["fields"].as_array().unwrap() {
            assert!(field["help"].as_str().is_some_and(|help| !help.is_empty()), "{one}: {field}");
        }
        if one["name"] == "FeatureLabeling" {
            let input = &one["fields"][0];
            assert_eq!(
                (&input["type"], &input["otherTypes"][0]),
                (&"EPOCHS".into(), &"FeatureVector".into())
            );
        }
    }
    let refused = server.post("/api/workflow/initialize?help=perhaps").token(&token).send();
    assert_eq!(refused.status, 400);
}

#[test]
fn the_first_systems_page_gets_job_list_and_details_as_text() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let job = server.schedule(&token, &common::plots(1));
    server.finished(&token, job);
    let details = format!("/api/workflow/jobs/{job}");
    for path in ["/api/workflow/schedule", &details] {
        let ask = || server.get(path).token(&token);
        let json = ask().send();
        assert_eq!(json.header("content-type"), Some("application/json"), "{path}");
        let one_header = ask().header("token", &token).send();
        assert_eq!(one_header.header("content-type"), Some("application/json"), "{path}");
        let text = ask().header("token", &token).header("email", "alice@example.org").send();
        assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
        assert_eq!((text.status, text.text()), (200, json.text()));
    }
    for path in ["/api/workflow/jobs", "/api/workflow/schedule"] {
        let ask = server.post(path).token(&token).header("token", &token).header("email", "x");
        let text = ask.urlencoded(&[("jobId", &job.to_string())]).send();
        assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
        let details: Value = serde_json::from_str(&text.text()).unwrap();
        assert_eq!(details["status"], "COMPLETED", "{path}");
    }
    // The headers are no login.
    let stranger = server.get(&details).header("token", &token).header("email", "x").send();
    assert_eq!(stranger.status, 403);
}
