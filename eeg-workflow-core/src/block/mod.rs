//! Blocks: what a node of a workflow is, what it is given and what it gives back.
//!
//! A [`Block`] declares itself in a [`BlockSpec`] (ports, parameters, how it runs) and
//! computes in [`Block::run`]. Nothing here knows of workflows, engines, files on disk or EEG.

mod catalog;
mod context;
mod display;
mod error;
mod function;
mod inputs;
pub mod json;
pub(crate) mod ledger;
mod number;
mod owner;
mod parameters;
mod port_type;
mod python_repr;
mod spec;
mod value;

pub(crate) use catalog::no_such_module;
pub use catalog::{Catalog, NotFound};
pub use context::{BlockHost, Context, FileError, FileRoots, Stop, Takers};
pub use display::{Artifact, Display};
pub use error::{BlockError, BlockErrorKind};
pub use function::{BlockFunction, FromInput, FunctionBlock, IntoOutput};
pub(crate) use inputs::Slot;
pub use inputs::{Inputs, Outputs};
pub use number::Number;
pub use owner::OwnerId;
pub use parameters::{ParameterError, Parameters};
pub use port_type::PortType;
pub use python_repr::PythonRepr;
#[cfg(feature = "archives")]
pub(crate) use spec::Composition;
pub use spec::{BlockSpec, Cardinality, Execution, Field, Parameter, Port, Volatility};
pub use value::{Object, Value};

/// A unit of work: the implementation behind one node of a workflow.
///
/// A block is shared by all runs and all threads, so it keeps no state of a run in itself;
/// everything it needs comes through its [`Context`] and its [`Inputs`].
///
/// ```
/// use eeg_workflow_core::block::{Block, BlockError, BlockSpec, Context, Inputs, Outputs, PortType};
///
/// struct Double(BlockSpec);
///
/// impl Block for Double {
///     fn spec(&self) -> &BlockSpec {
///         &self.0
///     }
///     fn run(&self, _: &Context<'_>, mut inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
///         let x = inputs.float("x")?;
///         Ok(Outputs::one(2.0 * x))
///     }
/// }
///
/// let block = Double(
///     BlockSpec::new("Double")
///         .input("x", PortType::NUMBER, 1..=1)
///         .output("y", PortType::NUMBER),
/// );
/// assert_eq!(block.spec().inputs()[0].name, "x");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a block",
    note = "implement `Block`, or register a closure with `Module::function`"
)]
pub trait Block: Send + Sync + 'static {
    /// What the block is: its name, ports, parameters and how it runs.
    fn spec(&self) -> &BlockSpec;

    /// Computes the outputs, one value for each declared output port, in their order.
    ///
    /// # Errors
    /// Whatever makes the block fail; the error becomes the block's, and blocks that need
    /// its outputs are skipped.
    fn run(&self, cx: &Context<'_>, inputs: Inputs<'_>) -> Result<Outputs, BlockError>;
}
