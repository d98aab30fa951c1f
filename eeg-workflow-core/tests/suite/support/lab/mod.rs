//! A library with the modules `Arithmetic` and `Test`, and documents for it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::{BlockSpec, Value};
use eeg_workflow_core::builtin;
use eeg_workflow_core::engine::{Engine, EngineOptions, Keep, Report, RunOptions, RunStatus};
use eeg_workflow_core::module::{
    ArchiveLimits, InstallError, ManifestError, ModuleLibrary, ModuleRegistry, Owner,
};
use eeg_workflow_core::workflow::{BlockId, Plan, Workflow};
use serde_json::{Value as Json, json};

use crate::support::{common, zips};

pub const ARITHMETIC: &str = "Arithmetic.zip:Arithmetic";

/// A library in a folder that lives as long as this.
pub struct Lab {
    pub library: ModuleLibrary,
    _folder: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Self {
        let mut registry = ModuleRegistry::new();
        registry.register(builtin::arithmetic::module().unwrap()).unwrap();
        registry.register(common::module()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let library =
            ModuleLibrary::open(folder.path(), registry, ArchiveLimits::default()).unwrap();
        Self { library, _folder: folder }
    }

    /// Installs modules (folder, manifest) as `Lab.zip`.
    pub fn install(&self, modules: &[(&str, Json)]) -> Result<(), InstallError> {
        self.install_as("Lab.zip", modules)
    }

    pub fn install_as(&self, archive: &str, modules: &[(&str, Json)]) -> Result<(), InstallError> {
        let entries: Vec<_> = modules
            .iter()
            .map(|(name, json)| {
                zips::file(&format!("{name}/module.json"), json.to_string().as_bytes())
            })
            .collect();
        let owner = Owner { id: OwnerId(1), email: "user@lab.org".into() };
        self.library.install(&owner, false, archive, &zips::archive(&entries)).map(|_| ())
    }

    /// The error of one module `M` with these blocks.
    pub fn refused(&self, blocks: Json) -> ManifestError {
        match self.install(&[("M", json!({"format": 1, "blocks": blocks}))]) {
            Err(InstallError::Manifest(error)) => error,
            other => panic!("expected an error in the manifest, got {other:?}"),
        }
    }

    pub fn spec(&self, module: &str, block_type: &str) -> BlockSpec {
        let view = self.library.view(OwnerId(1));
        let module = &view.module(module).unwrap().module;
        module.get(block_type).unwrap().spec().clone()
    }

    pub fn plan(&self, blocks: Json, edges: Json) -> Plan {
        let document = json!({"blocks": blocks, "edges": edges}).to_string();
        let plan = Workflow::from_json(&document).unwrap().plan(&self.library.view(OwnerId(1)));
        plan.unwrap_or_else(|invalid| panic!("{:?}", invalid.diagnostics))
    }

    pub fn run(&self, blocks: Json, edges: Json) -> (Plan, Report) {
        let plan = self.plan(blocks, edges);
        let engine = Engine::new(EngineOptions { threads: Some(2), ..Default::default() }).unwrap();
        let options = RunOptions { keep: Keep::All, ..RunOptions::default() };
        let report = engine.start(&plan, options).wait();
        (plan, report)
    }
}

pub fn constant(id: i64, value: &str) -> Json {
    json!({"id": id, "type": "Constant", "module": ARITHMETIC, "values": {"constant value": value}})
}

pub fn edge(from: i64, output: &str, to: i64, input: &str) -> Json {
    json!({"id": from * 100 + to, "block1": from, "connector1": [output, "output"],
        "block2": to, "connector2": [input, "input"]})
}

pub fn output(plan: &Plan, report: &Report, id: i64) -> Value {
    let block = plan.index_of(&BlockId::Integer(id)).unwrap();
    assert_eq!(report.status(), RunStatus::Completed, "{:?}", report.failures());
    report.output(block, 0).cloned().unwrap()
}

pub fn statistics() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/modules/Statistics/module.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The workflow that adds one to its input with the block of this name.
pub fn increment(name: &str, module: &str, adds: &str) -> Json {
    json!({"name": name, "workflow": {
        "document": {
            "blocks": [
                {"id": 1, "type": adds, "module": module},
                {"id": 2, "type": "Addition", "module": ARITHMETIC},
                constant(3, "1"),
            ],
            "edges": [edge(1, "output", 2, "num1"), edge(3, "output", 2, "num2")],
        },
        "outputs": [{"name": "output", "from": {"block": 2, "port": "output"}}],
    }})
}
