//! The workflow document.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::diagnostic::Problems;
use super::{Code, Diagnostic, InvalidWorkflow, RawObject, lenient};

/// A workflow document, kept to the letter: unknown fields, the spelling of numbers and the
/// order of keys come back as they came in. Cheap to clone.
///
/// ```
/// use eeg_workflow_core::workflow::Workflow;
/// let workflow = Workflow::from_json(r#"{"blocks": [
///     {"id": 1, "x": -420.0, "type": "Constant", "module": "Arithmetic.zip:Arithmetic",
///      "values": {"constant value": "40"}}], "edges": []}"#)?;
/// assert_eq!(workflow.block_count(), 1);
/// # Ok::<(), eeg_workflow_core::workflow::InvalidWorkflow>(())
/// ```
#[derive(Clone)]
pub struct Workflow(Arc<Document>);

pub(super) struct Document {
    text: Arc<str>,
    pub(super) blocks: Vec<BlockNode>,
    pub(super) edges: Vec<EdgeNode>,
    /// What is wrong with the shape of the document, found while reading it.
    pub(super) problems: Problems,
}

/// A block as the document names it; without what is missing or of the wrong type.
pub(super) struct BlockNode {
    pub(super) id: Option<BlockId>,
    pub(super) block_type: Option<Text>,
    pub(super) module: Option<Text>,
    pub(super) values: Option<Text>,
}

/// A well-formed edge, with its place in the document.
pub(super) struct EdgeNode {
    pub(super) index: u32,
    pub(super) ends: [EdgeEnd; 2],
}

pub(super) struct EdgeEnd {
    pub(super) block: BlockId,
    pub(super) port: Text,
    pub(super) is_input: bool,
}

/// A piece of the document's text, or a text of its own where the document escapes it.
pub(super) enum Text {
    Span { start: u32, length: u32 },
    Owned(Box<str>),
}

/// The id of a block, an integer or a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockId {
    /// An integer.
    Integer(i64),
    /// A text.
    Text(Arc<str>),
}

/// Why a parameter could not be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetParameterError {
    /// The workflow has no such block.
    #[error("the workflow has no block {0}")]
    NoSuchBlock(String),
    /// The block's values are no JSON object.
    #[error("the values of block {0} are no object")]
    NoValues(String, #[source] serde_json::Error),
}

impl Workflow {
    /// Reads a document, bare or wrapped once more as `{"workflow": {…}}`.
    ///
    /// # Errors
    /// The text is no JSON, or no object with a list of blocks. What is wrong inside the
    /// blocks and edges is for [`Workflow::plan`] to say, together with everything else.
    pub fn from_json(text: &str) -> Result<Self, InvalidWorkflow> {
        Self::from_shared(text.into())
    }

    fn from_shared(text: Arc<str>) -> Result<Self, InvalidWorkflow> {
        if u32::try_from(text.len()).is_err() {
            let message = "the document is larger than 4 GiB";
            return Err(Diagnostic::error(Code::InvalidJson, String::new(), message).into());
        }
        let document = match serde_json::from_str::<Strict<'_>>(&text) {
            Ok(Strict { blocks: Some(blocks), edges, .. }) => Document {
                blocks: blocks.into_iter().map(|block| block.node(&text)).collect(),
                edges: (0..).zip(edges).map(|(index, edge)| edge.node(index, &text)).collect(),
                problems: Problems::default(),
                text,
            },
            Ok(Strict { workflow: Some(inner), .. }) => return Self::from_json(inner.get()),
            _ => match lenient::read(&text)? {
                lenient::Reading::Wrapped(inner) => return Self::from_json(&inner),
                lenient::Reading::Bare { blocks, edges, problems } => {
                    Document { text, blocks, edges, problems }
                }
            },
        };
        Ok(Self(Arc::new(document)))
    }

    /// The bare document's text, as it was given.
    pub fn as_json(&self) -> &str {
        &self.0.text
    }

    /// The same document without the white space that an editor or a designer put between its
    /// parts; everything else stays to the letter.
    pub fn compact(self) -> Self {
        if !self.0.text.contains(['\n', '\t']) {
            return self;
        }
        Self::from_json(&without_white_space(&self.0.text)).unwrap_or(self)
    }

    /// How many blocks the document lists.
    pub fn block_count(&self) -> usize {
        self.0.blocks.len()
    }

    /// The ids of the blocks that have one.
    pub fn block_ids(&self) -> HashSet<String> {
        self.0.blocks.iter().filter_map(|node| Some(node.id.as_ref()?.to_string())).collect()
    }

    pub(super) fn document(&self) -> &Document {
        &self.0
    }

    /// The document as an object: `blocks`, `edges` and whatever else it has.
    pub fn object(&self) -> RawObject<'_> {
        serde_json::from_str(&self.0.text).unwrap_or_default()
    }

    /// The blocks as the document has them, in its order.
    pub fn block_objects(&self) -> Vec<RawObject<'_>> {
        #[derive(Deserialize)]
        struct Blocks<'a> {
            #[serde(borrow)]
            blocks: Vec<RawObject<'a>>,
        }
        serde_json::from_str(&self.0.text).map(|Blocks { blocks }| blocks).unwrap_or_default()
    }

    /// The same workflow with another value for a block's parameter: `value` as a text, or as
    /// a list if it is written as a JSON array.
    ///
    /// # Errors
    /// There is no such block, or its values are no object.
    pub fn set_parameter(
        &self,
        block: &str,
        parameter: &str,
        value: &str,
    ) -> Result<Self, SetParameterError> {
        let json = match serde_json::from_str::<Vec<serde_json::Value>>(value) {
            Ok(list) => raw(&list),
            Err(_) => raw(&value),
        };
        self.set_raw(block, parameter, json)
    }

    fn set_raw(
        &self,
        block: &str,
        parameter: &str,
        value: Box<RawValue>,
    ) -> Result<Self, SetParameterError> {
        let nodes = self.0.blocks.iter();
        let index = nodes
            .enumerate()
            .find(|(_, node)| node.id.as_ref().is_some_and(|id| id.to_string() == block))
            .map(|(index, _)| index)
            .ok_or_else(|| SetParameterError::NoSuchBlock(block.to_owned()))?;
        let mut blocks = self.block_objects();
        if let Some(object) = blocks.get_mut(index) {
            let given = object.get("values").map_or("{}", RawValue::get);
            let given = if given == "null" { "{}" } else { given };
            let mut values: RawObject<'_> = serde_json::from_str(given)
                .map_err(|error| SetParameterError::NoValues(block.to_owned(), error))?;
            values.set(parameter, value);
            let values = raw(&values);
            object.set("values", values);
        }
        let blocks = raw(&blocks);
        let mut document = self.object();
        document.set("blocks", blocks);
        let text = raw(&document);
        Self::from_json(text.get()).map_err(|_| SetParameterError::NoSuchBlock(block.to_owned()))
    }
}

