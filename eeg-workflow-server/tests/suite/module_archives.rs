//! Archives of modules over HTTP: replaced, shared, removed, and what depends on them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::{common, python_lab};

use std::time::{Duration, Instant};

use common::{Reply, Server, zip};
use serde_json::{Value, json};

const BASE: &str = "/api/workflow/modules/Base.zip";

/// A module of one preset of another block type.
fn preset(module: &str, name: &str, of: (&str, &str), values: Value) -> [(String, String); 1] {
    let preset = json!({"module": of.0, "type": of.1, "values": values});
    let manifest = json!({"format": 1, "blocks": [{"name": name, "preset": preset}]});
    [(format!("{module}/module.json"), manifest.to_string())]
}

/// A constant of this name and number.
fn constant(name: &str, number: &str) -> [(String, String); 1] {
    let arithmetic = ("Arithmetic.zip:Arithmetic", "Constant");
    preset("Base", name, arithmetic, json!({"constant value": number}))
}

fn bytes(files: &[(String, String)]) -> Vec<u8> {
    zip(&files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>())
}

fn upload(server: &Server, token: &str, archive: &str, files: &[(String, String)]) -> Reply {
    let request = server.post("/api/workflow/upload").token(token);
    request.multipart(&[], &[("file", archive, &bytes(files))]).send()
}

fn replace(server: &Server, token: &str, fields: &[(&str, &str)], archive: &[u8]) -> Reply {
    let request = server.request("PUT", BASE).token(token);
    request.multipart(fields, &[("file", "any name", archive)]).send()
}

/// What a block without inputs shows.
fn shown(server: &Server, token: &str, module: &str, name: &str) -> Value {
    let document = python_lab::workflow(&[python_lab::block(1, module, name, json!({}))], &[]);
    let details = server.finished(token, server.schedule(token, &document));
    details["executionStatus"][0]["output"]["value"].clone()
}

#[test]
fn an_archive_is_replaced_in_one_step_and_what_depends_on_it_is_told() {
    let server = Server::start(&[]);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    assert_eq!(upload(&server, &ann, "Base.zip", &constant("One", "1")).status, 200);
    let over = preset("Over", "H2", ("Base.zip:Base", "One"), json!({}));
    assert_eq!(upload(&server, &ann, "Over.zip", &over).status, 200);

    let reply = replace(&server, &ann, &[], &bytes(&constant("One", "2")));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    assert_eq!(answer["new_blocks_length"], 1);
    assert_eq!(answer["dependents"], json!([{"archive": "Over.zip", "owner": "ann@example.org"}]));
    assert_eq!((&answer["private_dependents"], &answer["jobs"]), (&json!(0), &json!([])));
    assert_eq!(shown(&server, &ann, "Over.zip:Over", "H2"), "{'output': '2'}");

    // The body may be the archive itself.
    let request = server.request("PUT", BASE).token(&ann);
    let reply = request.body("application/zip", bytes(&constant("One", "3"))).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(shown(&server, &ann, "Over.zip:Over", "H2"), "{'output': '3'}");

    // What would not work any more is refused and named, and nothing changes.
    let reply = replace(&server, &ann, &[], &bytes(&constant("Other", "4")));
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.error().contains("\"Over.zip\" depends on it"), "{}", reply.error());
    let circle = preset("Base", "One", ("Over.zip:Over", "H2"), json!({}));
    assert_eq!(replace(&server, &ann, &[], &bytes(&circle)).status, 409);
    assert_eq!(replace(&server, &ann, &[], b"no zip").status, 400);
    assert_eq!(shown(&server, &ann, "Over.zip:Over", "H2"), "{'output': '3'}");

    // There is nothing to replace for others, and nothing is told of it.
    let reply = replace(&server, &bob, &[], &bytes(&constant("One", "5")));
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert_eq!(server.get(BASE).token(&bob).send().status, 404);
    let described = server.get(BASE).token(&ann).send().json();
    assert_eq!(described["modules"], json!(["Base.zip:Base"]));
    assert_eq!(described["dependents"][0]["archive"], "Over.zip");
    let listed = server.get("/api/workflow/modules").token(&ann).send().json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(server.get("/api/workflow/modules").token(&bob).send().json(), json!([]));

    let removed = server.request("DELETE", BASE).token(&ann).send().json();
    assert_eq!(removed["success"], "Module Removed");
    assert_eq!(removed["dependents"][0]["archive"], "Over.zip");
}

