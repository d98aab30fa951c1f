//! EDF and EDF+ files.
//!
//! Run: `cargo +nightly fuzz run edf` in the folder of the crate `eeg-workflow-core`.
#![no_main]

use eeg_workflow_core::eeg::formats::edf::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // What decides between the formats is settled, the rest is not.
    let mut bytes = bytes.to_vec();
    if let Some(version) = bytes.get_mut(..8) {
        version.copy_from_slice(b"0       ");
    }
    if let Ok(recording) = parse(bytes) {
        assert_eq!(recording.data().dim(), recording.shape());
        assert_eq!(recording.envelope(10).len(), recording.shape().0);
        let _ = recording.events();
    }
});
