//! Values as they cross between this process and a worker; `codec.py` is the other side.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::exchange;
use super::memory::{self, Memory};
use crate::block::Value;

/// Values nested deeper than this are refused.
const MAX_DEPTH: usize = 100;

/// Why a value cannot cross.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    #[error("a {0} cannot be given to a Python block")]
    Unknown(&'static str),
    #[error("the value is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("shared memory")]
    Memory(#[from] std::io::Error),
    #[error("the worker sent something that is no value: {0}")]
    Malformed(String),
}

/// Writes a piece of an array: the number of its first element, and the elements.
pub(super) type ArrayWriter<'a> = dyn Fn(usize, &[f64]) -> std::io::Result<()> + Sync + 'a;

/// A message to a worker that is being put together: descriptors, and memory for its arrays.
#[derive(Default)]
pub(super) struct Outgoing {
    arrays: Option<Memory>,
    received: Vec<Arc<OwnedFd>>,
}

impl Outgoing {
    /// Attaches a descriptor that a worker gave; gives its number.
    pub(super) fn attach(&mut self, descriptor: Arc<OwnedFd>) -> usize {
        self.received.push(descriptor);
        self.received.len() - 1
    }

    /// An array of this shape in the memory. `fill` writes it piece by piece: it is given a
    /// function that takes the number of the first element and the elements from there on.
    pub(super) fn array(
        &mut self,
        shape: &[usize],
        fill: impl FnOnce(&ArrayWriter<'_>) -> std::io::Result<()>,
    ) -> std::io::Result<Json> {
        let memory = match &mut self.arrays {
            Some(memory) => memory,
            none => none.insert(Memory::new()?),
        };
        let at = memory.reserve(shape.iter().product())?;
        fill(&|first, floats| memory.write_at(floats, at + 8 * first as u64))?;
        Ok(json!({ "array": shape, "at": at }))
    }

    /// All descriptors, and which of them is the memory of the arrays.
    pub(super) fn descriptors(&self) -> (Vec<BorrowedFd<'_>>, Option<usize>) {
        let mut all: Vec<BorrowedFd<'_>> = self.received.iter().map(|fd| fd.as_fd()).collect();
        let memory = self.arrays.as_ref().map(|memory| {
            all.push(memory.as_fd());
            all.len() - 1
        });
        (all, memory)
    }

    pub(super) fn encode(&mut self, value: &Value) -> Result<Json, CodecError> {
        self.encode_at(value, 0)
    }

    fn encode_at(&mut self, value: &Value, depth: usize) -> Result<Json, CodecError> {
        if depth > MAX_DEPTH {
            return Err(CodecError::TooDeep);
        }
        Ok(match value {
            Value::None => Json::Null,
            Value::Bool(bool) => (*bool).into(),
            Value::Integer(integer) => (*integer).into(),
            Value::BigInteger(integer) => json!({ "integer": integer.to_string() }),
            Value::Float(float) if float.is_finite() => (*float).into(),
            Value::Float(float) if float.is_nan() => json!({ "float": "nan" }),
            Value::Float(float) => json!({ "float": if *float > 0.0 { "inf" } else { "-inf" } }),
            Value::Text(text) => text.as_ref().into(),
            Value::List(items) => {
                let items = items.iter().map(|item| self.encode_at(item, depth + 1));
                items.collect::<Result<Vec<Json>, _>>()?.into()
            }
            Value::Map(entries) => {
                let mut pairs = Vec::with_capacity(entries.len());
                for (key, value) in entries.iter() {
                    let key = self.encode_at(key, depth + 1)?;
                    pairs.push(json!([key, self.encode_at(value, depth + 1)?]));
                }
                json!({ "map": pairs })
            }
            Value::Array(array) => {
                let array = array.as_standard_layout();
                self.array(array.shape(), |write| write(0, array.as_slice().unwrap_or_default()))?
            }
            Value::Object(object) => exchange::encode(object.as_ref(), self)?
                .ok_or(CodecError::Unknown(object.type_name()))?,
        })
    }
}

/// A message from a worker that is being read.
pub(super) struct Incoming<'a> {
    /// The memory of its arrays.
    pub(super) memory: Option<&'a OwnedFd>,
    /// Arrays of more bytes are refused.
    pub(super) most: usize,
}

impl Incoming<'_> {
    pub(super) fn decode(&self, encoded: &Json) -> Result<Value, CodecError> {
        Ok(match encoded {
            Json::Null => Value::None,
            Json::Bool(bool) => (*bool).into(),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => integer.into(),
                (None, Some(float)) => float.into(),
                (None, None) => return Err(malformed(encoded)),
            },
            Json::String(text) => text.as_str().into(),
            Json::Array(items) => {
                items.iter().map(|item| self.decode(item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Json::Object(object) => {
                let field = |name| object.get(name);
                if let Some(pairs) = field("map").and_then(Json::as_array) {
                    let pair = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
                        Some([key, value]) => Ok((self.decode(key)?, self.decode(value)?)),
                        _ => Err(malformed(pair)),
                    };
                    Value::Map(Arc::new(pairs.iter().map(pair).collect::<Result<_, _>>()?))
                } else if let Some(text) = field("float").and_then(Json::as_str) {
                    text.parse::<f64>().map_err(|_| malformed(encoded))?.into()
                } else if let Some(text) = field("integer").and_then(Json::as_str) {
                    let integer = text.parse::<num_bigint::BigInt>();
                    integer.map_err(|_| malformed(encoded))?.into()
                } else if let Some(shape) = field("array").and_then(Json::as_array) {
                    let size = |size: &Json| size.as_u64().and_then(|n| usize::try_from(n).ok());
                    let shape: Option<Vec<usize>> = shape.iter().map(size).collect();
                    let at = field("at").and_then(Json::as_u64);
                    let (Some(shape), Some(at), Some(memory)) = (shape, at, self.memory) else {
                        return Err(malformed(encoded));
                    };
                    memory::read_array(memory, at, &shape, self.most)?.into()
                } else if let (Some(kind), Some(fields)) = (
                    field("object").and_then(Json::as_str),
                    field("fields").and_then(Json::as_object),
                ) {
                    let decoded = |(name, value): (&String, &Json)| {
                        Ok::<_, CodecError>((name.clone(), self.decode(value)?))
                    };
                    let fields = fields.iter().map(decoded).collect::<Result<_, _>>()?;
                    exchange::decode(kind, fields).map_err(CodecError::Malformed)?
                } else {
                    return Err(malformed(encoded));
                }
            }
        })
    }
}

fn malformed(json: &Json) -> CodecError {
    CodecError::Malformed(json.to_string().chars().take(200).collect())
}
