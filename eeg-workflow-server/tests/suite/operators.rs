//! What operators do with users and jobs, over HTTP and by the command `users`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use common::{Reply, Server, soon};
use serde_json::Value;

/// A job that runs until it is ended.
fn endless(server: &Server, token: &str) -> i64 {
    server.schedule(token, &common::plots(2_000))
}

fn is_running(server: &Server, admin: &str, job: i64) -> bool {
    let jobs = server.get("/api/admin/jobs").token(admin).send();
    assert_eq!(jobs.status, 200, "{}", jobs.text());
    jobs.json().as_array().unwrap().iter().any(|one| one["id"] == job)
}

fn put_file(server: &Server, token: &str) {
    let put = server.request("PUT", "/api/files/a.txt").token(token);
    assert_eq!(put.body("application/octet-stream", "x").send().status, 201);
}

fn login(server: &Server, name: &str) -> Reply {
    let email = format!("{name}@example.org");
    server.post("/api/users/login").form(&[("email", &email), ("password", "secret")]).send()
}

#[test]
fn administrators_list_users_and_end_anybodys_jobs() {
    let server = Server::start(&["--threads", "1"]);
    let (admin, bob) = (server.user("alice"), server.user("bob"));
    let users = server.get("/api/admin/users").token(&admin).send().json();
    let users = users.as_array().unwrap();
    assert_eq!(users.len(), 2);
    assert_eq!(
        (&users[0]["email"], &users[0]["admin"]),
        (&"alice@example.org".into(), &true.into())
    );
    assert_eq!(
        (&users[1]["id"], &users[1]["admin"], &users[1]["disabled"]),
        (&"2".into(), &false.into(), &false.into())
    );
    assert_ne!(users[1]["lastSeen"], "");

    let job = endless(&server, &bob);
    let jobs = server.get("/api/admin/jobs").token(&admin).send().json();
    assert_eq!(
        (&jobs[0]["id"], &jobs[0]["owner"], &jobs[0]["status"]),
        (&job.into(), &"2".into(), &"RUNNING".into())
    );
    let cancel = format!("/api/admin/jobs/{job}/cancel");
    assert_eq!(server.post(&cancel).token(&bob).send().status, 403);
    assert_eq!(server.post(&cancel).token(&admin).send().status, 202);
    assert_eq!(server.finished(&bob, job)["status"], "CANCELLED");
    assert_eq!(server.post(&cancel).token(&admin).send().status, 200);
    assert_eq!(server.post("/api/admin/jobs/99/cancel").token(&admin).send().status, 404);
    for (method, path) in [
        ("GET", "/api/admin/users"),
        ("GET", "/api/admin/jobs"),
        ("DELETE", "/api/admin/users/1"),
        ("POST", "/api/admin/users/1/disable"),
    ] {
        assert_eq!(server.request(method, path).token(&bob).send().status, 403, "{path}");
        assert_eq!(server.request(method, path).send().status, 403, "{path}");
    }
}

#[test]
fn a_disabled_user_is_out_and_an_enabled_one_is_in_again() {
    let server = Server::start(&["--threads", "1"]);
    let (admin, bob) = (server.user("alice"), server.user("bob"));
    let job = endless(&server, &bob);
    let act = |path: &str| server.post(path).token(&admin).send().status;
    assert_eq!(act("/api/admin/users/2/disable"), 200);
    assert_eq!(server.get("/api/users/details").token(&bob).send().status, 400);
    let refused = login(&server, "bob");
    assert_eq!((refused.status, refused.error().as_str()), (403, "this account is disabled"));
    soon("the job ends", || !is_running(&server, &admin, job));
    assert_eq!(act("/api/admin/users/2/enable"), 200);
    assert_eq!(
        server.finished(&server.login("bob@example.org", "secret"), job)["status"],
        "CANCELLED"
    );
    // There is always an administrator left.
    assert_eq!(act("/api/admin/users/1/disable"), 409);
    assert_eq!(act("/api/admin/users/9/disable"), 404);
    assert_eq!(act("/api/admin/users/x/enable"), 404);
}

