//! Files of models, ONNX and safetensors.
//!
//! Run: `cargo +nightly fuzz run model` in the folder of the crate `eeg-workflow-core`.
#![no_main]

use eeg_workflow_core::eeg::Model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Model::from_bytes(bytes) {
        // What was read is written so that it reads the same; NaN weights equal nothing.
        let (onnx, safetensors) = (model.to_onnx(), model.to_safetensors());
        for file in [&onnx, &safetensors] {
            let again = Model::from_bytes(file);
            assert!(again.is_ok_and(|again| again.to_onnx() == onnx));
        }
    }
});
