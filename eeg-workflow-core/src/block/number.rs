//! Numbers as Python writes and reads them: integers of any size, and floats.

use std::sync::Arc;

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::Value;

/// A number: an integer of any size, or a float.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Integer(BigInt),
    /// A float.
    Float(f64),
}

impl Number {
    /// Reads a number as Python's `int(text)` and then `float(text)` would: surrounding white
    /// space, a sign, single underscores between digits, `inf` and `nan` in any case.
    ///
    /// ```
    /// use eeg_workflow_core::block::Number;
    /// assert_eq!(Number::parse(" 1_000 "), Some(Number::Integer(1000.into())));
    /// assert_eq!(Number::parse("40.5"), Some(Number::Float(40.5)));
    /// assert_eq!(Number::parse("0x10"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = strip_underscores(text)?;
        if let Ok(integer) = digits.parse::<i64>() {
            return Some(Self::Integer(integer.into()));
        }
        let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
        if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
            // Python refuses more than 4300 digits too: the conversion takes quadratic time.
            return if unsigned.len() <= 4300 {
                digits.parse().ok().map(Self::Integer)
            } else {
                None
            };
        }
        digits.parse().ok().map(Self::Float)
    }

    /// The nearest float.
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Integer(integer) => integer.to_f64().unwrap_or(f64::NAN),
            Self::Float(float) => *float,
        }
    }

    /// The number in a value: a number as it is, a boolean as 0 or 1, a string as
    /// [`Number::parse`] reads it.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(bool) => Some(Self::Integer(i64::from(*bool).into())),
            Value::Integer(integer) => Some(Self::Integer((*integer).into())),
            Value::BigInteger(integer) => Some(Self::Integer(BigInt::clone(integer))),
            Value::Float(float) => Some(Self::Float(*float)),
            Value::Text(text) => Self::parse(text),
            _ => None,
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Float(float) => Self::Float(float),
            Number::Integer(integer) => match i64::try_from(&integer) {
                Ok(small) => Self::Integer(small),
                Err(_) => Self::BigInteger(Arc::new(integer)),
            },
        }
    }
}

/// The string without its underscores, if each stands between two digits.
fn strip_underscores(text: &str) -> Option<std::borrow::Cow<'_, str>> {
    if !text.contains('_') {
        return Some(text.into());
    }
    let bytes = text.as_bytes();
    let digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
    let placed = |i: usize| digit(i.checked_sub(1)) && digit(i.checked_add(1));
    let fine = bytes.iter().enumerate().all(|(i, b)| *b != b'_' || placed(i));
    fine.then(|| text.replace('_', "").into())
}
