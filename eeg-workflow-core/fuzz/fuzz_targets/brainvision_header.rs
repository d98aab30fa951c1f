//! The text of a BrainVision header, whatever is in it.
//!
//! Run: `cargo +nightly fuzz run brainvision_header` in the folder of the crate `eeg-workflow-core`.
#![no_main]

use eeg_workflow_core::eeg::formats::brainvision::Header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(header) = Header::parse(text) {
        assert!(header.sfreq().is_finite());
        assert!(header.stored_channels() > 0);
    }
});
