//! Python modules through the real server: uploaded as they are, run, refused, removed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::{common, python_lab};

use std::time::Instant;

use common::{Server, soon};
use python_lab::*;
use serde_json::json;

#[test]
fn a_module_in_the_documented_form_is_uploaded_and_run_as_it_is() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let reply = server.upload(&token, "Lab.zip", &everything());
    assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"new_blocks_length":4}"#));

    let types = server.get("/api/workflow/initialize").token(&token).send().json();
    let make = types.as_array().unwrap().iter().find(|one| one["name"] == "Make").unwrap();
    assert_eq!((&make["module"], &make["family"]), (&"Lab.zip:Lab".into(), &"Sources".into()));
    assert_eq!(make["owner"], "alice@example.org");
    let fields: Vec<String> = make["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| format!("{}:{}:{}", field["name"], field["type"], field["defaultValue"]))
        .map(|text| text.replace('"', ""))
        .collect();
    assert_eq!(
        fields,
        [
            "number:NUMBER:1.5",
            "numbers:NUMBER[]:[1,2]",
            "text:STRING:abc",
            "texts:STRING[]:[a,b]",
            "flag:BOOLEAN:True",
            "file:FILE:",
            "place:FILE_LOCATION:out",
            "files:FILE[]:[]",
            "lines:STRING[]:null"
        ]
    );

    for (path, text) in [("notes/one.txt", "first"), ("two.txt", "second"), ("three.txt", "third")]
    {
        let put = server.request("PUT", &format!("/api/files/{path}")).token(&token);
        assert_eq!(put.body("application/octet-stream", text).send().status, 201);
    }
    let lab = "Lab.zip:Lab";
    let values = json!({"number": "7", "numbers": ["3", "4"], "text": "héllo", "texts": ["x"],
        "flag": "False", "file": "Home/notes/one.txt", "files": ["Home/two.txt", "Home/three.txt"]});
    let document = workflow(
        &[
            block(1, lab, "Make", values.clone()),
            block(2, lab, "Make", json!({"file": "Home/two.txt", "files": []})),
            block(3, lab, "Gather", json!({})),
            block(4, lab, "Gather", json!({})),
            block(5, lab, "Picture", json!({})),
            block(6, lab, "Train", json!({})),
        ],
        &[edge((1, "lines"), (3, "any")), edge((2, "lines"), (3, "any"))],
    );
    let job = server.schedule(&token, &document);
    let details = server.finished(&token, job);
    assert_eq!(details["status"], "COMPLETED", "{details:#}");
    let blocks = details["executionStatus"].as_array().unwrap();
    let shown = |at: usize| blocks[at]["output"]["value"].as_str().unwrap_or_default();
    assert_eq!(
        shown(0),
        "file='Home/notes/one.txt'\nfiles=['Home/two.txt', 'Home/three.txt']\nflag='False'\n\
         number='7'\nnumbers=['3', '4']\nplace='out'\ntext='héllo'\ntexts=['x']"
    );
    // What the document leaves out is what a designer would have sent.
    assert!(shown(1).contains("number='1.5'\nnumbers=['1', '2']\nplace='out'\ntext='abc'"));
    assert_eq!(
        shown(2),
        "[['été', 'naïve', 'first', 'second', 'third'], ['été', 'naïve', 'second']]"
    );
    assert_eq!(shown(3), "'nothing'");
    let printed = blocks[0]["stdout"].to_string();
    for line in ["made HÉLLO!", "a warning", "to stderr"] {
        assert!(printed.contains(line), "{line} in {printed}");
    }
    assert_eq!(blocks[0]["stderr"], "");
    for (at, kind, content) in [(4, "GRAPH", &b"\x89PNG"[..]), (5, "FILE", b"weights")] {
        let output = &blocks[at]["output"];
        assert_eq!(output["type"], kind, "{output}");
        let name = output["value"]["filename"].as_str().unwrap();
        let file = server.get(&format!("/api/workflow/file/{job}/{name}")).token(&token).send();
        assert_eq!(file.status, 200);
        assert!(file.body.starts_with(content), "{:?}", file.body);
    }
}

