//! Values as Python prints them.

use std::fmt::{self, Write};

use super::Value;

/// Prints a value as Python's `repr` would: `{'output': '40'}`, `[1, 2.0, True, None]`.
///
/// ```
/// use eeg_workflow_core::block::{PythonRepr, Value};
/// let value: Value = [("output", Value::from("it's"))].into_iter().collect();
/// assert_eq!(PythonRepr(&value).to_string(), r#"{'output': "it's"}"#);
/// assert_eq!(PythonRepr(&Value::from(1e16)).to_string(), "1e+16");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PythonRepr<'a>(pub &'a Value);

impl fmt::Display for PythonRepr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::None => f.write_str("None"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Integer(integer) => write!(f, "{integer}"),
            Value::BigInteger(integer) => write!(f, "{integer}"),
            Value::Float(float) => write_float(f, *float),
            Value::Text(text) => write_text(f, text),
            Value::List(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write!(f, "{}", PythonRepr(item))?;
                }
                f.write_char(']')
            }
            Value::Map(entries) => {
                f.write_char('{')?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write!(f, "{}: {}", PythonRepr(key), PythonRepr(value))?;
                }
                f.write_char('}')
            }
            #[cfg(feature = "arrays")]
            Value::Array(array) => write!(f, "<array of shape {:?}>", array.shape()),
            Value::Object(object) => write!(f, "<{}>", object.type_name()),
        }
    }
}

/// The shortest digits, in Python's layout: fixed between 1e-4 and 1e16, otherwise with an exponent of at least two digits.
fn write_float(f: &mut fmt::Formatter<'_>, float: f64) -> fmt::Result {
    if float.is_nan() {
        return f.write_str("nan");
    }
    if float.is_infinite() {
        return f.write_str(if float < 0.0 { "-inf" } else { "inf" });
    }
    let scientific = shortest(float);
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return write!(f, "{digits}e{sign}{exponent:0>2}");
    }
    // As many digits after the point as the shortest form has.
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let exponent: i64 = exponent.parse().unwrap_or_default();
    let decimals = i64::try_from(fraction).unwrap_or_default() - exponent;
    write!(f, "{float:.*}", usize::try_from(decimals).unwrap_or_default().max(1))
}

/// The shortest digits that read back to the same float, as `1.25e-7`. Where two of that length
/// do, it is the nearer one, and of two equally near ones the even one: Rust's own choice is
/// another there.
fn shortest(float: f64) -> String {
    let text = format!("{float:e}");
    let digits = text
        .split_once('e')
        .map_or(0, |(digits, _)| digits.bytes().filter(u8::is_ascii_digit).count());
    if digits < 16 {
        return text;
    }
    let rounded = format!("{float:.*e}", digits - 1);
    if rounded.parse() == Ok(float) { rounded } else { text }
}

/// In single quotes, unless the text has single quotes and no double ones.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if is_printable(c) => f.write_char(c)?,
            c if u32::from(c) <= 0xff => write!(f, "\\x{:02x}", u32::from(c))?,
            c if u32::from(c) <= 0xffff => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "\\U{:08x}", u32::from(c))?,
        }
    }
    f.write_char(quote)
}

/// `str.isprintable` for the characters that occur in practice: no controls, separators other
/// than the space, formats, surrogates, private use or noncharacters.
fn is_printable(c: char) -> bool {
    if c == ' ' {
        return true;
    }
    !(c.is_control()
        || c.is_whitespace()
        || matches!(u32::from(c),
            0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f
            | 0x202a..=0x202e | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb
            | 0xfffe..=0xffff | 0xe0000..=0x10ffff))
}
