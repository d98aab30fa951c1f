//! Runs EEG processing workflows: graphs of typed blocks, drawn in a designer and kept as
//! JSON, executed in parallel.
//!
//! Data flows one way:
//!
//! 1. [`Workflow`](workflow::Workflow): the document, kept to the letter.
//! 2. [`Plan`](workflow::Plan): every block found, every edge typed, no cycles. Planning
//!    reports every problem at once as a [`Diagnostic`](workflow::Diagnostic).
//! 3. [`Run`](engine::Run): an [`Engine`](engine::Engine) runs plans on all cores; a block
//!    starts as soon as its inputs are there. What happens is told as [`Event`](engine::Event)s.
//! 4. [`Report`](engine::Report): how each block ended, what it shows, and the outputs kept.
//!
//! A [`JobService`](job::JobService) remembers runs: it stores each workflow before it runs,
//! and takes up what was left unfinished after a crash.
//!
//! ```
//! use eeg_workflow_core::engine::{Engine, EngineOptions, RunOptions, RunStatus};
//! use eeg_workflow_core::module::{Module, ModuleRegistry};
//! use eeg_workflow_core::workflow::{BlockIndex, Workflow};
//!
//! let mut registry = ModuleRegistry::new();
//! registry.register(
//!     Module::new("Lab.zip:Lab")
//!         .function("Two", [], "n", || Ok(2_i64))?
//!         .function("Square", ["n"], "n", |n: i64| Ok(n * n))?,
//! )?;
//!
//! let workflow = Workflow::from_json(r#"{
//!     "blocks": [{"id": 1, "type": "Two", "module": "Lab.zip:Lab"},
//!                {"id": 2, "type": "Square", "module": "Lab.zip:Lab"}],
//!     "edges": [{"block1": 1, "connector1": ["n", "output"],
//!                "block2": 2, "connector2": ["n", "input"]}]}"#)?;
//! let plan = workflow.plan(&registry)?;
//!
//! let engine = Engine::new(EngineOptions::default())?;
//! let report = engine.start(&plan, RunOptions::default()).wait();
//! assert_eq!(report.status(), RunStatus::Completed);
//! assert_eq!(report.output(BlockIndex(1), 0), Some(&4_i64.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `builtin` (default): the built-in modules, the `eeg` library and its pictures.
//! - `python` (default, on Linux): the sandbox for modules in Python.
//! - `sqlite` (default): the durable job store.
//!
//! The longer documents: [`docs`].

pub mod block;
#[cfg(feature = "builtin")]
pub mod builtin;
mod deadline;
pub mod docs;
#[cfg(feature = "builtin")]
pub mod eeg;
pub mod engine;
mod guard;
#[cfg(any(feature = "builtin", all(feature = "python", target_os = "linux")))]
mod huge_pages;
pub mod job;
pub mod module;
#[cfg(feature = "builtin")]
pub mod picture;
#[cfg(all(feature = "python", target_os = "linux"))]
pub mod runtime;
mod sync;
pub mod workflow;
