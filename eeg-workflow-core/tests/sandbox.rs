//! What confined code can reach and what not, tried with the machine's Python.
#![cfg(all(feature = "python", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod sandbox_support;

use eeg_workflow_core::runtime::sandbox::{Sandbox, SandboxKind};
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
fn it_holds_for_other_users_too() {
    run_again_as_others();
}
