//! Reading a well-formed document.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::BlockId;
use super::diagnostic::Problems;
use super::nodes::{BlockNode, EdgeEnd, EdgeNode, Reading, Text};

/// Reads the document in one pass, and copies nothing; none if it has neither blocks nor a document
/// inside.
pub(super) fn read(text: &str) -> Result<Option<Reading>, serde_json::Error> {
    Ok(match serde_json::from_str(text)? {
        WireDocument { blocks: Some(blocks), edges, .. } => Some(Reading::Bare {
            blocks: blocks.into_iter().map(|block| block.node(text)).collect(),
            edges: (0..).zip(edges).map(|(index, edge)| edge.node(index, text)).collect(),
            problems: Problems::default(),
        }),
        WireDocument { workflow, .. } => workflow.map(|inner| Reading::Wrapped(inner.to_string())),
    })
}

#[derive(Deserialize)]
struct WireDocument<'a> {
    #[serde(borrow)]
    blocks: Option<Vec<WireBlock<'a>>>,
    #[serde(borrow, default)]
    edges: Vec<WireEdge<'a>>,
    #[serde(borrow)]
    workflow: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireBlock<'a> {
    id: BlockId,
    #[serde(borrow, rename = "type")]
    block_type: Cow<'a, str>,
    #[serde(borrow)]
    module: Cow<'a, str>,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireEdge<'a> {
    block1: BlockId,
    #[serde(borrow)]
    connector1: Connector<'a>,
    block2: BlockId,
    #[serde(borrow)]
    connector2: Connector<'a>,
}

#[derive(Deserialize)]
struct Connector<'a>(#[serde(borrow)] Cow<'a, str>, Direction);

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Input,
    Output,
}

impl WireBlock<'_> {
    fn node(self, text: &str) -> BlockNode {
        let values = self.values.map(RawValue::get).filter(|values| *values != "{}");
        BlockNode {
            id: Some(self.id),
            block_type: Some(Text::within(text, self.block_type)),
            module: Some(Text::within(text, self.module)),
            values: values.map(|values| Text::within(text, Cow::Borrowed(values))),
        }
    }
}

impl WireEdge<'_> {
    fn node(self, index: u32, text: &str) -> EdgeNode {
        let end = |block, Connector(port, direction): Connector<'_>| EdgeEnd {
            block,
            port: Text::within(text, port),
            is_input: matches!(direction, Direction::Input),
        };
        EdgeNode {
            index,
            ends: [end(self.block1, self.connector1), end(self.block2, self.connector2)],
        }
    }
}
