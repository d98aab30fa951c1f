//! Values as JSON and back, through the public interface.
#![allow(clippy::unwrap_used)]

use eeg_workflow_core::block::{Value, json};
use proptest::prelude::*;

fn plain() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(|number| num_bigint::BigInt::from(number).into()),
        any::<f64>().prop_map(Value::from),
        Just(Value::from(f64::INFINITY)),
        ".*".prop_map(Value::from),
        "-?[1-9][0-9]{30,60}"
            .prop_map(|digits| digits.parse::<num_bigint::BigInt>().unwrap().into()),
    ];
    scalar.prop_recursive(4, 40, 5, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(Value::from),
            proptest::collection::vec(pair, 0..5).prop_map(|pairs| Value::Map(pairs.into())),
        ]
    })
}

proptest! {
    #[test]
    fn every_plain_value_survives_its_json_text(value in plain()) {
        let text = json::encode(&value).unwrap().to_string();
        let back = json::decode(&serde_json::from_str(&text).unwrap()).unwrap();
        // As Debug prints them NaN is equal to itself, and -0.0 is not 0.0.
        prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));
    }
}

#[test]
fn what_is_nested_too_deep_or_is_not_plain_is_refused() {
    let deep = (0..=json::MAX_DEPTH).fold(Value::from(1), |inner, _| vec![inner].into());
    assert_eq!(
        json::encode(&deep).unwrap_err().to_string(),
        "the value is nested more than 50 deep"
    );
    assert!(json::to_document(&deep).is_err());
    let array = Value::from(ndarray::ArrayD::<f64>::zeros(vec![2]));
    assert_eq!(
        json::encode(&array).unwrap_err().to_string(),
        "a value of type array has no JSON form"
    );
    let odd = json::decode(&serde_json::json!({ "float": "much" })).unwrap_err();
    assert_eq!(odd.to_string(), r#"this JSON does not encode a value: {"float":"much"}"#);
}

#[test]
fn the_json_of_documents_is_on_one_line_and_keeps_every_digit() {
    let big: num_bigint::BigInt = "123456789012345678901234567890".parse().unwrap();
    let list = Value::from(vec![Value::from(big), Value::from(f64::NAN), Value::from(0.1)]);
    let map: Value =
        [(Value::from("a"), list), (Value::from(2), Value::None)].into_iter().collect();
    assert_eq!(
        json::to_document(&map).unwrap(),
        r#"{"a": [123456789012345678901234567890, null, 0.1], "2": null}"#
    );
}
