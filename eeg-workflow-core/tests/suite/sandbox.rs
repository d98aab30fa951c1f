//! What confined code can reach and what not, tried with the machine's Python.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::sandbox_support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use eeg_workflow_core::runtime::sandbox::{Sandbox, SandboxKind, interpreter_paths};
use sandbox_support::world::World;
use sandbox_support::{confining, note, run_again_as_others};

#[test]
fn no_attempt_to_escape_succeeds() {
    for sandbox in confining() {
        let mut world = World::new(&sandbox);
        let said = world.place.run(&world.attempts());
        let attempts: Vec<&str> = said.lines().collect();
        let failed: Vec<&&str> =
            attempts.iter().filter(|line| !line.contains(": refused: ")).collect();
        assert!(failed.is_empty(), "{}: {failed:#?}", sandbox.kind());
        assert!(attempts.len() > 90, "{}: all were tried: {said}", sandbox.kind());
        world.assert_untouched();
        note(&format!("{} attempts fail under {}", attempts.len(), sandbox.kind()));
    }
}

#[test]
fn without_a_sandbox_the_same_attempts_succeed() {
    let world = World::new(&Sandbox::new(SandboxKind::None).unwrap());
    let said = world.place.run(&world.attempts());
    let succeeded = said.lines().filter(|line| line.ends_with(": ESCAPED")).count();
    assert_eq!(succeeded, said.lines().count(), "{said}");
    assert!(succeeded > 25, "{said}");
}

#[test]
fn the_best_sandbox_that_works_is_taken() {
    assert_eq!(Sandbox::detect().unwrap().kind(), confining()[0].kind());
}

#[test]
fn only_python_3_9_or_newer_is_taken_for_an_interpreter() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |program: &Path| interpreter_paths(program).unwrap_err().to_string();
    let script = |name: &str, text: &str| {
        let path = folder.path().join(name);
        // By a process of its own: another test's child could inherit the file, open for writing,
        // and then it cannot be started.
        let script = format!("#!/bin/sh\n{text}\n");
        let copy = ["-c", r#"printf %s "$1" > "$2""#, "sh", &script];
        assert!(Command::new("sh").args(copy).arg(&path).status().unwrap().success());
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    };
    let missing = folder.path().join("missing");
    assert!(refused(&missing).contains("cannot be started"));
    let failing = refused(&script("failing", "echo no such thing >&2; exit 3"));
    assert!(
        failing.contains("not a usable Python") && failing.contains("no such thing"),
        "{failing}"
    );
    let other = refused(&script("other", "echo hello"));
    assert!(other.contains("not a usable Python interpreter"), "{other}");
    let old = refused(&script("old", r#"echo '["/bin/python", [3, 8, 18], []]'"#));
    assert!(old.contains("version 3.8.18 is older than 3.9"), "{old}");
}

#[test]
fn it_holds_for_other_users_too() {
    run_again_as_others();
}
