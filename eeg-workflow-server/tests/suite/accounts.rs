//! Who may register and log in, and how guessing is slowed down.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Reply, Server};

/// Registers from this address, as a proxy tells it.
fn register(server: &Server, name: &str, address: &str, more: &[(&str, &str)]) -> Reply {
    let email = format!("{name}@example.org");
    let mut fields = vec![("email", email.as_str()), ("username", name), ("password", "secret")];
    fields.extend(more);
    let request = server.post("/api/users/register").header("X-Forwarded-For", address);
    request.form(&fields).send()
}

fn login(server: &Server, name: &str, password: &str, address: &str) -> Reply {
    let email = format!("{name}@example.org");
    let request = server.post("/api/users/login").header("X-Forwarded-For", address);
    request.form(&[("email", &email), ("password", password)]).send()
}

#[test]
fn closed_registration_takes_nobody_and_existing_users_log_in() {
    let server = Server::start(&[]);
    server.user("alice");
    let server = Server::start_in(server.kill(), &["--registration", "closed"]);
    let refused = register(&server, "bob", "", &[]);
    assert_eq!((refused.status, refused.error().as_str()), (403, "registration is closed"));
    // Nobody is told who has an account.
    assert_eq!(register(&server, "alice", "", &[]).error(), "registration is closed");
    server.login("alice@example.org", "secret");
}

#[test]
fn an_invitation_lets_one_person_register_once() {
    let server = Server::start(&["--registration", "invite"]);
    let refused = register(&server, "alice", "", &[]);
    assert_eq!((refused.status, refused.error().contains("needs an invitation")), (403, true));
    let wrong = register(&server, "alice", "", &[("invitation", "guessed")]);
    assert_eq!((wrong.status, wrong.error().contains("has been used, has expired")), (403, true));

    // The operator invites an administrator, by the command, while the server runs.
    let output = server.users(&["invite", "Alice@example.org", "--admin"]);
    assert!(output.status.success(), "{output:?}");
    let invitation = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let given = [("invitation", invitation.as_str())];
    assert_eq!(register(&server, "mallory", "", &given).status, 403, "it is alice's");
    assert_eq!(register(&server, "alice", "", &given).status, 201);
    assert_eq!(register(&server, "alice2", "", &given).status, 403, "it was used");

    // The administrator invites others.
    let token = server.login("alice@example.org", "secret");
    let invite = |fields: &[(&str, &str)]| {
        server.post("/api/admin/invitations").token(&token).urlencoded(fields).send()
    };
    let reply = invite(&[("days", "2")]);
    assert_eq!(reply.status, 201, "{}", reply.text());
    let invitation = reply.json()["invitation"].as_str().unwrap().to_owned();
    assert_eq!(register(&server, "bob", "", &[("invitation", &invitation)]).status, 201);
    for wrong in [("days", "0"), ("days", "x"), ("days", "9999"), ("admin", "perhaps")] {
        assert_eq!(invite(&[wrong]).status, 400, "{wrong:?}");
    }
    // It was for an ordinary user, who may invite nobody.
    let bob = server.login("bob@example.org", "secret");
    let reply = server.post("/api/admin/invitations").token(&bob).send();
    assert_eq!((reply.status, reply.error().as_str()), (403, "only administrators may do this"));
}

#[test]
fn the_first_administrators_right_can_be_bound_to_a_printed_token() {
    let server = Server::start(&["--admin-token", "--registration", "closed"]);
    let token = server.announced.trim().rsplit('=').next().unwrap().to_owned();
    assert_eq!(token.len(), 64, "{:?}", server.announced);
    let wrong = register(&server, "mallory", "", &[("adminToken", &"0".repeat(64))]);
    assert_eq!((wrong.status, wrong.error().contains("administrator's token")), (403, true));
    assert_eq!(register(&server, "mallory", "", &[]).status, 403);
    assert_eq!(register(&server, "alice", "", &[("adminToken", &token)]).status, 201);
    let again = register(&server, "mallory", "", &[("adminToken", &token)]);
    assert_eq!(again.status, 403, "it was used");
    let alice = server.login("alice@example.org", "secret");
    assert_eq!(server.get("/api/admin/users").token(&alice).send().status, 200);

    // There is an administrator: no other token is printed.
    let server = Server::start_in(server.kill(), &["--admin-token"]);
    assert_eq!(server.announced, "");
    // And the first account of a server with a token is an ordinary one without it.
    let server = Server::start(&["--admin-token"]);
    let bob = server.user("bob");
    assert_eq!(server.get("/api/admin/users").token(&bob).send().status, 403);
    assert!(!server.log().contains(server.announced.trim().rsplit('=').next().unwrap()));
}