#[test]
fn a_bad_module_is_refused_with_its_error_leaves_nothing_and_can_be_fixed() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let before = server.modules(&token);
    let no_block = module(&[], "").replace("{\n}", "{'Text': 'abc'}");
    for (what, code, error, details) in [
        ("a syntax error", "x = 1\ndef broken(:\n", "Bad/__init__.py, line 2", "SyntaxError"),
        (
            "a package that is missing",
            "x = 1\nimport no_such_package.part\n",
            "package \"no_such_package\" is not installed (Bad/__init__.py, line 2: \
             import no_such_package.part)",
            "ModuleNotFoundError",
        ),
        (
            "a name that is not there",
            "from blocks.Block import Nothing\n",
            "ImportError: cannot import name 'Nothing'",
            "Traceback",
        ),
        ("no mapping", "x = 1\n", "string_classobject_mapping", ""),
        ("an entry that is no block", &no_block, "entry \"Text\"", ""),
        (
            "an exception",
            "def fail():\n    raise ValueError('two\\nlines')\nfail()\n",
            "ValueError: two lines (Bad/__init__.py, line 2",
            "ValueError: two\nlines",
        ),
        ("sys.exit", "import sys\nsys.exit('leaving')\n", "SystemExit: leaving", "Traceback"),
        (
            "exit",
            "import os\nprint('gone', flush=True)\nos._exit(7)\n",
            "exited with status 7",
            "gone",
        ),
    ] {
        let reply = server.upload(&token, "Bad.zip", &[("Bad/__init__.py", code)]);
        assert_eq!(reply.status, 400, "{what}: {}", reply.text());
        let told = reply.error();
        assert!(told.contains(error) && !told.contains('\n'), "{what}: {told}");
        let more = reply.json()["details"].as_str().unwrap_or_default().to_owned();
        assert!(more.contains(details), "{what}: {more}");
        assert_eq!(server.modules(&token), before, "{what}");
        let left = |folder: &str| {
            std::fs::read_dir(server.folder().join(folder)).into_iter().flatten().count()
        };
        soon(what, || server.python_processes().is_empty());
        assert_eq!((left("python/archives"), left("python/workers")), (0, 0), "{what}");
        let files = std::fs::read_dir(server.folder().join("modules")).unwrap().flatten();
        assert!(files.count() <= 1, "only the index may be there");
    }
    let fixed = module(&["Begin"], SLEEP);
    uploaded(&server, &token, "Bad.zip", &[("Bad/__init__.py", &fixed)]);
    let again = server.upload(&token, "Bad.zip", &[("Bad/__init__.py", &fixed)]);
    assert_eq!(
        (again.status, again.error().as_str()),
        (403, "Module name 'Bad' in Bad.zip already exsists, pls change the name")
    );
    let document = workflow(&[block(1, "Bad.zip:Bad", "Begin", json!({}))], &[]);
    let details = server.finished(&token, server.schedule(&token, &document));
    assert_eq!(details["executionStatus"][0]["output"]["value"], "begun");
}

#[test]
fn only_whom_the_operator_allows_may_upload_code() {
    let declarative = r#"{"format":1,"blocks":[{"name":"One","preset":
        {"module":"Arithmetic.zip:Arithmetic","type":"Constant","values":{"constant value":"1"}}}]}"#;
    let python = module(&["Begin"], SLEEP);
    for (who, admin, other) in [("admins", 200, 403), ("users", 200, 200), ("none", 403, 403)] {
        let server = Server::start(&["--python-uploads", who]);
        let (first, second) = (server.user("first"), server.user("second"));
        for (token, archive, expected) in [(&second, "Two", other), (&first, "One", admin)] {
            let path = format!("{archive}/__init__.py");
            let reply = server.upload(token, &format!("{archive}.zip"), &[(&path, &python)]);
            assert_eq!(reply.status, expected, "{who}: {}", reply.text());
            if expected == 403 {
                let whom = if who == "none" { "nobody" } else { "only administrators" };
                assert!(reply.error().starts_with(whom), "{}", reply.error());
            }
        }
        let reply = server.upload(&second, "Plain.zip", &[("Plain/module.json", declarative)]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!server.get("/api/users/details").token(&first).send().text().contains("admin"));
    }
}

