//! Values as JSON and back.
//!
//! There are two forms. [`encode`] and [`decode`] lose nothing: `null`, booleans, finite floats,
//! integers of 64 bits, strings and lists are themselves; what JSON has no word for is an object
//! of one key: `{"float": "nan"}`, `{"integer": "…"}` and `{"map": [[key, value], …]}`. The JSON
//! that people write and read is simpler: [`from_document`] and [`to_document`].

use std::io::{self, Write};
use std::sync::Arc;

use num_bigint::BigInt;
use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};
use serde_json::ser::Formatter;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::Value;

/// The deepest nesting of lists and maps that is encoded. (Parsers of JSON stop at 128 levels, and
/// a map takes two.)
pub const MAX_DEPTH: usize = 50;

/// Why a value cannot be JSON, or JSON not a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Lists and maps are nested too deep.
    #[error("the value is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A value of this type has no JSON form.
    #[error("a value of type {0} has no JSON form")]
    NotPlain(String),
    /// JSON that does not encode a value; its beginning.
    #[error("this JSON does not encode a value: {0}")]
    Malformed(String),
}

/// A plain value as JSON, without loss.
///
/// ```
/// use eeg_workflow_core::block::{Value, json};
///
/// let value: Value = [("rate", Value::from(f64::INFINITY))].into_iter().collect();
/// let encoded = json::encode(&value)?;
/// assert_eq!(encoded.to_string(), r#"{"map":[["rate",{"float":"inf"}]]}"#);
/// assert_eq!(json::decode(&encoded)?, value);
/// # Ok::<(), json::JsonError>(())
/// ```
///
/// # Errors
/// The value holds an array or an object, or is nested too deep.
pub fn encode(value: &Value) -> Result<Json, JsonError> {
    encode_with(value, &mut |value| Err(JsonError::NotPlain(value.type_name().to_owned())))
}

/// As [`encode`]; `other` encodes arrays and objects.
pub(crate) fn encode_with<E: From<JsonError>>(
    value: &Value,
    other: &mut impl FnMut(&Value) -> Result<Json, E>,
) -> Result<Json, E> {
    encode_at(value, 0, other)
}

fn encode_at<E: From<JsonError>>(
    value: &Value,
    depth: usize,
    other: &mut impl FnMut(&Value) -> Result<Json, E>,
) -> Result<Json, E> {
    if depth > MAX_DEPTH {
        return Err(JsonError::TooDeep.into());
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
            let items = items.iter().map(|item| encode_at(item, depth + 1, other));
            items.collect::<Result<Vec<Json>, E>>()?.into()
        }
        Value::Map(entries) => {
            let mut pairs = Vec::with_capacity(entries.len());
            for (key, value) in entries.iter() {
                let key = encode_at(key, depth + 1, other)?;
                pairs.push(json!([key, encode_at(value, depth + 1, other)?]));
            }
            json!({ "map": pairs })
        }
        #[cfg(feature = "arrays")]
        Value::Array(_) => other(value)?,
        Value::Object(_) => other(value)?,
    })
}

/// The value that [`encode`] wrote.
///
/// # Errors
/// It is anything else.
pub fn decode(encoded: &Json) -> Result<Value, JsonError> {
    decode_with(encoded, &mut |_| Ok(None))
}

/// As [`decode`]; `other` is asked for objects of further kinds.
pub(crate) fn decode_with<E: From<JsonError>>(
    encoded: &Json,
    other: &mut impl FnMut(&Map<String, Json>) -> Result<Option<Value>, E>,
) -> Result<Value, E> {
    Ok(match encoded {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => from_document(encoded),
        Json::Array(items) => {
            let items = items.iter().map(|item| decode_with(item, other));
            items.collect::<Result<Vec<_>, E>>()?.into()
        }
        Json::Object(object) => {
            let only = if object.len() == 1 { object.iter().next() } else { None };
            let text = only.and_then(|(key, value)| Some((key.as_str(), value.as_str()?)));
            match (text, only) {
                (Some(("float", text)), _) => {
                    text.parse::<f64>().map_err(|_| malformed(encoded))?.into()
                }
                (Some(("integer", text)), _) => {
                    text.parse::<BigInt>().map_err(|_| malformed(encoded))?.into()
                }
                (_, Some((key, Json::Array(pairs)))) if key == "map" => {
                    let pairs = pairs.iter().map(|pair| match pair.as_array().map(Vec::as_slice) {
                        Some([key, value]) => {
                            Ok((decode_with(key, other)?, decode_with(value, other)?))
                        }
                        _ => Err(malformed(pair).into()),
                    });
                    Value::Map(Arc::new(pairs.collect::<Result<_, E>>()?))
                }
                _ => other(object)?.ok_or_else(|| malformed(encoded))?,
            }
        }
    })
}

/// What a document says as a value: objects are maps whose keys are strings.
pub fn from_document(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::Integer(integer),
            (None, Some(integer)) => BigInt::from(integer).into(),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(from_document).collect::<Vec<_>>().into(),
        Json::Object(map) => {
            map.iter().map(|(key, value)| (key.as_str(), from_document(value))).collect()
        }
    }
}

/// A value as JSON text for people and other programs: integers of any size to the last digit,
/// floats that JSON does not know as `null`, arrays as flat lists, keys of maps as strings.
///
/// # Errors
/// The value holds an object, or is nested too deep.
pub fn to_document(value: &Value) -> Result<String, JsonError> {
    check_document(value, 0)?;
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, OneLine);
    Document(value)
        .serialize(&mut serializer)
        .map_err(|error| JsonError::Malformed(error.to_string()))?;
    String::from_utf8(text).map_err(|error| JsonError::Malformed(error.to_string()))
}

fn check_document(value: &Value, depth: usize) -> Result<(), JsonError> {
    if depth > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    match value {
        Value::Object(object) => Err(JsonError::NotPlain(object.type_name().to_owned())),
        Value::List(items) => items.iter().try_for_each(|item| check_document(item, depth + 1)),
        Value::Map(entries) => entries.iter().try_for_each(|(key, value)| {
            check_document(key, depth + 1)?;
            check_document(value, depth + 1)
        }),
        _ => Ok(()),
    }
}

struct Document<'a>(&'a Value);

/// A key as a part of a JSON pointer (RFC 6901).
pub(crate) fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::None => serializer.serialize_unit(),
            Value::Bool(bool) => serializer.serialize_bool(*bool),
            Value::Integer(integer) => serializer.serialize_i64(*integer),
            Value::BigInteger(integer) => RawValue::from_string(integer.to_string())
                .map_err(S::Error::custom)?
                .serialize(serializer),
            Value::Float(float) => serializer.serialize_f64(*float),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items.iter().map(Document)),
            #[cfg(feature = "arrays")]
            Value::Array(array) => serializer.collect_seq(array.iter()),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries.iter() {
                    match key.as_text() {
                        Some(key) => map.serialize_key(key)?,
                        None => map.serialize_key(&to_document(key).map_err(S::Error::custom)?)?,
                    }
                    map.serialize_value(&Document(value))?;
                }
                map.end()
            }
            Value::Object(object) => {
                Err(S::Error::custom(JsonError::NotPlain(object.type_name().to_owned())))
            }
        }
    }
}

/// On one line, with spaces behind commas and colons.
struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

fn malformed(json: &Json) -> JsonError {
    JsonError::Malformed(json.to_string().chars().take(200).collect())
}
