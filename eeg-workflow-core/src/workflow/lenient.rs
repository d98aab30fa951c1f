//! Reading a document that is not well-formed: what can be used of it, and what is wrong with it.

use serde_json::Value;

use super::diagnostic::Problems;
use super::nodes::{BlockNode, EdgeEnd, EdgeNode, MAX_VALUES, Reading, Text, has_too_many_values};
use super::{BlockId, Code, Diagnostic, InvalidWorkflow, strict};

pub(super) fn read(text: &str) -> Result<Reading, InvalidWorkflow> {
    if has_too_many_values(text) {
        let message = format!(
            "the workflow is not well-formed, and has more than {MAX_VALUES} values: too many to say \
             where"
        );
        return Err(Diagnostic::error(Code::InvalidJson, String::new(), message).into());
    }
    let document: Value = serde_json::from_str(text).map_err(|error| {
        let message = format!("the workflow is not valid JSON: {error}");
        Diagnostic::error(Code::InvalidJson, String::new(), message)
    })?;
    let Value::Object(object) = &document else {
        let message = format!("the workflow must be an object, not {}", kind(&document));
        return Err(Diagnostic::error(Code::WrongType, String::new(), message).into());
    };
    let Some(blocks) = object.get("blocks") else {
        return match object.get("workflow") {
            Some(inner) => Ok(Reading::Wrapped(inner.to_string())),
            None => {
                let message = "the workflow has no \"blocks\"";
                Err(Diagnostic::error(Code::MissingField, "/blocks".into(), message).into())
            }
        };
    };
    let mut reader = Reader { problems: Problems::default() };
    let blocks = reader.list(blocks, "/blocks");
    let blocks: Vec<_> = (0..).zip(blocks).map(|(i, block)| reader.block(i, block)).collect();
    let edges = object.get("edges").map_or_else(Vec::new, |edges| reader.list(edges, "/edges"));
    let edges: Vec<_> = (0..).zip(edges).filter_map(|(i, edge)| reader.edge(i, edge)).collect();
    let mut problems = reader.problems;
    if !problems.any_errors() {
        // What the strict reading refuses and this one does not see: a key that occurs twice.
        let error = strict::read(text).err();
        let what = error.map_or_else(|| "a key occurs twice".to_owned(), |error| error.to_string());
        let message = format!("the workflow is ambiguous: {what}");
        problems.add(Diagnostic::error(Code::InvalidJson, String::new(), message));
    }
    Ok(Reading::Bare { blocks, edges, problems })
}

struct Reader {
    problems: Problems,
}

impl Reader {
    fn list<'a>(&mut self, value: &'a Value, pointer: &str) -> Vec<&'a Value> {
        match value {
            Value::Array(items) => items.iter().collect(),
            Value::Null => Vec::new(),
            other => {
                self.wrong_type(pointer.to_owned(), "a list", other);
                Vec::new()
            }
        }
    }

    fn block(&mut self, index: u32, block: &Value) -> BlockNode {
        let at = format!("/blocks/{index}");
        let before = self.problems.len();
        if !block.is_object() {
            self.wrong_type(at, "an object", block);
            return BlockNode { id: None, block_type: None, module: None, values: None };
        }
        let values = match block.get("values") {
            None | Some(Value::Null) => None,
            Some(Value::Object(values)) if values.is_empty() => None,
            Some(values @ Value::Object(_)) => Some(Text::Owned(values.to_string().into())),
            Some(other) => {
                self.wrong_type(format!("{at}/values"), "an object", other);
                None
            }
        };
        let node = BlockNode {
            id: self.id(block, "id", &at),
            block_type: self.text(block, "type", &at),
            module: self.text(block, "module", &at),
            values,
        };
        if let Some(id) = &node.id {
            for problem in self.problems.iter_mut_from(before) {
                *problem = problem.clone().about(id);
            }
        }
        node
    }

    fn edge(&mut self, index: u32, edge: &Value) -> Option<EdgeNode> {
        let at = format!("/edges/{index}");
        if !edge.is_object() {
            self.wrong_type(at, "an object", edge);
            return None;
        }
        let first = self.end(edge, "block1", "connector1", &at);
        let second = self.end(edge, "block2", "connector2", &at);
        Some(EdgeNode { index, ends: [first?, second?] })
    }

    fn end(&mut self, edge: &Value, block: &str, connector: &str, at: &str) -> Option<EdgeEnd> {
        let block = self.id(edge, block, at);
        let pointer = format!("{at}/{connector}");
        let Some(value) = edge.get(connector) else {
            self.missing(pointer, connector);
            return None;
        };
        let direction = match value.as_array().map(Vec::as_slice) {
            Some([Value::String(port), Value::String(direction)]) => match direction.as_str() {
                "input" => Some((port, true)),
                "output" => Some((port, false)),
                _ => None,
            },
            _ => None,
        };
        let Some((port, is_input)) = direction else {
            let message =
                format!("{connector} must be [name, \"input\"] or [name, \"output\"], not {value}");
            self.problems.add(Diagnostic::error(Code::WrongType, pointer, message));
            return None;
        };
        Some(EdgeEnd { block: block?, port: Text::Owned(port.as_str().into()), is_input })
    }

    fn id(&mut self, object: &Value, key: &str, at: &str) -> Option<BlockId> {
        let pointer = format!("{at}/{key}");
        match object.get(key) {
            None => {
                self.missing(pointer, key);
                None
            }
            Some(Value::String(id)) => Some(BlockId::Text(id.as_str().into())),
            Some(other) => match other.as_i64() {
                Some(id) => Some(BlockId::Integer(id)),
                None => {
                    self.wrong_type(pointer, "an integer or a string", other);
                    None
                }
            },
        }
    }

    fn text(&mut self, object: &Value, key: &str, at: &str) -> Option<Text> {
        let pointer = format!("{at}/{key}");
        match object.get(key) {
            None => {
                self.missing(pointer, key);
                None
            }
            Some(Value::String(text)) => Some(Text::Owned(text.as_str().into())),
            Some(other) => {
                self.wrong_type(pointer, "a string", other);
                None
            }
        }
    }

    fn missing(&mut self, pointer: String, key: &str) {
        let place = if pointer.starts_with("/edges") { "an edge's " } else { "" };
        let message = format!("{place}\"{key}\" is missing");
        self.problems.add(Diagnostic::error(Code::MissingField, pointer, message));
    }

    fn wrong_type(&mut self, pointer: String, expected: &str, value: &Value) {
        let message = format!("expected {expected}, not {}", kind(value));
        self.problems.add(Diagnostic::error(Code::WrongType, pointer, message));
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    }
}