#[test]
fn accounts_of_an_earlier_version_are_kept_and_the_first_is_the_administrators() {
    let mut server = Server::start(&[]);
    let tokens = [server.user("first"), server.user("second")];
    server.terminate();
    let accounts = rusqlite::Connection::open(server.folder().join("accounts.db")).unwrap();
    accounts
        .execute_batch("ALTER TABLE users DROP COLUMN is_admin; PRAGMA user_version = 1;")
        .unwrap();
    drop(accounts);
    let server = Server::start_in(server.data.clone(), &[]);
    let python = module(&["Begin"], SLEEP);
    for (token, expected) in tokens.iter().rev().zip([403, 200]) {
        let reply = server.upload(token, "Lab.zip", &[("Lab/__init__.py", &python)]);
        assert_eq!(reply.status, expected, "{}", reply.text());
    }
}

#[test]
fn a_private_module_is_its_owners_alone_and_can_be_removed() {
    let server = Server::start(&["--python-uploads", "users"]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    uploaded(&server, &alice, "Lab.zip", &[("Lab/__init__.py", &module(&["Begin"], SLEEP))]);
    assert!(server.modules(&alice).contains(&"Lab.zip:Lab".to_owned()));
    assert!(!server.modules(&bob).contains(&"Lab.zip:Lab".to_owned()));
    let document = workflow(&[block(1, "Lab.zip:Lab", "Begin", json!({}))], &[]);
    let refused = |token: &str| {
        let request = server.post("/api/workflow/schedule").token(token);
        let reply = request.form(&[("workflow", &document)]).send();
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(reply.text().contains("unknown-module"), "{}", reply.text());
    };
    refused(&bob);
    let remove = |token: &str| {
        server.request("DELETE", "/api/workflow/modules/Lab.zip").token(token).send().status
    };
    assert_eq!(remove(&bob), 404);
    assert_eq!(run_block(&server, &alice, "Begin", json!({}))["output"]["value"], "begun");
    assert_eq!(remove(&alice), 200);
    refused(&alice);
    soon("its interpreters end", || server.python_processes().is_empty());
    let archives = server.folder().join("python/archives");
    soon("its code is gone", || std::fs::read_dir(&archives).unwrap().count() == 0);
    uploaded(&server, &bob, "Lab.zip", &[("Lab/__init__.py", &module(&["Begin"], SLEEP))]);
}

#[test]
fn a_slow_import_holds_up_nobody_and_needs_no_client_to_end_well() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let slow = format!("import time\ntime.sleep(3)\n{}", module(&["Begin"], SLEEP));
    let files = [("Lab/__init__.py", slow.as_str())];
    let archive = common::zip(&files);
    let upload = || {
        let request = server.post("/api/workflow/upload").token(&token);
        request.multipart(&[], &[("file", "Lab.zip", &archive)])
    };
    // Two clients with the same archive, the first of which goes away.
    let gone = upload().open();
    soon("it is being imported", || !server.python_processes().is_empty());
    let other = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| upload().send());
        drop(gone);
        let started = Instant::now();
        assert_eq!(server.get("/healthz").send().status, 200);
        assert!(!server.modules(&token).contains(&"Lab.zip:Lab".to_owned()));
        assert!(!waiting.is_finished(), "the others took {:?}", started.elapsed());
        waiting.join().unwrap()
    });
    assert_eq!(other.status, 403, "{}", other.text());
    assert!(other.error().contains("already exsists"));
    assert_eq!(run_block(&server, &token, "Begin", json!({}))["output"]["value"], "begun");
}

#[test]
fn without_a_sandbox_code_is_refused_unless_the_operator_allows_it() {
    let python = module(&["Begin"], SLEEP);
    let files = [("Lab/__init__.py", python.as_str())];
    let server = Server::start(&["--python-sandbox", "none"]);
    let token = server.user("alice");
    let reply = server.upload(&token, "Lab.zip", &files);
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(reply.error().contains("--allow-unsandboxed-python"), "{}", reply.error());
    soon("it is logged", || server.log().contains("Python modules are refused"));
    drop(server);

    let server = Server::start(&["--python-sandbox", "none", "--allow-unsandboxed-python"]);
    let token = server.user("alice");
    uploaded(&server, &token, "Lab.zip", &files);
    assert_eq!(run_block(&server, &token, "Begin", json!({}))["output"]["value"], "begun");
    assert_eq!(server.log().matches("WITHOUT a sandbox").count(), 1, "{}", server.log());
}