#[test]
fn nothing_is_left_of_a_deleted_user() {
    let server = Server::start(&["--threads", "1"]);
    let (admin, bob) = (server.user("alice"), server.user("bob"));
    put_file(&server, &bob);
    let module = r#"{"format": 1, "blocks": [{"name": "Two", "family": "Numbers", "description": "2",
        "preset": {"module": "Arithmetic.zip:Arithmetic", "type": "Constant",
                   "values": {"constant value": "2"}}}]}"#;
    let uploaded = server.upload(&bob, "Lab.zip", &[("Lab/module.json", module)]);
    let has_module = uploaded.status == 200;
    let (done, running) = (server.schedule(&bob, &common::addition()), endless(&server, &bob));
    server.finished(&bob, done);
    let deleted = server.request("DELETE", "/api/admin/users/2").token(&admin).send();
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert_eq!(server.get("/api/users/details").token(&bob).send().status, 404);
    assert_eq!(login(&server, "bob").status, 403);
    soon("the jobs end", || !is_running(&server, &admin, running));
    soon("the files go", || !server.folder().join("files/2").exists());
    soon("the artifacts go", || {
        std::fs::read_dir(server.folder().join("jobs")).unwrap().flatten().all(|entry| {
            let name = entry.file_name();
            let number = name.to_string_lossy().split('-').next().unwrap_or_default().to_owned();
            ![done, running].iter().any(|job| number == job.to_string())
        })
    });
    soon("it is logged", || server.log().contains("RemoveAll"));
    assert!(has_module, "{}", uploaded.text());
    let index = std::fs::read_dir(server.folder().join("modules")).unwrap().flatten();
    for entry in index {
        let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
        assert!(!text.contains("Lab.zip"), "{}", entry.path().display());
    }
    // The number is nobody else's.
    server.user("carol");
    let users = server.get("/api/admin/users").token(&admin).send().json();
    assert_eq!(users[1]["id"], "3");
}

#[test]
fn the_command_works_while_the_server_runs_and_when_it_is_stopped() {
    let mut server = Server::start(&["--threads", "1"]);
    let (admin, bob) = (server.user("alice"), server.user("bob"));
    let job = endless(&server, &bob);
    let text = String::from_utf8(server.users(&["list"]).stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("admin") && lines[1].contains("bob@example.org"),
        "{text}"
    );

    assert!(server.users(&["disable", "BOB@example.org"]).status.success());
    assert_eq!(server.get("/api/users/details").token(&bob).send().status, 400);
    soon("the job ends", || !is_running(&server, &admin, job));
    assert!(server.users(&["enable", "bob@example.org"]).status.success());
    let bob = server.login("bob@example.org", "secret");
    let job = endless(&server, &bob);
    assert!(server.users(&["end-jobs", "bob@example.org"]).status.success());
    assert_eq!(server.finished(&bob, job)["status"], "CANCELLED");
    put_file(&server, &bob);

    // When it is stopped, the server removes what is left when it starts again.
    assert!(server.terminate().success());
    assert!(server.users(&["delete", "bob@example.org"]).status.success());
    let listed: Value = serde_json::from_slice(&server.users(&["list", "--json"]).stdout).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["admin"]), (1, &true.into()));
    let unknown = server.users(&["delete", "bob@example.org"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no user"), "{unknown:?}");
    let server = Server::start_in(server.data.clone(), &[]);
    soon("the files go", || !server.folder().join("files/2").exists());

    let nowhere = std::process::Command::new(common::PROGRAM)
        .args(["users", "list", "--data-dir"])
        .arg(server.data.path().join("nowhere"))
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("there are no accounts here"));
}

#[test]
fn accounts_from_before_operators_are_kept_and_those_of_a_newer_program_are_refused() {
    let mut server = Server::start(&[]);
    let token = server.user("alice");
    server.terminate();
    let accounts = rusqlite::Connection::open(server.folder().join("accounts.db")).unwrap();
    accounts
        .execute_batch(
            "ALTER TABLE users DROP COLUMN is_disabled; ALTER TABLE tokens DROP COLUMN used;
             ALTER TABLE tokens DROP COLUMN address; ALTER TABLE tokens DROP COLUMN program;
             DROP TABLE known_networks; DROP TABLE invitations; DROP TABLE chores;
             PRAGMA user_version = 2;",
        )
        .unwrap();
    drop(accounts);
    let mut server = Server::start_in(server.data.clone(), &[]);
    let sessions = server.get("/api/users/sessions").token(&token).send().json();
    assert_eq!((&sessions[0]["current"], &sessions[0]["address"]), (&true.into(), &"".into()));
    assert_eq!(server.get("/api/admin/users").token(&token).send().json()[0]["admin"], true);
    server.login("alice@example.org", "secret");
    server.terminate();

    let accounts = rusqlite::Connection::open(server.folder().join("accounts.db")).unwrap();
    accounts.execute_batch("PRAGMA user_version = 99;").unwrap();
    drop(accounts);
    let refused = server.users(&["list"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("layout 99"), "{text}");
}
