//! Files of users and artifacts of jobs through the real server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use common::Server;

#[test]
fn files_are_stored_listed_read_and_deleted() {
    let server = Server::start(&[]);
    let token = server.user("alice");
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let stored = server
        .request("PUT", "/api/files/rec%20ordings/a%2Bb.eeg")
        .token(&token)
        .body("application/octet-stream", content.clone())
        .send();
    assert_eq!(stored.status, 201, "{}", stored.text());
    assert_eq!(stored.json()["name"], "rec ordings/a+b.eeg");
    let form: [(&str, &str, &[u8]); 2] =
        [("file", "rec ordings/a.vhdr", b"header"), ("file", "top.txt", b"")];
    let stored = server.post("/api/files/").token(&token).multipart(&[("x", "y")], &form).send();
    assert_eq!(stored.status, 201, "{}", stored.text());
    let one: [(&str, &str, &[u8]); 1] = [("file", "ignored", b"markers")];
    let path = "/api/files/rec%20ordings/a.vmrk";
    assert_eq!(server.post(path).token(&token).multipart(&[], &one).send().status, 201);
    // A file of the same name is replaced.
    assert_eq!(server.post(path).token(&token).body("text/plain", "new").send().status, 201);

    let list = server.get("/api/files").token(&token).send().json();
    let names = |list: &serde_json::Value| -> Vec<(String, u64)> {
        let files = list.as_array().unwrap().iter();
        files.map(|f| (f["name"].as_str().unwrap().into(), f["size"].as_u64().unwrap())).collect()
    };
    let expected = [
        ("rec ordings/a+b.eeg".to_owned(), 4_000_000),
        ("rec ordings/a.vhdr".to_owned(), 6),
        ("rec ordings/a.vmrk".to_owned(), 3),
        ("top.txt".to_owned(), 0),
    ];
    assert_eq!(names(&list), expected);
    assert!(list[0]["modified"].as_u64().unwrap() > 1_600_000_000);
    let folder = server.get("/api/files/rec%20ordings/").token(&token).send().json();
    assert_eq!(names(&folder), expected[..3]);

    let eeg = "/api/files/rec%20ordings/a+b.eeg";
    let read = server.get(eeg).token(&token).send();
    assert_eq!((read.status, read.body == content), (200, true));
    assert_eq!(
        read.header("content-disposition"),
        Some("attachment; filename*=UTF-8''a%2Bb%2Eeeg")
    );
    assert_eq!(read.header("cache-control"), Some("private, no-cache"));
    let part = server.get(eeg).token(&token).header("Range", "bytes=70000-").send();
    assert_eq!((part.status, &part.body[..]), (206, &content[70_000..]));
    assert_eq!(server.get("/api/files/top.txt").token(&token).send().body, b"");

    let delete = |path: &str| server.request("DELETE", path).token(&token).send().status;
    assert_eq!(delete("/api/files/rec%20ordings"), 409);
    for path in [eeg, path, "/api/files/rec%20ordings/a.vhdr"] {
        assert_eq!(delete(path), 200);
        assert_eq!(delete(path), 404);
    }
    assert!(!server.folder().join("files/1/rec ordings").exists());
}

