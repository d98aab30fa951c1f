//! Values as they cross between this process and a worker; `codec.py` is the other side.
//!
//! Plain values are the JSON of [`block::json`](crate::block::json); arrays lie in memory that is
//! passed beside the message: `{"array": shape, "at": offset}`; objects are the kinds that
//! [`objects`] knows: `{"object": kind, "fields": {…}}`.

mod arrays;
mod objects;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use self::arrays::Arrays;
use super::memory;
use crate::block::Value;
use crate::block::json::{JsonError, decode_with, encode_with};

/// Why a value cannot cross.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("a {0} cannot be given to a Python block")]
    Unknown(String),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("shared memory")]
    Memory(#[from] std::io::Error),
    #[error("the worker sent something that is not a value: {0}")]
    Malformed(String),
}

/// A message to a worker that is being put together: descriptors, and memory for its arrays.
#[derive(Default)]
pub(crate) struct Outgoing {
    arrays: Arrays,
    received: Vec<Arc<OwnedFd>>,
}

impl Outgoing {
    /// Attaches a descriptor that a worker gave; gives its number.
    pub(crate) fn attach(&mut self, descriptor: Arc<OwnedFd>) -> usize {
        self.received.push(descriptor);
        self.received.len() - 1
    }

    /// All descriptors, and which of them is the memory of the arrays.
    pub(crate) fn descriptors(&self) -> (Vec<BorrowedFd<'_>>, Option<usize>) {
        let mut all: Vec<BorrowedFd<'_>> = self.received.iter().map(|fd| fd.as_fd()).collect();
        let memory = self.arrays.descriptor().map(|memory| {
            all.push(memory);
            all.len() - 1
        });
        (all, memory)
    }

    pub(crate) fn encode(&mut self, value: &Value) -> Result<Json, CodecError> {
        encode_with(value, &mut |value| match value {
            Value::Array(array) => {
                let array = array.as_standard_layout();
                let floats = array.as_slice().unwrap_or_default();
                Ok(self.arrays.add(array.shape(), |write| write(0, floats))?)
            }
            Value::Object(object) => {
                let encoded = objects::encode(object.as_ref(), &mut self.arrays)?;
                let (kind, fields) =
                    encoded.ok_or_else(|| CodecError::Unknown(object.type_name().to_owned()))?;
                Ok(json!({ "object": kind, "fields": fields }))
            }
            other => Err(JsonError::NotPlain(other.type_name().to_owned()).into()),
        })
    }
}

/// A message from a worker that is being read.
pub(crate) struct Incoming<'a> {
    /// The memory of its arrays.
    pub(crate) memory: Option<&'a OwnedFd>,
    /// Arrays of more bytes are refused.
    pub(crate) most: usize,
}

impl Incoming<'_> {
    pub(crate) fn decode(&self, encoded: &Json) -> Result<Value, CodecError> {
        decode_with(encoded, &mut |object| {
            if let Some(shape) = object.get("array") {
                return self.array(object, shape).map(Some);
            }
            let kind = object.get("object").and_then(Json::as_str);
            let fields = object.get("fields").and_then(Json::as_object);
            let (Some(kind), Some(fields)) = (kind, fields) else { return Ok(None) };
            let decoded = |(name, value): (&String, &Json)| {
                Ok::<_, CodecError>((name.clone(), self.decode(value)?))
            };
            let fields = fields.iter().map(decoded).collect::<Result<_, _>>()?;
            objects::decode(kind, fields).map(Some).map_err(CodecError::Malformed)
        })
    }

    fn array(&self, object: &Map<String, Json>, shape: &Json) -> Result<Value, CodecError> {
        let size = |size: &Json| size.as_u64().and_then(|n| usize::try_from(n).ok());
        let shape: Option<Vec<usize>> =
            shape.as_array().and_then(|sizes| sizes.iter().map(size).collect());
        let at = object.get("at").and_then(Json::as_u64);
        let (Some(shape), Some(at), Some(memory)) = (shape, at, self.memory) else {
            let text = Json::from(object.clone()).to_string();
            return Err(CodecError::Malformed(text.chars().take(200).collect()));
        };
        Ok(memory::read_array(memory, at, &shape, self.most)?.into())
    }
}
