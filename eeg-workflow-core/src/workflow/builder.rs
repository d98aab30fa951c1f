//! Building a workflow in a program, without writing JSON.

use serde::Serialize;
use serde_json::Value;

use super::{BlockId, InvalidWorkflow, Workflow};

/// Builds a [`Workflow`] block by block. The document it gives is the wire format that
/// designers and servers exchange.
///
/// ```
/// use eeg_workflow_core::workflow::{NewBlock, Workflow};
///
/// let workflow = Workflow::builder()
///     .block(NewBlock::new(1, "Arithmetic.zip:Arithmetic", "Constant").with_value("constant value", 40))
///     .block(NewBlock::new(2, "Arithmetic.zip:Arithmetic", "Display"))
///     .edge((1, "Operand"), (2, "Operand"))
///     .build()?;
/// assert_eq!(
///     workflow.as_json(),
///     r#"{"blocks":[{"id":1,"type":"Constant","module":"Arithmetic.zip:Arithmetic","values":{"constant value":40}},{"id":2,"type":"Display","module":"Arithmetic.zip:Arithmetic","values":{}}],"edges":[{"block1":1,"connector1":["Operand","output"],"block2":2,"connector2":["Operand","input"]}]}"#
/// );
/// # Ok::<(), eeg_workflow_core::workflow::InvalidWorkflow>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct WorkflowBuilder {
    blocks: Vec<NewBlock>,
    edges: Vec<NewEdge>,
}

/// A block to be added with [`WorkflowBuilder::block`].
#[derive(Clone, Debug, Serialize)]
pub struct NewBlock {
    id: BlockId,
    #[serde(rename = "type")]
    block_type: String,
    module: String,
    values: serde_json::Map<String, Value>,
}

#[derive(Clone, Debug, Serialize)]
struct NewEdge {
    block1: BlockId,
    connector1: (String, &'static str),
    block2: BlockId,
    connector2: (String, &'static str),
}

impl Workflow {
    /// Starts a workflow without blocks.
    pub fn builder() -> WorkflowBuilder {
        WorkflowBuilder::default()
    }
}

impl WorkflowBuilder {
    /// Adds a block.
    pub fn block(mut self, block: NewBlock) -> Self {
        self.blocks.push(block);
        self
    }

    /// Joins an output to an input, each named by the id of its block and the name of the port.
    /// The blocks may be added before or after.
    pub fn edge(
        mut self,
        (from, output): (impl Into<BlockId>, &str),
        (to, input): (impl Into<BlockId>, &str),
    ) -> Self {
        self.edges.push(NewEdge {
            block1: from.into(),
            connector1: (output.to_owned(), "output"),
            block2: to.into(),
            connector2: (input.to_owned(), "input"),
        });
        self
    }

    /// The workflow. Ids, names and types are checked by [`Workflow::plan`], all at once.
    ///
    /// # Errors
    /// The document is larger than 4 GiB.
    pub fn build(self) -> Result<Workflow, InvalidWorkflow> {
        let text = serde_json::to_string(&self).unwrap_or_default();
        Workflow::from_json(&text)
    }
}

impl NewBlock {
    /// A block of this type of a module (as `Archive.zip:Module`), with every parameter at its
    /// default. The id is an integer or a string, unique in the workflow.
    pub fn new(
        id: impl Into<BlockId>,
        module: impl Into<String>,
        block_type: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            block_type: block_type.into(),
            module: module.into(),
            values: serde_json::Map::new(),
        }
    }

    /// Sets the value of a parameter.
    pub fn with_value(mut self, parameter: impl Into<String>, value: impl Into<Value>) -> Self {
        self.values.insert(parameter.into(), value.into());
        self
    }
}
