//! A value in a JSON document with its JSON pointer, for exact error messages.

use serde_json::{Map, Value};

use crate::block::json::pointer_token;
use crate::workflow::Diagnostic;

/// The maximum length of a list in a manifest.
const MAX_ITEMS: usize = 1000;

/// A value in a document, and its JSON pointer.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

/// What is wrong at a place.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) pointer: String,
    pub(super) text: String,
    /// What is wrong in a workflow there.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Problem {
    pub(super) fn new(pointer: impl Into<String>, text: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), text: text.into(), diagnostics: Vec::new() }
    }
}

type Found<T> = Result<T, Problem>;

impl<'a> Place<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    pub(super) fn problem(&self, text: impl Into<String>) -> Problem {
        Problem::new(&self.pointer, text)
    }

    /// The pointer of something in this value.
    pub(super) fn pointer_to(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, pointer_token(key))
    }

    /// An object that has no other fields than these.
    pub(super) fn object(&self, fields: &[&str]) -> Found<&'a Map<String, Value>> {
        let object = self.value.as_object().ok_or_else(|| self.problem("must be an object"))?;
        match object.keys().find(|key| !fields.contains(&key.as_str())) {
            Some(key) => {
                let text = format!("unknown field (known ones: {})", fields.join(", "));
                Err(Problem::new(self.pointer_to(key), text))
            }
            None => Ok(object),
        }
    }

    /// A field, if it is there.
    pub(super) fn get(&self, field: &str) -> Option<Self> {
        let value = self.value.get(field)?;
        Some(Self { value, pointer: self.pointer_to(field) })
    }

    /// A field that must be there.
    pub(super) fn need(&self, field: &str) -> Found<Self> {
        self.get(field).ok_or_else(|| self.problem(format!("field \"{field}\" is missing")))
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Found<Vec<Self>> {
        let items = self.value.as_array().ok_or_else(|| self.problem("must be a list"))?;
        if items.len() > MAX_ITEMS {
            let text = format!("has {} items (at most {MAX_ITEMS})", items.len());
            return Err(self.problem(text));
        }
        let place = |(i, value)| Self { value, pointer: format!("{}/{i}", self.pointer) };
        Ok(items.iter().enumerate().map(place).collect())
    }

    /// The items of a list that is there, or none.
    pub(super) fn items_of(&self, field: &str) -> Found<Vec<Self>> {
        self.get(field).map_or(Ok(Vec::new()), |place| place.items())
    }

    pub(super) fn text(&self) -> Found<&'a str> {
        self.value.as_str().ok_or_else(|| self.problem("must be a string"))
    }

    /// A string field, or an empty string.
    pub(super) fn text_of(&self, field: &str) -> Found<&'a str> {
        self.get(field).map_or(Ok(""), |place| place.text())
    }

    /// A string field that names something: neither empty nor long, on one line.
    pub(super) fn name_of(&self, field: &str) -> Found<&'a str> {
        let place = self.need(field)?;
        let name = place.text()?;
        if name.trim().is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
            return Err(place.problem("must be a name: 1 to 200 bytes on one line"));
        }
        Ok(name)
    }
}
