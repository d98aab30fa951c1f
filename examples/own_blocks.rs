//! Registers blocks of one's own: a closure, and a type with parameters, a display and a log.
//!
//! `cargo run -p examples --example own_blocks`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use eeg_workflow_core::block::{
    Block, BlockError, BlockSpec, Context, Display, Inputs, Object, Outputs, PortType, Value,
};
use eeg_workflow_core::engine::{Engine, EngineOptions, RunOptions};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::Workflow;
use serde_json::json;

/// A value of this library's own type: a signal, samples in volts.
#[derive(Clone, Debug)]
struct Signal(Vec<f64>);

impl Object for Signal {
    fn type_name(&self) -> &'static str {
        "Signal"
    }

    fn byte_size(&self) -> usize {
        self.0.len() * size_of::<f64>()
    }

    fn port_type() -> PortType {
        PortType::named("Signal")
    }
}

/// Multiplies a signal; in place when no other block needs it.
struct Gain(BlockSpec);

impl Gain {
    fn new() -> Self {
        Self(
            BlockSpec::new("Gain")
                .with_family("Signals")
                .with_description("Multiplies a signal")
                .input("signal", PortType::named("Signal"), 1..=1)
                .parameter("factor", PortType::NUMBER, "2", "What to multiply with")
                .output("signal", PortType::named("Signal")),
        )
    }
}

impl Block for Gain {
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let factor =
            cx.float("factor")?.ok_or_else(|| BlockError::parameter("factor", "is empty"))?;
        let mut signal = inputs.object::<Signal>("signal")?;
        // Copies only when another branch holds the signal too.
        for sample in &mut Arc::make_mut(&mut signal).0 {
            *sample *= factor;
        }
        cx.log(format!("multiplied {} samples by {factor}", signal.0.len()));
        let shown = Display::text(format!("{} samples", signal.0.len()));
        Ok(Outputs::one(signal).show(shown))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let ramp = || Ok(Arc::new(Signal((0..1000).map(|i| f64::from(i) * 1e-6).collect())));
    let peak = |signal: Arc<Signal>| Ok(signal.0.iter().copied().fold(f64::MIN, f64::max));
    let lab = Module::new("Lab.zip:Lab")
        .block(Gain::new())?
        // The types of a closure's arguments and result become the types of its ports.
        .function("Ramp", [], "signal", ramp)?
        .function("Peak", ["signal"], "peak", peak)?
        .function("Describe", ["peak"], "text", |peak: f64| Ok(format!("{peak:.6} V")))?;
    let mut registry = ModuleRegistry::new();
    registry.register(lab)?;

    let text = json!({
        "blocks": [
            {"id": "ramp", "type": "Ramp", "module": "Lab.zip:Lab"},
            {"id": "gain", "type": "Gain", "module": "Lab.zip:Lab", "values": {"factor": "10"}},
            {"id": "peak", "type": "Peak", "module": "Lab.zip:Lab"},
            {"id": "text", "type": "Describe", "module": "Lab.zip:Lab"},
        ],
        "edges": [
            {"block1": "ramp", "connector1": ["signal", "output"],
             "block2": "gain", "connector2": ["signal", "input"]},
            {"block1": "gain", "connector1": ["signal", "output"],
             "block2": "peak", "connector2": ["signal", "input"]},
            {"block1": "peak", "connector1": ["peak", "output"],
             "block2": "text", "connector2": ["peak", "input"]},
        ],
    });
    let plan = Workflow::from_json(&text.to_string())?.plan(&registry)?;
    let report = Engine::new(EngineOptions::default())?.start(&plan, RunOptions::default()).wait();
    let last = plan.indices().last().and_then(|block| report.output(block, 0));
    println!("the peak: {}", last.and_then(Value::as_text).unwrap_or("none"));
    Ok(())
}