#[test]
fn a_name_that_somebody_has_privately_blocks_nobody_and_is_not_told() {
    let server = Server::start(&[]);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    for token in [&ann, &bob] {
        assert_eq!(upload(&server, token, "Base.zip", &constant("One", "1")).status, 200);
        let again = upload(&server, token, "Base.zip", &constant("One", "1"));
        assert_eq!(again.status, 403, "{}", again.text());
    }
    let other = preset(
        "Another",
        "One",
        ("Arithmetic.zip:Arithmetic", "Constant"),
        json!({"constant value": "1"}),
    );
    let same_archive = upload(&server, &ann, "Base.zip", &other);
    assert_eq!(same_archive.status, 403, "{}", same_archive.text());
    assert!(same_archive.error().contains("already installed"), "{}", same_archive.error());
}

#[test]
fn an_archive_is_shared_by_one_switch_and_taken_back() {
    let server = Server::start(&[]);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    assert_eq!(upload(&server, &ann, "Base.zip", &constant("One", "1")).status, 200);
    let switch = |token: &str, to: &str| {
        server.request("PUT", BASE).token(token).urlencoded(&[("public", to)]).send()
    };
    let module = "Base.zip:Base".to_owned();
    assert!(!server.modules(&bob).contains(&module));
    let reply = switch(&ann, "true");
    assert_eq!((reply.status, &reply.json()["public"]), (200, &json!(true)), "{}", reply.text());
    assert_eq!(shown(&server, &bob, &module, "One"), "{'output': '1'}");
    // A new version is as public as the old one.
    assert_eq!(replace(&server, &ann, &[], &bytes(&constant("One", "2"))).status, 200);
    assert_eq!(shown(&server, &bob, &module, "One"), "{'output': '2'}");
    assert_eq!(switch(&bob, "false").status, 404);
    assert_eq!(switch(&ann, "maybe").status, 400);
    assert_eq!(server.request("PUT", BASE).token(&ann).json(json!({"x": 1})).send().status, 400);

    // Somebody else's archive depends on it, which its owner may not know.
    let over = preset("Over", "H2", (&module, "One"), json!({}));
    assert_eq!(upload(&server, &bob, "Over.zip", &over).status, 200);
    let reply = switch(&ann, "false");
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.error().contains("a private archive of another user"), "{}", reply.error());
    assert!(!reply.text().contains("Over"), "{}", reply.text());
    assert_eq!(server.get(BASE).token(&ann).send().json()["private_dependents"], 1);
    let over = "/api/workflow/modules/Over.zip";
    assert_eq!(server.request("DELETE", over).token(&bob).send().status, 200);
    assert_eq!(switch(&ann, "false").status, 200);
    assert!(!server.modules(&bob).contains(&module));

    // Two public modules of one name there are not.
    assert_eq!(upload(&server, &bob, "Base.zip", &constant("One", "3")).status, 200);
    assert_eq!(switch(&bob, "true").status, 200);
    let reply = switch(&ann, "true");
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(reply.error().contains("already exsists"), "{}", reply.error());
}

