//! Documents: reading, planning, and writing back.
//!
//! `cargo bench -p benches --bench workflow`
#![allow(clippy::unwrap_used)]

mod graphs;

use divan::Bencher;
use divan::counter::ItemsCount;
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::Workflow;

fn main() {
    divan::main();
}

fn registry() -> ModuleRegistry {
    use eeg_workflow_core::block::{
        Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType,
    };
    struct Sum(BlockSpec);
    impl Block for Sum {
        fn spec(&self) -> &BlockSpec {
            &self.0
        }
        fn run(&self, _: &Context<'_>, _: Inputs<'_>) -> Result<Outputs, BlockError> {
            Ok(Outputs::one(1))
        }
    }
    let spec = BlockSpec::new("Sum")
        .input("in", PortType::NUMBER, 0..=100)
        .output("out", PortType::NUMBER);
    let mut registry = ModuleRegistry::new();
    registry.register(Module::new("Bench.zip:Bench").block(Sum(spec)).unwrap()).unwrap();
    registry
}

/// JSON text to plan: W3, a block.
#[divan::bench(sample_count = 20)]
fn text_to_plan(bencher: Bencher<'_, '_>) {
    let text = graphs::document(&graphs::layers(100, 1000));
    let registry = registry();
    bencher
        .counter(ItemsCount::new(100_000_usize))
        .bench_local(|| Workflow::from_json(&text).unwrap().plan(&registry).unwrap());
}

/// JSON text to document only.
#[divan::bench(sample_count = 20)]
fn text_to_document(bencher: Bencher<'_, '_>) {
    let text = graphs::document(&graphs::layers(100, 1000));
    bencher
        .counter(ItemsCount::new(100_000_usize))
        .bench_local(|| Workflow::from_json(&text).unwrap());
}

/// The documents of small jobs: text to plan, and the blocks back to text.
#[divan::bench]
fn three_blocks_there_and_back(bencher: Bencher<'_, '_>) {
    let text = graphs::document(&graphs::sum());
    let registry = registry();
    bencher.bench_local(|| {
        let workflow = Workflow::from_json(&text).unwrap();
        let plan = workflow.plan(&registry).unwrap();
        (plan, serde_json::to_string(&workflow.block_objects()).unwrap())
    });
}
