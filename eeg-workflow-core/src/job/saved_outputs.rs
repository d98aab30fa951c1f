//! The saved outputs of blocks as JSON and back: what a job that is resumed starts from.

use std::sync::Arc;

use serde_json::Value as Json;
use serde_json::value::{RawValue, to_raw_value};

use crate::block::{Value, json};

/// The outputs of blocks, by the block's position.
pub(super) type SavedOutputs = Vec<(u32, Arc<[Value]>)>;

/// What is saved of one job is no longer than this, so that the store can hold it.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The outputs as JSON; blocks with a value that JSON cannot hold are left out, and run again.
pub(super) fn encode(saved: &SavedOutputs) -> String {
    let mut bytes = 2;
    let blocks = saved.iter().filter_map(|(block, outputs)| {
        let outputs: Result<Vec<Json>, _> = outputs.iter().map(json::encode).collect();
        let entry = to_raw_value(&(block, outputs.ok()?)).ok()?;
        let fits = bytes + entry.get().len() < MAX_BYTES;
        bytes += if fits { entry.get().len() + 1 } else { 0 };
        fits.then_some(entry)
    });
    let blocks: Vec<Box<RawValue>> = blocks.collect();
    serde_json::to_string(&blocks).unwrap_or_default()
}

/// What [`encode`] wrote; none if it is anything else.
pub(super) fn decode(text: &str) -> Option<SavedOutputs> {
    let blocks: Vec<(u32, Vec<Json>)> = serde_json::from_str(text).ok()?;
    let outputs = |outputs: &[Json]| -> Option<Arc<[Value]>> {
        outputs.iter().map(|value| json::decode(value).ok()).collect()
    };
    blocks.iter().map(|(block, values)| Some((*block, outputs(values)?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn plain_values_come_back_as_they_were() {
        let big: num_bigint::BigInt = "-123456789012345678901234567890".parse().unwrap();
        let map: Value = [("k", Value::from(1.5)), ("null", Value::None)].into_iter().collect();
        let values: Arc<[Value]> = vec![
            Value::None,
            true.into(),
            i64::MIN.into(),
            big.into(),
            0.1.into(),
            f64::NEG_INFINITY.into(),
            1e-320.into(),
            "a \"quote\" \u{1f9e0}".into(),
            vec![Value::from(1), map.clone(), Value::from(vec![])].into(),
            map,
        ]
        .into();
        let saved = vec![(7, values), (8, Arc::from(vec![]))];
        assert_eq!(decode(&encode(&saved)).unwrap(), saved);
        let odd: SavedOutputs = vec![(0, vec![Value::from(f64::NAN), Value::from(-0.0)].into())];
        let text = format!("{:?}", decode(&encode(&odd)).unwrap());
        assert!(text.contains("NaN") && text.contains("-0.0"), "{text}");
    }

    #[test]
    fn what_json_cannot_hold_is_left_out() {
        let deep = (0..200).fold(Value::from(1), |inner, _| vec![inner].into());
        let array = Value::from(ndarray::ArrayD::<f64>::zeros(vec![2]));
        let saved: SavedOutputs = vec![
            (0, vec![deep].into()),
            (1, vec![array].into()),
            (2, vec![Value::from("saved")].into()),
        ];
        assert_eq!(decode(&encode(&saved)).unwrap(), saved[2..]);
        assert!(decode("[[0, [{\"what\": 1}]]]").is_none());
    }
}
