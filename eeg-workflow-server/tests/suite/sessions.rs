//! Sessions of a user: listed, ended one by one, and by logging out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use common::Server;
use serde_json::Value;

fn list(server: &Server, token: &str) -> Vec<Value> {
    let reply = server.get("/api/users/sessions").token(token).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json().as_array().unwrap().clone()
}

fn is_alive(server: &Server, token: &str) -> bool {
    server.get("/api/users/details").token(token).send().status == 200
}

#[test]
fn a_user_sees_the_own_sessions_and_ends_them() {
    let server = Server::start(&[]);
    let first = server.user("alice");
    let fields = [("email", "alice@example.org"), ("password", "secret")];
    let second = server.post("/api/users/login").header("User-Agent", "a browser").form(&fields);
    let second = second.send().json()["token"].as_str().unwrap().to_owned();
    let third = server.login("alice@example.org", "secret");
    let bob = server.user("bob");

    let sessions = list(&server, &second);
    assert_eq!(sessions.len(), 3);
    let current: Vec<&Value> = sessions.iter().filter(|one| one["current"] == true).collect();
    assert_eq!(current.len(), 1);
    assert_eq!(
        (&current[0]["program"], &current[0]["address"]),
        (&"a browser".into(), &"127.0.0.1".into())
    );
    assert!(current[0]["expires"].as_str().unwrap().len() == 24, "{}", current[0]);
    let text = server.get("/api/users/sessions").token(&second).send().text();
    assert!(!text.contains(&second) && !text.contains(&first), "it tells no tokens");

    // One of them ends; others' sessions are nobody else's.
    let end = |token: &str, id: &str| {
        server.request("DELETE", &format!("/api/users/sessions/{id}")).token(token).send().status
    };
    let id = list(&server, &third).iter().find(|one| one["current"] == true).unwrap()["id"].clone();
    assert_eq!(end(&bob, id.as_str().unwrap()), 404);
    assert_eq!(end(&first, id.as_str().unwrap()), 200);
    assert_eq!(end(&first, id.as_str().unwrap()), 404);
    assert_eq!(
        [&first, &second, &third].map(|token| is_alive(&server, token)),
        [true, true, false]
    );

    // All others end.
    let reply = server.request("DELETE", "/api/users/sessions").token(&second).send();
    assert_eq!((reply.status, &reply.json()["ended"]), (200, &1.into()));
    assert_eq!([&first, &second].map(|token| is_alive(&server, token)), [false, true]);
    assert!(is_alive(&server, &bob));
}

#[test]
fn logging_out_ends_the_session_and_takes_the_cookie_away() {
    let server = Server::start(&[]);
    let (token, other) = (server.user("alice"), server.login("alice@example.org", "secret"));
    let reply = server.post("/api/users/logout").token(&token).send();
    assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"success":"Logged Out"}"#));
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.starts_with("token=;") && cookie.contains("Max-Age=0"), "{cookie}");
    let again = server.post("/api/users/logout").token(&token).send();
    assert_eq!((again.status, is_alive(&server, &other)), (400, true));
    assert_eq!(server.post("/api/users/logout").send().status, 403);
}
