//! A BrainVision header, data and marker file together, separated by 0xFF; the data and marker
//! file have the names that a header of the corpus gives them.
//!
//! Run: `cargo +nightly fuzz run brainvision_set` in the folder of the crate `eeg-workflow-core`.
#![no_main]

use std::fs;
use std::path::Path;

use eeg_workflow_core::eeg;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let mut parts = bytes.splitn(3, |b| *b == 0xff);
    for name in ["a.vhdr", "a.eeg", "a.vmrk"] {
        if fs::write(folder.path().join(name), parts.next().unwrap_or_default()).is_err() {
            return;
        }
    }
    look(&folder.path().join("a.vhdr"), folder.path());
});

fn look(path: &Path, folder: &Path) {
    if let Ok(recording) = eeg::read_inside(path, folder) {
        assert_eq!(recording.data().dim(), recording.shape());
        assert_eq!(recording.envelope(10).len(), recording.shape().0);
        let _ = recording.events();
    }
}
