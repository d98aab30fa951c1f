//! Blocks and documents for tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eeg_workflow_core::block::{
    Block, BlockError, BlockSpec, Context, Display, Execution, Inputs, Outputs, PortType, Value,
};
use eeg_workflow_core::engine::{Engine, EngineOptions, Event, Listener};
use eeg_workflow_core::module::{Module, ModuleRegistry};
use eeg_workflow_core::workflow::{Plan, Workflow};

/// A block made of its spec and a closure.
pub struct Custom<F>(pub BlockSpec, pub F);

impl<F> Block for Custom<F>
where
    F: Fn(&Context<'_>, Inputs<'_>) -> Result<Outputs, BlockError> + Send + Sync + 'static,
{
    fn spec(&self) -> &BlockSpec {
        &self.0
    }

    fn run(&self, cx: &Context<'_>, inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        (self.1)(cx, inputs)
    }
}

/// The module `Test`: One, Add, Sum (0 to 1000 inputs), Fail, Panic, Sleep (waits), Spin
/// (computes), Shout (logs, reports progress, shows a text).
pub fn module() -> Module {
    let number = || BlockSpec::new("Sum").input("in", PortType::NUMBER, 0..=1000);
    let sleep = |name: &str| {
        BlockSpec::new(name)
            .input("in", PortType::NUMBER, 0..=1)
            .parameter("seconds", PortType::NUMBER, "1", "")
            .output("out", PortType::NUMBER)
    };
    let failing = |name: &str| {
        BlockSpec::new(name).input("in", PortType::NUMBER, 0..=1).output("out", PortType::NUMBER)
    };
    Module::new("Test")
        .function("One", [], "out", || Ok(1_i64))
        .and_then(|m| m.function("Add", ["a", "b"], "out", |a: i64, b: i64| Ok(a + b)))
        .and_then(|m| {
            m.block(Custom(
                number().output("out", PortType::NUMBER),
                |_: &Context<'_>, mut i: Inputs<'_>| {
                    let mut sum = 0;
                    for value in i.take_all("in") {
                        match value {
                            Value::Integer(n) => sum += n,
                            other => return Err(BlockError::input("in", other.type_name())),
                        }
                    }
                    Ok(Outputs::one(sum))
                },
            ))
        })
        .and_then(|m| {
            m.block(Custom(failing("Fail"), |_: &Context<'_>, _: Inputs<'_>| {
                Err(BlockError::new("it is broken"))
            }))
        })
        .and_then(|m| {
            m.block(Custom(failing("Panic"), |_: &Context<'_>, _: Inputs<'_>| panic!("it blew up")))
        })
        .and_then(|m| {
            let spec = sleep("Sleep").with_execution(Execution::Wait);
            m.block(Custom(spec, |cx: &Context<'_>, _: Inputs<'_>| {
                cx.sleep(Duration::from_secs_f64(cx.float("seconds")?.unwrap_or(1.0)))?;
                Ok(Outputs::one(1_i64))
            }))
        })
        .and_then(|m| {
            m.block(Custom(sleep("Spin"), |cx: &Context<'_>, _: Inputs<'_>| {
                let end = std::time::Instant::now()
                    + Duration::from_secs_f64(cx.float("seconds")?.unwrap_or(1.0));
                while std::time::Instant::now() < end {
                    cx.check()?;
                    std::hint::spin_loop();
                }
                Ok(Outputs::one(1_i64))
            }))
        })
        .and_then(|m| {
            m.block(Custom(failing("Shout"), |cx: &Context<'_>, _: Inputs<'_>| {
                cx.progress(0.5);
                cx.log("half way");
                Ok(Outputs::one(1_i64).show(Display::text("done")))
            }))
        })
        .unwrap()
}

pub fn registry() -> ModuleRegistry {
    let mut registry = ModuleRegistry::new();
    registry.register(module()).unwrap();
    registry
}

pub fn engine(threads: usize) -> Engine {
    Engine::new(EngineOptions { threads: Some(threads), ..EngineOptions::default() }).unwrap()
}

/// A document of blocks of module `Test`, numbered from 1, with edges
/// `(from, "output", to, "input")`.
pub fn document(blocks: &[&str], edges: &[(usize, &str, usize, &str)]) -> String {
    let blocks: Vec<_> = (1..)
        .zip(blocks)
        .map(|(id, block)| {
            let (name, seconds) = block.split_once(' ').unwrap_or((block, ""));
            let values = if seconds.is_empty() {
                serde_json::json!({})
            } else {
                serde_json::json!({ "seconds": seconds })
            };
            serde_json::json!({"id": id, "type": name, "module": "Test", "values": values})
        })
        .collect();
    let edges: Vec<_> = (1..)
        .zip(edges)
        .map(|(id, (from, output, to, input))| {
            serde_json::json!({"id": id, "block1": from, "connector1": [output, "output"],
                               "block2": to, "connector2": [input, "input"]})
        })
        .collect();
    serde_json::json!({"blocks": blocks, "edges": edges}).to_string()
}

pub fn plan(blocks: &[&str], edges: &[(usize, &str, usize, &str)]) -> Plan {
    let workflow = Workflow::from_json(&document(blocks, edges)).unwrap();
    workflow.plan(&registry()).unwrap()
}

/// Keeps a run's events.
#[derive(Default)]
pub struct Log(Mutex<Vec<Event>>);

impl Listener for Log {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Log {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The events in short: `start 1`, `done 1`, `failed 2: why`, `skipped 3 because of 2`.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines
            .iter()
            .map(|event| match event {
                Event::RunStarted => "run".to_owned(),
                Event::BlockStarted { block } => format!("start {}", block.0 + 1),
                Event::BlockProgress { block, fraction } => {
                    format!("at {fraction} {}", block.0 + 1)
                }
                Event::BlockLog { block, line } => format!("log {}: {line}", block.0 + 1),
                Event::BlockFinished { block, .. } => format!("done {}", block.0 + 1),
                Event::BlockFailed { block, error, .. } => {
                    format!("failed {}: {error}", block.0 + 1)
                }
                Event::BlockSkipped { block, cause } => {
                    format!("skipped {} because of {}", block.0 + 1, cause.0 + 1)
                }
                Event::BlockCancelled { block, stop } => {
                    format!("cancelled {}: {stop:?}", block.0 + 1)
                }
                Event::RunFinished { status } => format!("end {status:?}"),
                _ => "?".to_owned(),
            })
            .collect()
    }
}