/// JSON text without the white space outside its strings.
fn without_white_space(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = c == '"';
        }
        compact.push(c);
    }
    compact
}

/// What serialises without a failure, as JSON text.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Document {
    /// The text behind a piece.
    pub(super) fn str<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            Text::Owned(text) => text,
            Text::Span { start, length } => {
                let (start, length) = (*start as usize, *length as usize);
                self.text.get(start..start + length).unwrap_or_default()
            }
        }
    }
}

/// The document when it is well-formed: one pass, nothing copied.
#[derive(Deserialize)]
pub(super) struct Strict<'a> {
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

impl Text {
    /// `piece` as a span of `text` when it is borrowed from there.
    fn within(text: &str, piece: Cow<'_, str>) -> Self {
        match piece {
            Cow::Owned(owned) => Self::Owned(owned.into()),
            Cow::Borrowed(piece) => {
                let start = (piece.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
                match (start.map(u32::try_from), u32::try_from(piece.len())) {
                    (Some(Ok(start)), Ok(length)) => Self::Span { start, length },
                    _ => Self::Owned(piece.into()),
                }
            }
        }
    }
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;

        impl Visitor<'_> for Id {
            type Value = BlockId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer or a text")
            }

            fn visit_i64<E>(self, id: i64) -> Result<BlockId, E> {
                Ok(BlockId::Integer(id))
            }

            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<BlockId, E> {
                i64::try_from(id).map(BlockId::Integer).map_err(E::custom)
            }

            fn visit_str<E>(self, id: &str) -> Result<BlockId, E> {
                Ok(BlockId::Text(id.into()))
            }
        }

        deserializer.deserialize_any(Id)
    }
}

impl Serialize for BlockId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(id) => serializer.serialize_i64(*id),
            Self::Text(id) => serializer.serialize_str(id),
        }
    }
}

impl From<i64> for BlockId {
    fn from(id: i64) -> Self {
        Self::Integer(id)
    }
}

impl From<i32> for BlockId {
    fn from(id: i32) -> Self {
        Self::Integer(id.into())
    }
}

impl From<u32> for BlockId {
    fn from(id: u32) -> Self {
        Self::Integer(id.into())
    }
}

impl From<&str> for BlockId {
    fn from(id: &str) -> Self {
        Self::Text(id.into())
    }
}

impl From<String> for BlockId {
    fn from(id: String) -> Self {
        Self::Text(id.into())
    }
}

impl From<&BlockId> for BlockId {
    fn from(id: &BlockId) -> Self {
        id.clone()
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(id) => id.fmt(f),
            Self::Text(id) => id.fmt(f),
        }
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Workflow").field(&self.0.text).finish()
    }
}

impl Serialize for Workflow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: &RawValue =
            serde_json::from_str(&self.0.text).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Workflow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(text.get()).map_err(serde::de::Error::custom)
    }
}
