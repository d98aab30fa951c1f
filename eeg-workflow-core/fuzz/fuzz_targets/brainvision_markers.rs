//! The text of a BrainVision marker file, whatever is in it.
//!
//! Run: `cargo +nightly fuzz run brainvision_markers` in the folder of the crate `eeg-workflow-core`.
#![no_main]

use eeg_workflow_core::eeg::formats::brainvision::Markers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Markers::parse(text);
});