#[test]
fn a_minimum_length_of_passwords_holds_for_new_ones() {
    let server = Server::start(&[]);
    server.user("old");
    let server = Server::start_in(server.kill(), &["--min-password-length", "8"]);
    let set = |password: &str| {
        let fields = [("email", "a@b.c"), ("username", "a"), ("password", password)];
        server.post("/api/users/register").form(&fields).send()
    };
    let short = set("1234567");
    assert_eq!(short.status, 400);
    assert_eq!(short.error(), "the field \"password\" must have at least 8 characters");
    assert_eq!(set("pässwörd").status, 201);
    // Shorter ones that exist go on working, until they are changed.
    let token = server.login("old@example.org", "secret");
    let reset = |new: &str| {
        let fields = [("currentPassword", "secret"), ("newPassword", new)];
        server.post("/api/users/reset").token(&token).form(&fields).send()
    };
    assert_eq!((reset("short").status, reset("longer than before").status), (400, 200));
}

#[test]
fn accounts_from_one_address_are_limited_and_others_go_on() {
    let server = Server::start(&["--behind-proxy", "--registrations-per-hour", "3"]);
    for number in 0..3 {
        assert_eq!(register(&server, &format!("u{number}"), "203.0.113.1", &[]).status, 201);
    }
    let refused = register(&server, "u3", "203.0.113.1", &[]);
    assert_eq!(refused.status, 429, "{}", refused.text());
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1200).contains(&wait), "{wait}");
    // Other addresses register, and here one still logs in.
    assert_eq!(register(&server, "u3", "203.0.113.2", &[]).status, 201);
    assert_eq!(login(&server, "u3", "secret", "203.0.113.1").status, 200);
    // An IPv6 network counts as one address.
    for number in 4..7 {
        let address = format!("2001:db8::{number}");
        assert_eq!(register(&server, &format!("u{number}"), &address, &[]).status, 201);
    }
    assert_eq!(register(&server, "u7", "2001:db8::8", &[]).status, 429);
}

#[test]
fn guesses_from_elsewhere_lock_nobody_out() {
    let server = Server::start(&["--behind-proxy"]);
    let (attacker, home) = ("203.0.113.1", "203.0.113.2");
    assert_eq!(register(&server, "alice", home, &[]).status, 201);
    for _ in 0..5 {
        assert_eq!(login(&server, "alice", "wrong", attacker).status, 403);
    }
    for password in ["wrong", "secret"] {
        assert_eq!(login(&server, "alice", password, attacker).status, 429);
    }
    assert_eq!(login(&server, "alice", "secret", home).status, 200);
    // Also from where she has never been.
    assert_eq!(login(&server, "alice", "secret", "203.0.113.3").status, 200);
}

#[test]
fn guesses_at_many_accounts_are_slowed_and_let_others_behind_the_address_through() {
    let server = Server::start(&["--behind-proxy"]);
    let shared = "203.0.113.1";
    assert_eq!(register(&server, "bob", shared, &[]).status, 201);
    assert_eq!(register(&server, "carol", "203.0.113.2", &[]).status, 201);
    let mut slowed = 0;
    for number in 0..34 {
        let reply = login(&server, &format!("nobody{number}"), "wrong", shared);
        assert!(matches!(reply.status, 403 | 429), "{}", reply.text());
        slowed += u32::from(reply.status == 429);
    }
    assert!(slowed > 0);
    // Bob was here before: nothing of it concerns him. Carol waits a little.
    let started = Instant::now();
    assert_eq!(login(&server, "bob", "secret", shared).status, 200);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let reply = login(&server, "carol", "secret", shared);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_flood_of_passwords_does_not_keep_others_from_logging_in() {
    let server = Server::start(&["--behind-proxy"]);
    assert_eq!(register(&server, "alice", "203.0.113.2", &[]).status, 201);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("flood-{thread}-{number}");
                    match number % 2 {
                        0 => register(server, &name, "203.0.113.1", &[]),
                        _ => login(server, &name, "wrong", "203.0.113.1"),
                    };
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        let logins: Vec<(u16, Duration)> = (0..5)
            .map(|_| {
                let started = Instant::now();
                (login(&server, "alice", "secret", "203.0.113.2").status, started.elapsed())
            })
            .collect();
        let started = Instant::now();
        let healthy = server.get("/healthz").send().status;
        stop.store(true, Ordering::Relaxed);
        assert!(
            logins.iter().all(|(status, time)| *status == 200 && time.as_secs() < 10),
            "{logins:?}"
        );
        assert_eq!(healthy, 200);
        assert!(started.elapsed() < Duration::from_secs(10));
    });
}
