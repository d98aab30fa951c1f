//! What some tests need beside Rust: the reference data and a `python3`. Without them such a test
//! says on standard error that it compared nothing. Where `EEG_REFERENCE` is set, as in CI, all of
//! it must be there, and the test fails.
#![allow(dead_code, unreachable_pub)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REFERENCE: &str = "EEG_REFERENCE";

/// The folder of the reference data.
#[track_caller]
pub fn reference() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference");
    let folder = std::env::var_os(REFERENCE).map_or_else(default, PathBuf::from);
    found(folder.is_dir(), &format!("the reference data in {}", folder.display()))?;
    Some(folder)
}

/// A file of the reference data, as a string.
#[track_caller]
pub fn reference_file(name: &str) -> Option<String> {
    let path = reference()?.join(name);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The machine's `python3`.
#[track_caller]
pub fn python() -> Option<Command> {
    let mut probe = Command::new("python3");
    probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    found(probe.status().is_ok_and(|status| status.success()), "python3")?;
    Some(Command::new("python3"))
}

/// Some if it is there; none, with a note, if it may be missing.
#[track_caller]
fn found(there: bool, what: &str) -> Option<()> {
    if there {
        return Some(());
    }
    assert!(std::env::var_os(REFERENCE).is_none(), "missing: {what}");
    // Not `eprintln`, which the test runner keeps back.
    let _ = writeln!(std::io::stderr(), "NOTHING COMPARED: {what} is missing");
    None
}
