//! Objects of block libraries as fields that cross to a worker and back; `exchange.py` is the other
//! side and makes MNE's objects of them.
//!
//! Each type has a line in [`FORMS`]. Samples lie in shared memory: they are written there once,
//! in volts, from wherever they are.

#[cfg(feature = "eeg")]
mod decode;
#[cfg(feature = "eeg")]
mod encode;
#[cfg(feature = "learn")]
mod network;

use std::collections::BTreeMap;
use std::io;

use serde_json::Value as Json;

use super::arrays::Arrays;
use crate::block::{Object, Value};

/// The fields that a worker sent, by their names.
type FieldMap = BTreeMap<String, Value>;

/// How objects of one type cross.
struct Form {
    /// What both sides call the type.
    kind: &'static str,
    /// The object's fields; none if it is of another type.
    encode: fn(&dyn Object, &mut Arrays) -> Option<io::Result<Json>>,
    /// The object of these fields, or what is wrong with them.
    decode: fn(FieldMap) -> Result<Value, String>,
}

#[cfg(feature = "eeg")]
static FORMS: &[Form] = &[
    Form { kind: "Recording", encode: encode::recording, decode: decode::recording },
    Form { kind: "Epochs", encode: encode::epochs, decode: decode::epochs },
    Form { kind: "Evoked", encode: encode::evoked, decode: decode::evoked },
    #[cfg(feature = "learn")]
    Form { kind: "FeatureVectors", encode: encode::features, decode: decode::features },
    #[cfg(feature = "learn")]
    Form { kind: "Network", encode: network::of_layers, decode: network::decode },
    #[cfg(feature = "learn")]
    Form { kind: "Network", encode: network::of_model, decode: network::decode },
];

/// Without the EEG library there are no such objects.
#[cfg(not(feature = "eeg"))]
static FORMS: &[Form] = &[];

/// The object's kind and its fields; none if workers have no counterpart.
pub(super) fn encode(
    object: &dyn Object,
    arrays: &mut Arrays,
) -> io::Result<Option<(&'static str, Json)>> {
    let fields = FORMS.iter().find_map(|form| Some((form.kind, (form.encode)(object, arrays)?)));
    fields.map(|(kind, fields)| Ok((kind, fields?))).transpose()
}

/// The object of this kind.
pub(super) fn decode(kind: &str, fields: FieldMap) -> Result<Value, String> {
    let form = FORMS.iter().find(|form| form.kind == kind);
    let form = form.ok_or_else(|| format!("an object of an unknown kind {kind:?}"))?;
    (form.decode)(fields).map_err(|problem| format!("this is not a valid {kind}: {problem}"))
}
