//! Composed blocks inside composed blocks: how deep and how large they may be, and which of them
//! failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::{lab, zips};

use eeg_workflow_core::block::{Catalog, OwnerId};
use eeg_workflow_core::builtin::registry;
use eeg_workflow_core::module::{ArchiveLimits, InstallError, ModuleLibrary, Owner};
use eeg_workflow_core::workflow::{Code, Workflow};
use lab::{ARITHMETIC, constant, edge};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const TOO_DEEP: &str = "blocks depend on each other more than 16 deep";

struct Library {
    library: ModuleLibrary,
    _folder: tempfile::TempDir,
}

impl Library {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = ArchiveLimits::default();
        let library = ModuleLibrary::open(folder.path(), registry().unwrap(), limits).unwrap();
        Self { library, _folder: folder }
    }

    /// Installs a module `M` of these blocks, in an archive of this name.
    fn install(&self, archive: &str, module: &str, blocks: &[Json]) -> Result<(), InstallError> {
        let manifest = json!({"format": 1, "blocks": blocks}).to_string();
        let entry = zips::file(&format!("{module}/module.json"), manifest.as_bytes());
        let owner = Owner { id: OwnerId(1), email: String::new() };
        self.library.install(&owner, false, archive, &zips::archive(&[entry])).map(drop)
    }

    fn problem(&self, archive: &str, module: &str, blocks: &[Json]) -> String {
        match self.install(archive, module, blocks) {
            Err(InstallError::Manifest(error)) => error.problem,
            other => panic!("{other:?}"),
        }
    }
}

fn preset(name: &str, module: &str, block_type: &str) -> Json {
    json!({"name": name, "preset": {"module": module, "type": block_type}})
}

/// A workflow of so many blocks of one type.
fn many(name: &str, module: &str, block_type: &str, count: usize) -> Json {
    let block = |id| json!({"id": id, "type": block_type, "module": module});
    let blocks: Vec<Json> = (0..count).map(block).collect();
    json!({"name": name, "workflow": {"document": {"blocks": blocks, "edges": []}}})
}

/// Presets that depend on each other: `B0` on Constant, `B1` on `B0`, and so on.
fn chain(length: usize) -> Vec<Json> {
    let block = |i: usize| match i.checked_sub(1) {
        None => preset("B0", ARITHMETIC, "Constant"),
        Some(below) => preset(&format!("B{i}"), "M", &format!("B{below}")),
    };
    (0..length).map(block).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_depth_is_limited_whatever_the_order_of_declaration(
        (length, order) in (1_usize..40).prop_flat_map(|length| {
            (Just(length), Just(chain(length)).prop_shuffle())
        })
    ) {
        let library = Library::new();
        match library.install("Lab.zip", "M", &order) {
            Ok(()) => prop_assert!(length <= 16, "{length}"),
            Err(InstallError::Manifest(error)) => {
                prop_assert!(length > 16, "{length}");
                prop_assert_eq!(error.problem, TOO_DEEP);
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}

#[test]
fn a_thousand_presets_declared_from_below_are_refused() {
    assert_eq!(Library::new().problem("Lab.zip", "M", &chain(1000)), TOO_DEEP);
}

#[test]
fn the_depth_counts_across_archives() {
    let library = Library::new();
    let mut below = (ARITHMETIC.to_owned(), "Constant");
    for i in 0..5 {
        let (archive, module) = (format!("A{i}.zip"), format!("M{i}"));
        let blocks =
            [preset("X", &below.0, below.1), preset("Y", &module, "X"), preset("Z", &module, "Y")];
        library.install(&archive, &module, &blocks).unwrap();
        below = (format!("{archive}:{module}"), "Z");
    }
    // 15 deep so far.
    library.install("Sixteen.zip", "Sixteen", &[preset("X", &below.0, "Z")]).unwrap();
    let blocks = [preset("X", &below.0, "Z"), preset("Y", "Deep", "X")];
    assert_eq!(library.problem("Deep.zip", "Deep", &blocks), TOO_DEEP);
}

#[test]
fn blocks_that_multiply_are_refused() {
    let mut blocks = vec![many("L0", ARITHMETIC, "Constant", 10)];
    for i in 1..9 {
        blocks.push(many(&format!("L{i}"), "M", &format!("L{}", i - 1), 10));
    }
    let problem = "the block runs more than 10000 inner blocks";
    assert_eq!(Library::new().problem("Lol.zip", "M", &blocks), problem);
    blocks.reverse();
    assert_eq!(Library::new().problem("Lol.zip", "M", &blocks), problem);
    // 10 + 100 + 1000 of them are fine.
    let start = blocks.len() - 3;
    Library::new().install("Lol.zip", "M", &blocks[start..]).unwrap();
}

#[test]
fn a_workflow_of_composed_blocks_that_multiply_is_refused() {
    let library = Library::new();
    library.install("Lab.zip", "M", &[many("Thousand", ARITHMETIC, "Constant", 1000)]).unwrap();
    let workflow = |count: usize| {
        let block = |id| json!({"id": id, "type": "Thousand", "module": "Lab.zip:M"});
        let blocks: Vec<Json> = (0..count).map(block).collect();
        Workflow::from_json(&json!({"blocks": blocks, "edges": []}).to_string()).unwrap()
    };
    let view = library.library.view(OwnerId(1));
    assert!(workflow(100).plan(&view).is_ok());
    let error = workflow(101).plan(&view).unwrap_err();
    assert_eq!(error.diagnostics[0].code, Code::TooManyInnerBlocks);
    assert_eq!(error.to_string(), "the workflow's blocks run 101000 inner blocks (at most 100000)");
}

#[test]
fn a_block_that_fails_inside_others_is_named_with_the_path_to_it() {
    let library = Library::new();
    let division = json!({"id": 2, "type": "Division", "module": ARITHMETIC});
    let inner = json!({"name": "Quotient", "workflow": {
        "document": {
            "blocks": [constant(1, "0"), division],
            "edges": [edge(1, "output", 2, "num1"), edge(1, "output", 2, "num2")],
        },
        "outputs": [{"name": "o", "from": {"block": 2, "port": "output"}}],
    }});
    let outer = json!({"name": "Outer", "workflow": {
        "document": {"blocks": [{"id": "q", "type": "Quotient", "module": "M"}], "edges": []},
        "outputs": [{"name": "o", "from": {"block": "q", "port": "o"}}],
    }});
    library.install("Lab.zip", "M", &[outer, inner]).unwrap();
    let view = library.library.view(OwnerId(1));
    assert!(view.find("Lab.zip:M", "Outer").is_ok());
    let document =
        json!({"blocks": [{"id": 7, "type": "Outer", "module": "Lab.zip:M"}], "edges": []});
    let plan = Workflow::from_json(&document.to_string()).unwrap().plan(&view).unwrap();
    let engine = eeg_workflow_core::engine::Engine::new(Default::default()).unwrap();
    let report = engine.start(&plan, Default::default()).wait();
    let failures = report.failures();
    let path = "inner block q (Quotient): inner block 2 (Division): division by zero";
    assert_eq!(failures[0].1.to_string(), path);
    assert_eq!(failures[0].1.details(), path);
}