#[test]
fn no_name_leads_out_of_a_users_folder() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let put = |token: &str, path: &str| {
        server.request("PUT", path).token(token).body("text/plain", "x").send()
    };
    assert_eq!(put(&alice, "/api/files/mine.txt").status, 201);
    assert_eq!(server.get("/api/files").token(&bob).send().text(), "[]");
    assert_eq!(server.get("/api/files/mine.txt").token(&bob).send().status, 404);
    for name in [
        "../1/mine.txt",
        "..%2f1%2fmine.txt",
        "%2e%2e/1/mine.txt",
        "a/../../1/mine.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "a%00b",
        "a%0ab",
        "..%5cx",
        ".hidden",
        "a/.ssh/x",
        "%ff",
        "a//b",
        "./a",
    ] {
        let path = format!("/api/files/{name}");
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let reply = server.request(method, &path).token(&bob).body("text/plain", "x").send();
            assert!(matches!(reply.status, 400 | 404), "{method} {name}: {}", reply.text());
            assert!(!reply.error().is_empty());
        }
    }
    for name in ["../x", "/x", "a/../../x", "..\\x", ".x", "a/", ""] {
        let files: [(&str, &str, &[u8]); 1] = [("file", name, b"x")];
        let reply = server.post("/api/files").token(&bob).multipart(&[], &files).send();
        assert_eq!(reply.status, 400, "{name:?}: {}", reply.text());
    }
    let deep = format!("/api/files/{}", vec!["d"; 40].join("/"));
    assert_eq!(put(&bob, &deep).status, 400);
    assert_eq!(put(&bob, &format!("/api/files/{}", "n".repeat(256))).status, 400);
    assert_eq!(put(&alice, "/api/files/mine.txt/below").status, 409);
    assert_eq!(put(&alice, "/api/files/d/e.txt").status, 201);
    assert_eq!(put(&alice, "/api/files/d").status, 409);

    // Links that somebody puts there by hand are not followed.
    let folder = server.folder().join("files/1");
    std::os::unix::fs::symlink("/etc", folder.join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("passwd")).unwrap();
    for path in ["/api/files/etc/passwd", "/api/files/passwd", "/api/files/etc"] {
        assert_eq!(server.get(path).token(&alice).send().status, 404, "{path}");
    }
    assert!(!server.get("/api/files").token(&alice).send().text().contains("passwd"));
}

#[test]
fn an_upload_has_limits_and_leaves_nothing_when_it_is_refused() {
    let server =
        Server::start(&["--max-file", "100K", "--files-quota", "150K", "--body-timeout", "1"]);
    let token = server.user("alice");
    let put = |name: &str, size: usize| {
        let path = format!("/api/files/{name}");
        server
            .request("PUT", &path)
            .token(&token)
            .body("application/octet-stream", vec![7; size])
            .send()
    };
    assert_eq!(put("a", 90_000).status, 201);
    let large = put("b", 110_000);
    assert_eq!((large.status, large.error().contains("102400")), (413, true), "{}", large.text());
    let over = put("b", 80_000);
    assert_eq!((over.status, over.error().contains("quota")), (413, true), "{}", over.text());
    // What is replaced does not count.
    assert_eq!(put("a", 100_000).status, 201);

    // A client that stops in the middle, and one that goes away.
    use std::io::Write;
    let head = format!(
        "PUT /api/files/c HTTP/1.1\r\nHost: x\r\nCookie: token={token}\r\nContent-Length: 1000\r\n\r\nsome"
    );
    let mut slow = std::net::TcpStream::connect(&server.address).unwrap();
    slow.write_all(head.as_bytes()).unwrap();
    assert_eq!(common::Reply::read(&mut slow, false).status, 408);
    let mut gone = std::net::TcpStream::connect(&server.address).unwrap();
    gone.write_all(head.as_bytes()).unwrap();
    drop(gone);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let list = server.get("/api/files").token(&token).send().json();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let left = std::fs::read_dir(server.folder().join("files/.incoming")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn artifacts_are_sent_with_type_range_and_caching() {
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let job = server.schedule(&alice, &common::plots(1));
    let details = server.finished(&alice, job);
    let name = details["executionStatus"][0]["output"]["value"]["filename"].as_str().unwrap();
    let path = format!("/api/workflow/file/{job}/{name}");
    let whole = server.get(&path).token(&alice).send();
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("image/png")));
    assert_eq!(&whole.body[..8], b"\x89PNG\r\n\x1a\n");
    assert!(whole.header("content-disposition").unwrap().starts_with("inline;"));
    assert!(whole.header("content-security-policy").unwrap().contains("sandbox"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert!(whole.header("cache-control").unwrap().starts_with("private"));
    let size = whole.body.len();
    let etag = whole.header("etag").unwrap();

    let head = server.request("HEAD", &path).token(&alice).send();
    let length = size.to_string();
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, Some(&*length), 0)
    );
    for known in [etag, "*", &format!("\"x\", W/{etag}")] {
        let same = server.get(&path).token(&alice).header("If-None-Match", known).send();
        assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(etag)));
    }
    let changed = server.get(&path).token(&alice).header("If-None-Match", "\"other\"").send();
    assert_eq!(changed.status, 200);
    let part = server.get(&path).token(&alice).header("Range", "bytes=1-3").send();
    assert_eq!((part.status, &part.body[..]), (206, &b"PNG"[..]));
    assert_eq!(part.header("content-range"), Some(&*format!("bytes 1-3/{size}")));
    let outside = server.get(&path).token(&alice).header("Range", "bytes=99999999-").send();
    assert_eq!(outside.status, 416);
    assert_eq!(outside.header("content-range"), Some(&*format!("bytes */{size}")));
    let other =
        server.get(&path).token(&alice).header("Range", "bytes=0-1").header("If-Range", "\"x\"");
    assert_eq!(other.send().status, 200);

    assert_eq!(server.get(&path).send().status, 403);
    let foreign = server.get(&path).token(&bob).send();
    let missing = server.get(&format!("/api/workflow/file/{job}/x.png")).token(&alice).send();
    assert_eq!((foreign.status, foreign.text()), (missing.status, missing.text()));
    assert_eq!(missing.status, 404);
    let mut folders = std::fs::read_dir(server.folder().join("jobs")).unwrap().flatten();
    let folder = folders.find(|folder| {
        folder.file_name().to_string_lossy().split('-').next() == Some(&job.to_string())
    });
    std::os::unix::fs::symlink("/etc/passwd", folder.unwrap().path().join("link.png")).unwrap();
    let linked = server.get(&format!("/api/workflow/file/{job}/link.png")).token(&alice).send();
    assert_eq!(linked.status, 404);
}

