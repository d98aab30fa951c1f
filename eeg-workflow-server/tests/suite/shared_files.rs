//! Files of all users, forms of several files, and quotas, through the real server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::thread;

use serde_json::json;

use crate::support::common::{Reply, Server};

/// Field, file name and content of each.
type ThreeFiles<'a> = [(&'a str, &'a str, &'a [u8]); 3];

fn put(server: &Server, token: &str, name: &str, content: &[u8]) -> Reply {
    let path = format!("/api/files/{name}");
    let request = server.request("PUT", &path).token(token);
    request.body("application/octet-stream", content.to_vec()).send()
}

fn names(server: &Server, token: &str, path: &str) -> Vec<String> {
    let list = server.get(path).token(token).send().json();
    let files = list.as_array().unwrap().iter();
    files.map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn shared_files_are_read_by_all_and_written_by_whom_the_operator_says() {
    let server = Server::start(&[]);
    let (admin, bob) = (server.user("admin"), server.user("bob"));
    let stored = put(&server, &admin, "Shared/lab/rec.txt", b"everybody's");
    assert_eq!((stored.status, &stored.json()["name"]), (201, &json!("lab/rec.txt")));
    let refused = put(&server, &bob, "Shared/lab/rec.txt", b"bob's");
    assert_eq!(refused.status, 403, "{}", refused.text());
    let delete = |token: &str, path: &str| server.request("DELETE", path).token(token).send();
    let path = "/api/files/Shared/lab/rec.txt";
    assert_eq!(delete(&bob, path).status, 403);
    let form: [(&str, &str, &[u8]); 2] = [("file", "own", b"x"), ("file", "Shared/x", b"x")];
    let reply = server.post("/api/files").token(&bob).multipart(&[], &form).send();
    assert_eq!(reply.status, 403, "{}", reply.text());

    assert_eq!(server.get(path).token(&bob).send().body, b"everybody's");
    for folder in ["/api/files/Shared", "/api/files/Shared/"] {
        assert_eq!(names(&server, &bob, folder), ["lab/rec.txt"]);
    }
    assert_eq!(names(&server, &bob, "/api/files/Shared/lab"), ["lab/rec.txt"]);
    assert!(names(&server, &bob, "/api/files").is_empty());
    assert_eq!(delete(&admin, "/api/files/Shared").status, 409);
    assert_eq!(put(&server, &admin, "Shared", b"x").status, 409);
    for name in ["Shared/../1/x", "Shared/.x", "Shared//x"] {
        let reply = put(&server, &admin, name, b"x");
        assert!([400, 404].contains(&reply.status), "{name}: {}", reply.text());
    }
    assert_eq!(delete(&admin, path).status, 200);
    assert_eq!(server.get(path).token(&bob).send().status, 404);

    let server = Server::start(&["--shared-files", "users"]);
    let (_, bob) = (server.user("admin"), server.user("bob"));
    assert_eq!(put(&server, &bob, "Shared/x", b"x").status, 201);
    let server = Server::start(&["--shared-files", "none"]);
    let admin = server.user("admin");
    assert_eq!(put(&server, &admin, "Shared/x", b"x").status, 403);
}

#[test]
fn a_form_of_several_files_is_stored_whole_or_not_at_all() {
    let server = Server::start(&["--files-quota", "10K"]);
    let token = server.user("alice");
    let upload = |files: &[(&str, &str, &[u8])]| {
        server.post("/api/files").token(&token).multipart(&[], files).send()
    };
    assert_eq!(put(&server, &token, "old", b"as it was").status, 201);
    assert_eq!(put(&server, &token, "folder/x", b"x").status, 201);
    let large = vec![7; 11_000];
    let refused: [(u16, ThreeFiles<'_>); 5] = [
        (409, [("f", "old", b"new"), ("f", "a", b"a"), ("f", "folder", b"no")]),
        (409, [("f", "folder/x", b"new"), ("f", "a", b"a"), ("f", "old/below", b"no")]),
        (413, [("f", "old", b"new"), ("f", "a", b"a"), ("f", "b", &large)]),
        (400, [("f", "old", b"new"), ("f", "a", b"a"), ("f", "a", b"again")]),
        (400, [("f", "old", b"new"), ("f", "a", b"a"), ("f", "a/b", b"no")]),
    ];
    for (index, (status, files)) in refused.iter().enumerate() {
        let reply = upload(files);
        assert_eq!(reply.status, *status, "{index}: {}", reply.text());
        assert_eq!(names(&server, &token, "/api/files"), ["folder/x", "old"], "{index}");
        assert_eq!(server.get("/api/files/old").token(&token).send().body, b"as it was");
    }
    assert_eq!(upload(&[("f", "old", b"new"), ("f", "b", b"b")]).status, 201);
    assert_eq!(server.get("/api/files/old").token(&token).send().body, b"new");
    let left = std::fs::read_dir(server.folder().join("files/.incoming")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn uploads_at_once_stay_within_the_quota_and_deleting_always_works() {
    let server = Server::start(&["--files-quota", "100K", "--max-files", "8"]);
    let token = server.user("alice");
    thread::scope(|scope| {
        for number in 0..20 {
            let (server, token) = (&server, &token);
            scope.spawn(move || {
                let reply = put(server, token, &format!("f{number}"), &vec![7; 30_000]);
                assert!([201, 413].contains(&reply.status), "{}", reply.text());
            });
        }
    });
    let list = server.get("/api/files").token(&token).send().json();
    let sizes = list.as_array().unwrap().iter().map(|file| file["size"].as_u64().unwrap());
    let total: u64 = sizes.sum();
    assert!(total <= 100 * 1024, "{list}");
    // Some of those that came at once may all have been refused, but one after the other fits.
    while put(&server, &token, "one-more", &[]).status != 201 {
        let first = names(&server, &token, "/api/files").remove(0);
        let path = format!("/api/files/{first}");
        assert_eq!(server.request("DELETE", &path).token(&token).send().status, 200);
    }
    for number in 0..20 {
        put(&server, &token, &format!("empty{number}"), &[]);
    }
    assert_eq!(names(&server, &token, "/api/files").len(), 8);
    let refused = put(&server, &token, "ninth", &[]);
    assert_eq!(refused.status, 413, "{}", refused.text());
    assert!(refused.error().contains("more than 8 files"), "{}", refused.error());
    let path = "/api/files/one-more";
    assert_eq!(server.request("DELETE", path).token(&token).send().status, 200);
    assert_eq!(put(&server, &token, "ninth", &[]).status, 201);
}

#[test]
fn nothing_is_written_through_links() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    assert_eq!(put(&server, &token, "a", b"a").status, 201);
    let elsewhere = server.folder().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("file"), "kept").unwrap();
    let folder = server.folder().join("files/1");
    std::os::unix::fs::symlink(&elsewhere, folder.join("linked")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("file"), folder.join("link")).unwrap();
    for name in ["linked/file", "linked/new", "linked/deep/new"] {
        let reply = put(&server, &token, name, b"written");
        assert_eq!(reply.status, 409, "{name}: {}", reply.text());
        let form: [(&str, &str, &[u8]); 1] = [("file", name, b"written")];
        let reply = server.post("/api/files").token(&token).multipart(&[], &form).send();
        assert_eq!(reply.status, 409, "{name}: {}", reply.text());
    }
    // The link itself is replaced.
    assert_eq!(put(&server, &token, "link", b"written").status, 201);
    assert_eq!(server.get("/api/files/link").token(&token).send().body, b"written");
    assert_eq!(std::fs::read_to_string(elsewhere.join("file")).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn workflows_of_all_users_read_shared_files() {
    use crate::support::python_lab::{block, module, workflow};

    const READ: &str = "
class Read(Block):
    def __init__(self):
        self.file = BlockParameter('file', ParameterType.FILE, '')
    def input_params(self, data):
        self.path = self.FILE_BASE_PATH + data['file'].split('/', 1)[1]
    def execute(self):
        return open(self.path).read(), 'STRING'
";
    let server = Server::start(&[]);
    let (admin, bob) = (server.user("admin"), server.user("bob"));
    let code = module(&["Read"], READ);
    let archive = [("Lab/__init__.py", code.as_str())];
    assert_eq!(server.upload(&admin, "Lab.zip", &archive).status, 200);
    let public = server.request("PUT", "/api/workflow/modules/Lab.zip").token(&admin);
    assert_eq!(public.urlencoded(&[("public", "true")]).send().status, 200);

    assert_eq!(put(&server, &admin, "Shared/lab/common.txt", b"everybody's").status, 201);
    assert_eq!(put(&server, &bob, "lab/common.txt", b"bob's").status, 201);
    for (token, file, content) in [
        (&admin, "Shared/lab/common.txt", Some("everybody's")),
        (&bob, "Shared/lab/common.txt", Some("everybody's")),
        (&bob, "Home/lab/common.txt", Some("bob's")),
        (&admin, "Home/lab/common.txt", None),
        (&bob, "Shared/../2/lab/common.txt", None),
    ] {
        let document = workflow(&[block(1, "Lab.zip:Lab", "Read", json!({"file": file}))], &[]);
        let details = server.finished(token, server.schedule(token, &document));
        let shown = details["executionStatus"][0]["output"]["value"].as_str();
        assert_eq!(shown, content, "{file}: {details:#}");
    }
}
