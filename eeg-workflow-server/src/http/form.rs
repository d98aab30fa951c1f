//! Forms: multipart, urlencoded and JSON bodies, all read into one [`Form`].

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::http::body_memory::HeldMemory;
use crate::http::frames::Frames;
use crate::http::multipart::Parts;
use crate::http::rejection::Rejection;

/// A form of more parts than this is refused.
const MAX_PARTS: usize = 256;

/// A form: parts with names, some of them files.
#[derive(Default)]
pub(crate) struct Form {
    parts: Vec<Part>,
    /// The whole text, when the body was JSON.
    json: Option<Bytes>,
    /// The memory that a large form takes.
    #[expect(dead_code, reason = "held for its drop")]
    memory: Option<Arc<Mutex<HeldMemory>>>,
}

/// One part of a form.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content: Bytes,
    /// Whether the content is the JSON text of something else than a string.
    is_json: bool,
}

impl Form {
    /// Reads all of it, whatever of the known types it has.
    pub(crate) async fn read(
        frames: Frames,
        media_type: Option<&str>,
        content_type: Option<&str>,
    ) -> Result<Self, Rejection> {
        match media_type {
            Some("multipart/form-data") => {
                Self::read_multipart(frames, content_type.unwrap_or_default()).await
            }
            Some("application/x-www-form-urlencoded") => {
                Ok(Self::from_urlencoded(&frames.collect().await?))
            }
            Some("application/json") => Self::from_json(frames.collect().await?),
            other => {
                // A request without any body has an empty form.
                if frames.collect().await?.is_empty() {
                    return Ok(Self::default());
                }
                Err(Rejection::UnsupportedMediaType(other.unwrap_or("unknown").into()))
            }
        }
    }

    /// The same form, which holds its memory until it is dropped.
    pub(crate) fn holding(self, memory: Option<Arc<Mutex<HeldMemory>>>) -> Self {
        Self { memory, ..self }
    }

    async fn read_multipart(frames: Frames, content_type: &str) -> Result<Self, Rejection> {
        let mut body = Parts::new(frames, content_type)?;
        let mut parts = Vec::new();
        while let Some(mut field) = body.next().await? {
            if parts.len() == MAX_PARTS {
                return Err(Rejection::BadBody(format!("the form has over {MAX_PARTS} parts")));
            }
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let mut content = field.chunk().await?.unwrap_or_default();
            if let Some(next) = field.chunk().await? {
                let mut all = BytesMut::from(content);
                all.extend_from_slice(&next);
                while let Some(more) = field.chunk().await? {
                    all.extend_from_slice(&more);
                }
                content = all.freeze();
            }
            parts.push(Part { name, file_name, content, is_json: false });
        }
        Ok(Self { parts, ..Self::default() })
    }

    fn from_urlencoded(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes).take(MAX_PARTS);
        let part = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| Part {
            name: name.into_owned(),
            file_name: None,
            content: value.into_owned().into(),
            is_json: false,
        };
        Self { parts: pairs.map(part).collect(), ..Self::default() }
    }

    /// A JSON object is a form too: strings as they are, anything else as its JSON text. A member
    /// that is null is not there.
    fn from_json(bytes: Bytes) -> Result<Self, Rejection> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let members: Members<'_> = serde_json::from_slice(&bytes).map_err(|error| {
            Rejection::BadBody(format!("the body is not a JSON object that is taken here: {error}"))
        })?;
        let mut parts = Vec::with_capacity(members.0.len());
        for (name, value) in members.0 {
            if value.get() == "null" {
                continue;
            }
            let (content, is_json) = match serde_json::from_str::<String>(value.get()) {
                Ok(text) => (text.into(), false),
                Err(_) => (bytes.slice_ref(value.get().as_bytes()), true),
            };
            parts.push(Part { name, file_name: None, content, is_json });
        }
        Ok(Self { parts, json: Some(bytes), memory: None })
    }

    /// The part of this name.
    pub(crate) fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The text of the part of this name; a file of that name counts too.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, Rejection> {
        let Some(part) = self.part(name) else { return Ok(None) };
        std::str::from_utf8(&part.content).map(Some).map_err(|error| Rejection::BadField {
            field: name,
            problem: format!("is not UTF-8 text at byte {}", error.valid_up_to()),
        })
    }

    /// As [`Form::text`], for a part that must be there.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, Rejection> {
        self.text(name)?.ok_or(Rejection::MissingField(name))
    }

    /// As [`Form::text`], where a number or an object in a JSON body is not meant: a password.
    pub(crate) fn string(&self, name: &'static str) -> Result<Option<&str>, Rejection> {
        if self.part(name).is_some_and(|part| part.is_json) {
            return Err(Rejection::BadField { field: name, problem: "must be a string".into() });
        }
        self.text(name)
    }

    /// As [`Form::string`], for a part that must be there.
    pub(crate) fn required_string(&self, name: &'static str) -> Result<&str, Rejection> {
        self.string(name)?.ok_or(Rejection::MissingField(name))
    }

    /// Whether the part of this name says yes; no if it is not there.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Rejection> {
        let Some(text) = self.text(name)? else { return Ok(false) };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "on" => Ok(true),
            "false" | "0" | "off" | "" => Ok(false),
            _ => {
                let problem = "is neither true nor false".into();
                Err(Rejection::BadField { field: name, problem })
            }
        }
    }

    /// The whole body as it came, when it was JSON.
    pub(crate) fn json_text(&self) -> Option<&str> {
        self.json.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

/// The members of a JSON object, at most [`MAX_PARTS`] of them.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key()? {
                    if members.len() == MAX_PARTS {
                        let problem = format!("it has over {MAX_PARTS} members");
                        return Err(serde::de::Error::custom(problem));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