#[test]
fn an_interpreter_that_is_not_there_is_told_of_at_an_upload() {
    let server = Server::start(&["--python", "no-such-python"]);
    let token = server.user("alice");
    let python = module(&["Begin"], SLEEP);
    let reply = server.upload(&token, "Lab.zip", &[("Lab/__init__.py", &python)]);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.error().contains("no-such-python"), "{}", reply.error());
    let server = Server::start(&["--python", "/bin/cat"]);
    let token = server.user("alice");
    let reply = server.upload(&token, "Lab.zip", &[("Lab/__init__.py", &python)]);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.error().contains("not a usable Python interpreter"), "{}", reply.error());
}

#[test]
fn blocks_read_the_files_of_their_user_whatever_the_servers_umask_is() {
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "umask 077 && exec \"$0\" \"$@\"", common::PROGRAM]);
    let server = Server::start_by(command, tempfile::TempDir::new().unwrap().into(), &[]);
    let token = server.user("alice");
    uploaded(&server, &token, "Lab.zip", &everything());
    let put = server.request("PUT", "/api/files/deep/down/one.txt").token(&token);
    assert_eq!(put.body("application/octet-stream", "found").send().status, 201);
    let values = json!({"file": "Home/deep/down/one.txt", "files": []});
    let made = run_block(&server, &token, "Make", values);
    assert_eq!((&made["error"], &made["stderr"]), (&json!(false), &json!("")), "{made}");
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(server.folder().join(path)).unwrap().permissions().mode() & 0o777
    };
    let modes = ["", "files/1/deep", "files/1/deep/down", "files/1/deep/down/one.txt"].map(mode);
    assert_eq!(modes, [0o700, 0o755, 0o755, 0o644]);
}

#[test]
fn details_name_the_modules_but_not_to_clients_of_the_first_system() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &module(&["Begin"], SLEEP))]);
    let document = workflow(&[block(1, "Lab.zip:Lab", "Begin", json!({}))], &[]);
    let job = server.schedule(&token, &document);
    let details = server.finished(&token, job);
    assert_eq!(details["modules"][0]["module"], "Lab.zip:Lab", "{details:#}");
    for path in ["/api/workflow/jobs", "/api/workflow/schedule"] {
        let form = [("jobId", job.to_string())];
        let form: Vec<(&str, &str)> = form.iter().map(|(name, id)| (*name, id.as_str())).collect();
        let mut expected = details.clone();
        expected.as_object_mut().unwrap().remove("modules");
        assert_eq!(server.post(path).token(&token).form(&form).send().json(), expected);
    }
}

#[test]
fn errors_do_not_tell_where_the_server_keeps_things() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let code = module(
        &["Fail"],
        "
class Fail(Block):
    def __init__(self):
        self.output = BlockOutput('value', ParameterType.STRING, 0, 1)
    def execute(self):
        raise ValueError('wrong in ' + __file__)
",
    );
    uploaded(&server, &token, "Lab.zip", &[("Lab/__init__.py", &code)]);
    let failed = run_block(&server, &token, "Fail", json!({}));
    let error = failed["stderr"].as_str().unwrap();
    assert!(error.contains("File \"Lab/__init__.py\", line"), "{error}");
    assert!(error.contains("wrong in Lab/__init__.py"), "{error}");
    let broken = format!("{code}\nraise KeyError(__file__)\n");
    let refused = server.upload(&token, "Bad.zip", &[("Bad/__init__.py", &broken)]);
    assert_eq!(refused.status, 400, "{}", refused.text());
    let folder = server.folder();
    for text in [failed.to_string(), refused.text()] {
        assert!(!text.contains(folder.to_str().unwrap()), "{text}");
    }
}