#[test]
fn a_file_parameter_names_the_users_own_file_and_no_other() {
    let Some(reference) = common::reference() else { return };
    let server = Server::start(&[]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    for ending in ["vhdr", "vmrk", "eeg"] {
        let file = std::fs::read(reference.join(format!("eeg/data/bv_uwb/DoD_2015_02.{ending}")));
        let path = format!("/api/files/recordings/DoD_2015_02.{ending}");
        let put = server.request("PUT", &path).token(&alice);
        assert_eq!(put.body("application/octet-stream", file.unwrap()).send().status, 201);
    }
    let document = |file: &str| {
        format!(
            r#"{{"blocks": [
            {{"id": 1, "type": "OfflineDataProvider", "module": "EEG_Basil.zip:EEG_Basil", "values": {{"EEG File": "{file}"}}}},
            {{"id": 2, "type": "ChannelNames", "module": "EEG_Basil.zip:EEG_Basil", "values": {{}}}}],
            "edges": [{{"block1": 1, "connector1": ["EEGData", "output"], "block2": 2, "connector2": ["EEGData", "input"]}}]}}"#
        )
    };
    let job = server.schedule(&alice, &document("Home/recordings/DoD_2015_02.eeg"));
    let details = server.finished(&alice, job);
    assert_eq!(details["status"], "COMPLETED", "{details}");
    assert_eq!(details["executionStatus"][1]["output"]["value"], "['Fz', 'Cz', 'Pz']");
    let job = server.schedule(&bob, &document("Home/recordings/DoD_2015_02.eeg"));
    assert_eq!(server.finished(&bob, job)["status"], "FAILED");
    let job = server.schedule(&bob, &document("Home/../1/recordings/DoD_2015_02.eeg"));
    let details = server.finished(&bob, job);
    assert_eq!(details["status"], "FAILED");
    let stderr = details["executionStatus"][0]["stderr"].as_str().unwrap();
    assert!(
        stderr.contains("EEG File") && !stderr.contains(server.data.path().to_str().unwrap()),
        "{stderr}"
    );
}
