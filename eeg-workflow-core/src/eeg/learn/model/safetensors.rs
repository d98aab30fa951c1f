//! Models as safetensors files: the length of a JSON header (8 bytes, little-endian), the header
//! with type, shape and place of each tensor, the tensors.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::parts::{self, Stored, Tensor};
use crate::eeg::learn::{Model, ModelFileError, Weights};

const METADATA: &str = "__metadata__";

pub(super) fn write(model: &Model) -> Vec<u8> {
    let (kind, tensors) = match &model.weights {
        Weights::Single(network) => (<f32 as Stored>::SAFETENSORS, parts::tensors(network)),
        Weights::Double(network) => (<f64 as Stored>::SAFETENSORS, parts::tensors(network)),
    };
    let metadata: BTreeMap<_, _> = parts::metadata(model).into_iter().collect();
    let mut header = serde_json::Map::from_iter([(METADATA.to_owned(), json!(metadata))]);
    let mut data = Vec::new();
    for (name, shape, bytes) in tensors {
        let start = data.len();
        data.extend_from_slice(&bytes);
        let place = json!({"dtype": kind, "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name, place);
    }
    let mut header = serde_json::Value::from(header).to_string().into_bytes();
    // The tensors start at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.append(&mut header);
    file.append(&mut data);
    file
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__", borrow, default)]
    metadata: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(flatten, borrow)]
    tensors: BTreeMap<Cow<'a, str>, Place>,
}

#[derive(Deserialize)]
struct Place {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

pub(super) fn read(bytes: &[u8]) -> Result<Model, ModelFileError> {
    let truncated = |what: &str| ModelFileError::Truncated { what: what.to_owned() };
    let (length, rest) = bytes.split_first_chunk().ok_or_else(|| truncated("the header"))?;
    let length = usize::try_from(u64::from_le_bytes(*length));
    let split = length.ok().and_then(|length| rest.split_at_checked(length));
    let (header, data) = split.ok_or_else(|| truncated("the header"))?;
    let header: Header<'_> = serde_json::from_slice(header)
        .map_err(|source| ModelFileError::Json { what: "the header", source })?;
    let mut tensors = BTreeMap::new();
    for (name, place) in &header.tensors {
        let double = match place.dtype.as_str() {
            <f64 as Stored>::SAFETENSORS => true,
            <f32 as Stored>::SAFETENSORS => false,
            other => {
                return Err(ModelFileError::Tensor {
                    name: name.to_string(),
                    found: format!("values of type {other:?}"),
                    expected: "F32 or F64".to_owned(),
                });
            }
        };
        let [start, end] = place.data_offsets;
        let bytes = data.get(start..end).ok_or_else(|| truncated(&format!("tensor {name:?}")))?;
        tensors.insert(&**name, Tensor { double, shape: place.shape.clone(), bytes });
    }
    let metadata = header.metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
    parts::assemble(&metadata, &tensors)
}