#[test]
fn an_administrator_removes_anybodys_archive() {
    let server = Server::start(&[]);
    let (admin, ann, bob) = (server.user("admin"), server.user("ann"), server.user("bob"));
    for token in [&ann, &bob] {
        assert_eq!(upload(&server, token, "Base.zip", &constant("One", "1")).status, 200);
    }
    let remove = |token: &str, path: &str| server.request("DELETE", path).token(token).send();
    let of_ann = format!("{BASE}?owner=ann%40example.org");
    assert_eq!(remove(&bob, &of_ann).status, 404);
    let listed = server.get("/api/workflow/modules").token(&admin).send().json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    let reply = remove(&admin, BASE);
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.error().contains("ann@example.org, bob@example.org"), "{}", reply.error());
    assert_eq!(remove(&admin, &of_ann).status, 200);
    assert_eq!(remove(&admin, &of_ann).status, 404);
    assert!(server.modules(&bob).contains(&"Base.zip:Base".to_owned()));
    // There is one of this name only.
    assert_eq!(remove(&admin, BASE).status, 200);
    assert!(!server.modules(&bob).contains(&"Base.zip:Base".to_owned()));
}

#[cfg(target_os = "linux")]
mod python {
    use super::*;
    use crate::support::python_lab::{SLEEP, block, module, uploaded, workflow};

    /// A module whose block sleeps for as long as it is told, and says this.
    fn sleeping(says: &str) -> String {
        module(&["Sleep"], &SLEEP.replace("'slept'", &format!("'{says}'")))
    }

    #[test]
    fn a_block_that_runs_is_not_in_the_way_of_a_new_version() {
        let server = Server::start(&["--python-workers", "1", "--python-import-timeout", "10"]);
        let token = server.user("ann");
        let lab = |says: &str| zip(&[("Lab/__init__.py", &sleeping(says))]);
        uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &sleeping("old"))]);
        let document = |seconds: u32| {
            workflow(&[block(1, "Lab.zip:Lab", "Sleep", json!({"seconds": seconds}))], &[])
        };
        let job = server.schedule(&token, &document(12));
        common::soon("the block runs", || {
            server.get("/metrics").send().text().contains("eeg_python_workers{state=\"busy\"} 1")
        });
        let path = "/api/workflow/modules/Lab.zip";
        let started = Instant::now();
        let put = server.request("PUT", path).token(&token).body("application/zip", lab("new"));
        let reply = put.send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["jobs"], json!([job]));
        // The old version again, whose worker is busy.
        let removed = server.request("DELETE", path).token(&token).send();
        assert_eq!((removed.status, &removed.json()["jobs"]), (200, &json!([])));
        uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &sleeping("old"))]);
        assert_eq!(server.get(path).token(&token).send().json()["jobs"], json!([job]));
        assert_eq!(server.request("DELETE", path).token(&token).send().status, 200);
        uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &sleeping("old"))]);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        let reply = server.request("PUT", path).token(&token);
        assert_eq!(reply.body("application/zip", lab("new")).send().status, 200);

        let details = server.finished(&token, job);
        assert_eq!(details["executionStatus"][0]["output"]["value"], "old", "{details:#}");
        let next = server.finished(&token, server.schedule(&token, &document(0)));
        assert_eq!(next["executionStatus"][0]["output"]["value"], "new", "{next:#}");
    }

    #[test]
    fn a_list_of_packages_that_is_not_used_is_told_at_upload() {
        let server = Server::start(&[]);
        let token = server.user("ann");
        let code = sleeping("x");
        let upload = |archive: &str, files: &[(&str, &str)]| {
            let reply = server.upload(&token, archive, files);
            assert_eq!(reply.status, 200, "{}", reply.text());
            reply.json()["warnings"].as_array().cloned().unwrap_or_default()
        };
        assert!(upload("Plain.zip", &[("Plain/__init__.py", &code)]).is_empty());
        let listed = [("Lab/__init__.py", code.as_str()), ("Lab/requirements.txt", "pip\n")];
        let warnings = upload("Lab.zip", &listed);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].as_str().unwrap().contains("modules install Lab.zip"), "{warnings:?}");
        let elsewhere =
            [("Deep/__init__.py", code.as_str()), ("Deep/a/requirements.txt", "numpy\n")];
        let warnings = upload("Deep.zip", &elsewhere);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].as_str().unwrap().contains("Deep/a/requirements.txt is not used"));
    }
}
