//! Workflows: the document as it travels, and the plan that can run.
//!
//! [`Workflow`] is the JSON document, kept to the letter. [`Workflow::plan`] checks it against
//! a [`Catalog`](crate::block::Catalog) of block types, reports every problem at once as a
//! [`Diagnostic`], and gives a [`Plan`]: typed, acyclic, ready for the engine.

mod builder;
mod cycle;
mod diagnostic;
mod document;
mod ids;
mod lenient;
mod plan;
mod planner;
mod raw;
mod rows;

pub use builder::{NewBlock, WorkflowBuilder};
pub use diagnostic::{Code, Diagnostic, InvalidWorkflow, Severity};
pub use document::{BlockId, SetParameterError, Workflow};
pub(crate) use plan::Node;
pub use plan::{BlockIndex, Plan};
pub use planner::OpenInput;
pub use raw::RawObject;
pub(crate) use rows::Delivery;
