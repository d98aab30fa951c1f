//! The outputs of blocks as JSON text and back: what a job that is resumed starts from.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::block::{Value, json};

/// The outputs of blocks, by the block's position.
pub(super) type Kept = Vec<(u32, Arc<[Value]>)>;

/// What is kept of one job is no longer than this, so that the store can hold it.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The text; blocks with a value that cannot be kept are left out, and so run again.
pub(super) fn encode(kept: &Kept) -> String {
    let mut text = String::from("[");
    for (block, outputs) in kept {
        let outputs: Result<Vec<Json>, _> = outputs.iter().map(json::encode).collect();
        let Ok(outputs) = outputs else { continue };
        let entry = json!([block, outputs]).to_string();
        if text.len() + entry.len() > MAX_BYTES {
            continue;
        }
        text.push_str(if text.len() > 1 { "," } else { "" });
        text.push_str(&entry);
    }
    text.push(']');
    text
}

/// What [`encode`] wrote; none if it is anything else.
pub(super) fn decode(text: &str) -> Option<Kept> {
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
        let kept = vec![(7, values), (8, Arc::from(vec![]))];
        assert_eq!(decode(&encode(&kept)).unwrap(), kept);
        let odd: Kept = vec![(0, vec![Value::from(f64::NAN), Value::from(-0.0)].into())];
        let text = format!("{:?}", decode(&encode(&odd)).unwrap());
        assert!(text.contains("NaN") && text.contains("-0.0"), "{text}");
    }

    #[test]
    fn what_json_cannot_hold_is_left_out() {
        let deep = (0..200).fold(Value::from(1), |inner, _| vec![inner].into());
        let array = Value::from(ndarray::ArrayD::<f64>::zeros(vec![2]));
        let kept: Kept = vec![
            (0, vec![deep].into()),
            (1, vec![array].into()),
            (2, vec![Value::from("kept")].into()),
        ];
        assert_eq!(decode(&encode(&kept)).unwrap(), kept[2..]);
        assert!(decode("[[0, [{\"what\": 1}]]]").is_none());
    }
}
