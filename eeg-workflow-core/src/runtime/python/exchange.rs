//! Objects of the EEG library as fields that cross to a worker and back; `exchange.py` makes
//! MNE's objects of them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::value::{CodecError, Outgoing};
use crate::block::{Object, Value};

/// The object as its kind and its fields; none if workers have no counterpart.
pub(super) fn encode(
    _object: &dyn Object,
    _message: &mut Outgoing,
) -> Result<Option<Json>, CodecError> {
    Ok(None)
}

/// The object of this kind.
pub(super) fn decode(kind: &str, _fields: BTreeMap<String, Value>) -> Result<Value, String> {
    Err(format!("an object of an unknown kind \"{kind}\""))
}
