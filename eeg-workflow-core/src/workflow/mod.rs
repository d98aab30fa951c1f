//! Workflows: the document as it travels, and the plan that can run.
//!
//! [`Workflow`] is the JSON document, kept to the letter. [`Workflow::plan`] checks it against
//! a [`Catalog`](crate::block::Catalog) of block types, reports every problem at once as a
//! [`Diagnostic`], and gives a [`Plan`]: typed, acyclic, ready for the engine.

mod block_id;
mod builder;
mod diagnostic;
mod document;
mod id_index;
mod lenient;
mod nodes;
mod plan;
mod planner;
mod raw_object;
mod rows;
mod strict;

pub use block_id::BlockId;
pub use builder::{NewBlock, WorkflowBuilder};
pub use diagnostic::{Code, Diagnostic, InvalidWorkflow, Severity};
pub use document::{SetParameterError, Workflow};
pub(crate) use plan::Node;
pub use plan::{BlockIndex, OpenPlan, Plan};
pub use planner::OpenInput;
pub use raw_object::RawObject;
pub(crate) use rows::Delivery;
