//! The workflow document.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::nodes::{Document, Reading, json_chars};
use super::{Code, Diagnostic, InvalidWorkflow, RawObject, lenient, strict};

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

/// Why a parameter could not be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetParameterError {
    /// The workflow has no such block.
    #[error("the workflow has no block {0}")]
    NoSuchBlock(String),
    /// The block's values are not a JSON object.
    #[error("the values of block {0} are not an object")]
    NoValues(String, #[source] serde_json::Error),
}

impl Workflow {
    /// Reads a document, bare or wrapped once more as `{"workflow": {…}}`.
    ///
    /// # Errors
    /// The text is not valid JSON, or not an object with a list of blocks. What is wrong inside the
    /// blocks and edges is for [`Workflow::plan`] to say, together with everything else.
    pub fn from_json(text: &str) -> Result<Self, InvalidWorkflow> {
        Self::from_shared(text.into())
    }

    fn from_shared(text: Arc<str>) -> Result<Self, InvalidWorkflow> {
        if u32::try_from(text.len()).is_err() {
            let message = "the document is larger than 4 GiB";
            return Err(Diagnostic::error(Code::InvalidJson, String::new(), message).into());
        }
        let reading = match strict::read(&text) {
            Ok(Some(reading)) => reading,
            _ => lenient::read(&text)?,
        };
        match reading {
            Reading::Wrapped(inner) => Self::from_json(&inner),
            Reading::Bare { blocks, edges, problems } => {
                Ok(Self(Arc::new(Document { text, blocks, edges, problems })))
            }
        }
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

    /// The same workflow with another value for a block's parameter: `value` as a string, or as
    /// a list if it is written as a JSON array.
    ///
    /// # Errors
    /// There is no such block, or its values are not an object.
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
    let kept = json_chars(text)
        .filter(|(c, in_string)| *in_string || !matches!(c, ' ' | '\t' | '\n' | '\r'));
    compact.extend(kept.map(|(c, _)| c));
    compact
}

/// What serialises without a failure, as JSON text.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
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
