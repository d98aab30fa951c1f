//! Archives of modules.
//!
//! Run: `cargo +nightly fuzz run archive` in the folder of the crate `eeg-workflow-core`.
#![no_main]

use eeg_workflow_core::module::{Archive, ArchiveLimits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = ArchiveLimits::default();
    let _ = Archive::read("Lab.zip", bytes, &limits);
});
