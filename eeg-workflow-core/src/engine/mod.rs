//! The engine: runs plans on all cores.
//!
//! An [`Engine`] owns a rayon pool that all its runs share. [`Engine::start`] gives a [`Run`]
//! at once; a block starts as soon as its inputs are there. What happens is told to the run's
//! [`Listener`] as [`Event`]s, and what came of it is in the [`Report`].
//!
//! - `wires`: the values on their way along the edges, and who may touch them when;
//! - `run`: the state of one run; `run::execute`: what happens around one block;
//! - `scheduler`: which run is next on which thread;
//! - `session`: which of a run's blocks a thread runs while it has its turn;
//! - `threads`: the threads that compute;
//! - `turns`: whose work is next, so that no owner keeps the others waiting;
//! - `waiting`: threads for blocks that wait for something outside.

mod event;
pub mod nested;
mod options;
mod report;
mod run;
mod scheduler;
mod session;
#[cfg(all(shuttle, test))]
mod shuttle_tests;
mod threads;
mod turns;
mod waiting;
mod wires;

pub use event::{Event, Listener, RunStatus};
pub use options::{EngineOptions, Keep, RunOptions};
pub use report::{NoOutput, Outcome, Report};
pub use run::Run;
pub use scheduler::{Engine, EngineError, Statistics};
