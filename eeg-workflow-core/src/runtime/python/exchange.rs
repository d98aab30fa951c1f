//! Objects of the EEG library as fields that cross to a worker and back; `exchange.py` makes
//! MNE's objects of them.
//!
//! `Recording`, `Epochs`, `Evoked` and (one way only) `FeatureVectors`. Samples lie in shared
//! memory: they are written there once, in volts, from wherever they are.

#[cfg(feature = "builtin")]
mod decode;
#[cfg(feature = "builtin")]
mod encode;

#[cfg(feature = "builtin")]
pub(super) use self::{decode::decode, encode::encode};

/// The object as its kind and its fields; none if workers have no counterpart.
#[cfg(not(feature = "builtin"))]
pub(super) fn encode(
    _object: &dyn crate::block::Object,
    _message: &mut super::value::Outgoing,
) -> Result<Option<serde_json::Value>, super::value::CodecError> {
    Ok(None)
}

/// The object of this kind.
#[cfg(not(feature = "builtin"))]
pub(super) fn decode(
    kind: &str,
    _fields: std::collections::BTreeMap<String, crate::block::Value>,
) -> Result<crate::block::Value, String> {
    Err(format!("an object of the kind \"{kind}\", which this program was built without"))
}
