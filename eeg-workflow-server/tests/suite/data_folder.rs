//! The data folder is its owner's alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use common::Server;

fn set_mode(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(folder: &Path) -> u32 {
    fs::metadata(folder).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_servers_folder_that_others_can_read_is_closed_to_them() {
    let server = Server::start(&[]);
    let folder = server.folder();
    let data = server.kill();
    set_mode(&folder, 0o755);
    let server = Server::start_in(data, &[]);
    assert_eq!(mode(&folder), 0o700);
    assert!(server.log().contains("it is now private"), "{}", server.log());
    // So is one that is empty.
    let data = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    fs::create_dir(data.path().join("data")).unwrap();
    set_mode(&data.path().join("data"), 0o777);
    let server = Server::start_in(data, &[]);
    assert_eq!(mode(&server.folder()), 0o700);
}

#[test]
fn a_folder_with_other_things_in_it_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    set_mode(folder.path(), 0o755);
    let output = Command::new(common::PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("can be read by others (mode 755)") && text.contains("chmod 700"),
        "{text}"
    );
    assert_eq!(mode(folder.path()), 0o755);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // Once it is private it is taken.
    set_mode(folder.path(), 0o700);
    let parent = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    fs::rename(folder.path(), parent.path().join("data")).unwrap();
    Server::start_in(parent, &[]);
}
