//! The values of a block's parameters in one workflow.

use std::sync::Arc;

use super::json::from_document;
use super::{BlockSpec, Number, Parameter, PortType, Value};

/// A parameter whose value cannot be read as its declared type.
#[derive(Clone, Debug, thiserror::Error)]
#[error("parameter \"{name}\": {problem}")]
#[non_exhaustive]
pub struct ParameterError {
    /// The parameter.
    pub name: String,
    /// What is wrong, with the value.
    pub problem: String,
}

/// A block's parameters, in the order of its spec: values as the workflow has them (a string
/// stays the text that was typed), each checked to be readable as its declared type.
#[derive(Clone, Debug, Default)]
pub struct Parameters(Arc<[Value]>);

impl Parameters {
    /// Takes the values from `given`; a parameter that is not there has its default.
    ///
    /// # Errors
    /// All parameters whose value is not of the declared type, or required and empty.
    pub fn resolve<'a>(
        spec: &BlockSpec,
        given: impl Fn(&str) -> Option<&'a serde_json::Value>,
    ) -> Result<Self, Vec<ParameterError>> {
        let (parameters, errors) = Self::resolve_all(spec, given);
        if errors.is_empty() { Ok(parameters) } else { Err(errors) }
    }

    /// The same, and what is wrong with them: a value that is not of the declared type stays as
    /// it was given.
    pub(crate) fn resolve_all<'a>(
        spec: &BlockSpec,
        given: impl Fn(&str) -> Option<&'a serde_json::Value>,
    ) -> (Self, Vec<ParameterError>) {
        let mut errors = Vec::new();
        let values = spec.parameters().iter().map(|parameter| {
            let json = given(&parameter.name).unwrap_or(&parameter.default);
            check(parameter, json).unwrap_or_else(|problem| {
                errors.push(ParameterError { name: parameter.name.clone(), problem });
                from_document(json)
            })
        });
        (Self(values.collect()), errors)
    }

    pub(crate) fn value(&self, spec: &BlockSpec, name: &str) -> Option<&Value> {
        let index = spec.parameters().iter().position(|parameter| parameter.name == name)?;
        self.0.get(index)
    }
}

/// The value as it was given, if it can be read as the parameter's type.
fn check(parameter: &Parameter, json: &serde_json::Value) -> Result<Value, String> {
    let value = from_document(json);
    if is_empty(&value) {
        let problem = || "a value is required".to_owned();
        return if parameter.required { Err(problem()) } else { Ok(value) };
    }
    let declared = &parameter.port_type;
    let fine = if *declared == PortType::NUMBER {
        Number::from_value(&value).is_some()
    } else if *declared == PortType::BOOLEAN {
        boolean(&value).is_some()
    } else if [PortType::STRING, PortType::FILE, PortType::FILE_LOCATION].contains(declared) {
        !matches!(value, Value::List(_) | Value::Map(_))
    } else if *declared == PortType::NUMBER_ARRAY {
        items(&value).is_some_and(|items| items.iter().all(|v| Number::from_value(v).is_some()))
    } else if [PortType::STRING_ARRAY, PortType::FILE_ARRAY].contains(declared) {
        items(&value).is_some_and(|items| items.iter().all(|v| text(v).is_some()))
    } else {
        true
    };
    if fine { Ok(value) } else { Err(format!("{json} is not a valid {declared}")) }
}

/// Nothing was filled in: `null`, an empty text, or the word that the designer writes for it.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::None => true,
        Value::Text(text) => matches!(text.trim(), "" | "None"),
        _ => false,
    }
}

pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::Integer(0) => Some(false),
        Value::Integer(1) => Some(true),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A text, or a scalar as text.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Bool(_) | Value::Integer(_) | Value::BigInteger(_) | Value::Float(_) => {
            Some(super::PythonRepr(value).to_string())
        }
        _ => None,
    }
}

/// The items of a list; a string is a list of the parts between its commas.
pub(crate) fn items(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::None => Some(Vec::new()),
        Value::List(items) => Some(items.to_vec()),
        Value::Text(text) if text.trim().is_empty() => Some(Vec::new()),
        Value::Text(text) => Some(text.split(',').map(|part| part.trim().into()).collect()),
        Value::Map(_) | Value::Object(_) => None,
        #[cfg(feature = "arrays")]
        Value::Array(_) => None,
        scalar => Some(vec![scalar.clone()]),
    }
}
