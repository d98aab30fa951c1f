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
//! and resumes what was left unfinished after a crash.
//!
//! ```
//! use eeg_workflow_core::engine::{Engine, EngineOptions, RunOptions, RunStatus};
//! use eeg_workflow_core::module::{Module, ModuleRegistry};
//! use eeg_workflow_core::workflow::{NewBlock, Workflow};
//!
//! let mut registry = ModuleRegistry::new();
//! registry.register(
//!     Module::new("Lab.zip:Lab")
//!         .function("Two", [], "n", || Ok(2_i64))?
//!         .function("Square", ["n"], "n", |n: i64| Ok(n * n))?,
//! )?;
//!
//! let workflow = Workflow::builder()
//!     .block(NewBlock::new(1, "Lab.zip:Lab", "Two"))
//!     .block(NewBlock::new(2, "Lab.zip:Lab", "Square"))
//!     .edge((1, "n"), (2, "n"))
//!     .build()?;
//! let plan = workflow.plan(&registry)?;
//!
//! let engine = Engine::new(EngineOptions::default())?;
//! let report = engine.start(&plan, RunOptions::default()).wait();
//! assert_eq!(report.status(), RunStatus::Completed);
//! assert_eq!(report.output_of(2, "n")?, &4_i64.into());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! Without any of them there is the engine alone: blocks, workflows, plans, runs, and the
//! Arithmetic module, for which fewer than thirty crates are built.
//!
//! | feature | what it adds | needs |
//! |---|---|---|
//! | `builtin` (default) | all of the built-in modules | `eeg`, `learn`, `plots` |
//! | `python` (default, on Linux) | modules in Python, in a sandbox | `archives`, `arrays` |
//! | `sqlite` (default) | the durable job store | `jobs` |
//! | `jobs` | the job service, with a store in memory | `archives` |
//! | `archives` | modules from zip archives, and the library that keeps them | |
//! | `arrays` | arrays as values | |
//! | `eeg` | recordings, filters, epochs, averages, spectra | `arrays` |
//! | `learn` | features, classifiers, networks | `eeg` |
//! | `plots` | pictures; with `eeg`, plots of recordings, epochs, averages | |
//!
//! The longer documents: [`docs`]. The crates whose types appear in this interface are exported
//! under their own names: [`ndarray`], [`num_bigint`], [`petgraph`] and [`serde_json`].

// With some features left out, what only they use is not dead: it is found with all of them.
#![cfg_attr(
    not(all(feature = "builtin", feature = "python", feature = "sqlite")),
    allow(dead_code)
)]

#[cfg(feature = "arrays")]
pub use ndarray;
pub use {num_bigint, petgraph, serde_json};

#[cfg(feature = "archives")]
mod atomic_file;
pub mod block;
pub mod builtin;
mod deadline;
pub mod docs;
#[cfg(feature = "eeg")]
pub mod eeg;
pub mod engine;
mod guard;
#[cfg(any(feature = "eeg", all(feature = "python", target_os = "linux")))]
mod huge_pages;
#[cfg(feature = "jobs")]
pub mod job;
pub mod module;
#[cfg(feature = "plots")]
pub mod picture;
#[cfg(all(feature = "python", target_os = "linux"))]
pub mod runtime;
mod sync;
pub mod workflow;
