//! Workflow documents: read, written and planned.
//!
//! Run: `cargo +nightly fuzz run workflow_document` in the folder of the crate `eeg-workflow-core`.
#![no_main]

use std::sync::LazyLock;

use eeg_workflow_core::builtin::registry;
use eeg_workflow_core::module::ModuleRegistry;
use eeg_workflow_core::workflow::Workflow;
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<ModuleRegistry> = LazyLock::new(|| registry().unwrap_or_default());

fuzz_target!(|text: &str| {
    if let Ok(workflow) = Workflow::from_json(text) {
        let again = Workflow::from_json(workflow.as_json()).map(|w| w.block_count());
        assert_eq!(again.ok(), Some(workflow.block_count()));
        let _ = workflow.plan(&*REGISTRY);
    }
});
