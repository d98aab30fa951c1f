//! Accounts and tokens through the real server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::time::Duration;

use common::Server;

#[test]
fn an_account_is_made_once_whatever_the_case_of_its_address() {
    let server = Server::start(&[]);
    let register = |email: &str, name: &str, password: &str| {
        let fields = [("email", email), ("username", name), ("password", password)];
        server.post("/api/users/register/").urlencoded(&fields).send()
    };
    let reply = register(" Jürgen@Example.org ", "Jürgen ☃", "pässwörd");
    assert_eq!((reply.status, reply.text().as_str()), (201, r#"{"success":"New User Created"}"#));
    let again = register("JÜRGEN@example.org", "x", "y");
    assert_eq!((again.status, again.error().as_str()), (403, "user exsists"));
    for (email, name, password) in
        [("", "n", "p"), ("a@b.c", "", "p"), ("a@b.c", "n", ""), ("a\n@b.c", "n", "p")]
    {
        assert_eq!(register(email, name, password).status, 400);
    }
    let long = "x".repeat(5000);
    assert!(register(&long, "n", "p").error().contains("longer than 254 bytes"));
    assert!(register("a@b.c", &long, "p").error().contains("\"username\" is longer"));
    assert!(register("a@b.c", "n", &long).error().contains("\"password\" is longer"));
    let missing = server.post("/api/users/register").form(&[("email", "a@b.c")]).send();
    assert_eq!(
        (missing.status, missing.error().as_str()),
        (400, "the field \"username\" is missing")
    );

    for wrong in ["1", "true", "{}", "[\"secret\"]"] {
        let body = format!(r#"{{"email": "a@b.c", "username": "a", "password": {wrong}}}"#);
        let reply = server.post("/api/users/register").json(body).send();
        assert_eq!(reply.error(), "the field \"password\" must be a string", "{wrong}");
    }
    let body = r#"{"email": "a@b.c", "username": "a", "password": null}"#;
    let reply = server.post("/api/users/register").json(body).send();
    assert_eq!(reply.error(), "the field \"password\" is missing");

    let body = r#"{"email": "jürgen@EXAMPLE.org", "password": "pässwörd"}"#;
    let login = server.post("/api/users/login").json(body).send();
    assert_eq!(login.status, 200);
    let token = login.json()["token"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"reset":false,"id":"1","email":"Jürgen@Example.org","token":"{token}","username":"Jürgen ☃"}}"#
    );
    assert_eq!(login.text(), expected);
    let cookie = login.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with(&format!("token={token}; HttpOnly; SameSite=Lax; Path=/")),
        "{cookie}"
    );
    let details = server.get("/api/users/details").token(&token).send();
    assert_eq!(details.text(), r#"{"id":"1","email":"Jürgen@Example.org","username":"Jürgen ☃"}"#);
}

#[test]
fn a_changed_password_ends_every_token_and_gives_a_new_one() {
    let server = Server::start(&[]);
    let (first, second) = (server.user("alice"), server.login("ALICE@example.org", "secret"));
    assert_ne!(first, second);
    let reset = |token: &str, current: &str, new: &str| {
        let fields = [("currentPassword", current), ("newPassword", new)];
        server.post("/api/users/reset").token(token).form(&fields).send()
    };
    let wrong = reset(&first, "wrong", "new");
    assert_eq!((wrong.status, wrong.error().as_str()), (403, "Incorrect Password"));
    assert_eq!(reset(&first, "secret", "").status, 400);
    let done = reset(&first, "secret", "new");
    assert_eq!((done.status, done.text().as_str()), (200, r#"{"success":"Password Changed"}"#));
    for old in [&first, &second] {
        assert_eq!(server.get("/api/users/details").token(old).send().status, 400);
    }
    let cookie = done.header("set-cookie").unwrap();
    let new = cookie.strip_prefix("token=").unwrap().split(';').next().unwrap();
    assert_eq!(server.get("/api/users/details").token(new).send().status, 200);
    let fields = [("email", "alice@example.org"), ("password", "secret")];
    assert_eq!(server.post("/api/users/login").form(&fields).send().status, 403);
    server.login("alice@example.org", "new");
}

#[test]
fn tokens_expire_and_accounts_may_go() {
    let server = Server::start(&["--token-lifetime", "4"]);
    let token = server.user("alice");
    let details = || server.get("/api/users/details").token(&token).send();
    assert_eq!(details().status, 200);
    std::thread::sleep(Duration::from_secs(5));
    let expired = details();
    assert_eq!(expired.status, 400);
    let expected = r#"{"message":"token expired, please login again","error":"token expired, please login again"}"#;
    assert_eq!(expired.text(), expected);

    let token = server.login("alice@example.org", "secret");
    let accounts = rusqlite::Connection::open(server.folder().join("accounts.db")).unwrap();
    accounts.execute("DELETE FROM users", []).unwrap();
    let gone = server.get("/api/users/details").token(&token).send();
    assert_eq!((gone.status, gone.error().as_str()), (404, "user does not exist, invalid token"));

    let none = server.get("/api/users/details").send();
    let error = "Authentication token is not available, please login to get one";
    assert_eq!((none.status, none.error().as_str()), (403, error));
    for wrong in ["", "garbage", "\"quoted\"", &"f".repeat(64), &"x".repeat(5000)] {
        let reply = server.get("/api/users/details").token(wrong).send();
        assert_eq!(reply.status, 400, "{wrong}");
        assert_eq!(reply.json()["message"], "Invalid token, please try again with a new token");
    }
}

#[test]
fn secrets_are_in_no_file_and_no_log() {
    let server = Server::start(&["--log", "trace"]);
    let token = server.user("alice");
    server.get("/api/users/details").token(&token).send();
    let mut accounts = Vec::new();
    for file in ["accounts.db", "accounts.db-wal"] {
        accounts.extend(std::fs::read(server.folder().join(file)).unwrap_or_default());
    }
    let contains = |needle: &str| accounts.windows(needle.len()).any(|w| w == needle.as_bytes());
    assert!(contains("alice@example.org") && contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(!contains(&token) && !contains("secret"));
    let log = server.log();
    assert!(log.contains("/api/users/details") && !log.contains(&token), "{log}");
}

#[test]
fn guessing_passwords_is_slowed_down() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let login = |email: &str, password: &str| {
        server.post("/api/users/login").form(&[("email", email), ("password", password)]).send()
    };
    for _ in 0..5 {
        let reply = login("alice@example.org", "wrong");
        let error = "Error with your e-mail/password combination";
        assert_eq!((reply.status, reply.error().as_str()), (403, error));
    }
    let slowed = login("Alice@example.org", "secret");
    assert_eq!(slowed.status, 429, "{}", slowed.text());
    assert_eq!(slowed.header("retry-after"), Some("1"));
    // Whoever is logged in, and other accounts, are not concerned.
    assert_eq!(server.get("/api/users/details").token(&token).send().status, 200);
    assert_eq!(login("bob@example.org", "x").status, 403);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(login("alice@example.org", "secret").status, 200);
}

#[test]
fn pages_of_other_sites_cannot_change_anything() {
    let server = Server::start(&["--origin", "https://lab.example.org"]);
    let token = server.user("alice");
    let post = |name: &str, value: &str| {
        server.post("/api/workflow/initialize").token(&token).header(name, value).send().status
    };
    let own = format!("http://{}", server.address);
    assert_eq!(post("Origin", &own), 200);
    assert_eq!(post("Origin", "https://lab.example.org"), 200);
    assert_eq!(post("Origin", "http://evil.example"), 403);
    assert_eq!(post("Origin", "null"), 403);
    assert_eq!(post("Sec-Fetch-Site", "cross-site"), 403);
    let read =
        server.get("/api/users/details").token(&token).header("Origin", "http://evil.example");
    let read = read.send();
    assert_eq!(read.status, 200);
    assert_eq!(read.header("access-control-allow-origin"), None);
}

#[test]
fn a_data_directory_has_one_server_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start(&[]);
    let mode = std::fs::metadata(server.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let second = std::process::Command::new(common::PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(server.folder())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty());
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another server"));
}
