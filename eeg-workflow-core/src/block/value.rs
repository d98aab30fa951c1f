//! The values that travel along the edges of a workflow.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "arrays")]
use ndarray::ArrayD;
use num_bigint::BigInt;

use super::PortType;

/// A value: what a block gives and gets. Cheap to clone; what is large is shared.
///
/// To change large data in place, take the value out of the [`Inputs`](super::Inputs) and use
/// [`Arc::make_mut`] (or [`Arc::try_unwrap`]): it copies only when somebody else holds the data too.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Value {
    /// Nothing (Python's `None`, JSON's `null`).
    #[default]
    None,
    /// True or false.
    Bool(bool),
    /// An integer that fits 64 bits.
    Integer(i64),
    /// An integer that does not.
    BigInteger(Arc<BigInt>),
    /// A float.
    Float(f64),
    /// A string.
    Text(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map that keeps its order; the keys are any plain values.
    Map(Arc<Vec<(Value, Value)>>),
    /// An array of floats of any shape.
    #[cfg(feature = "arrays")]
    Array(Arc<ArrayD<f64>>),
    /// An object of a block library's own type.
    Object(Arc<dyn Object>),
}

/// A value of a block library's own type, such as a recording.
pub trait Object: Any + Send + Sync + fmt::Debug {
    /// The type's name as ports declare it, such as `EEGData`.
    fn type_name(&self) -> &str;

    /// The bytes of memory that the object holds, for the engine's accounting.
    fn byte_size(&self) -> usize;

    /// The value that stands for the object where blocks of this program take it, for an object
    /// that lives in another process; none if there is no such value.
    fn native(&self) -> Option<&Value> {
        None
    }

    /// The type that a closure's port declares for it: [`PortType::OBJECT`] unless said
    /// otherwise.
    fn port_type() -> PortType
    where
        Self: Sized,
    {
        PortType::OBJECT
    }
}

impl Value {
    /// An object of a block library's own type.
    pub fn object(object: impl Object) -> Self {
        Self::Object(Arc::new(object))
    }

    /// The value's type in words, for messages.
    pub fn type_name(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Bool(_) => "boolean",
            Self::Integer(_) | Self::BigInteger(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            #[cfg(feature = "arrays")]
            Self::Array(_) => "array",
            Self::Object(object) => object.type_name(),
        }
    }

    /// The value as blocks of this program take it: what an object that lives in another process
    /// [gives for itself](Object::native), otherwise the value as it is.
    pub fn native(&self) -> &Self {
        match self {
            Self::Object(object) => object.native().unwrap_or(self),
            _ => self,
        }
    }

    fn into_native(self) -> Self {
        match &self {
            Self::Object(object) => object.native().cloned().unwrap_or(self),
            _ => self,
        }
    }

    /// Takes the value away for a block of this program.
    pub(crate) fn take_native(&mut self) -> Self {
        std::mem::take(self).into_native()
    }

    /// Whether the value is made of numbers, strings, lists and maps only: no array, no object.
    pub fn is_plain(&self) -> bool {
        match self {
            #[cfg(feature = "arrays")]
            Self::Array(_) => false,
            Self::Object(_) => false,
            Self::List(items) => items.iter().all(Self::is_plain),
            Self::Map(entries) => entries.iter().all(|(k, v)| k.is_plain() && v.is_plain()),
            _ => true,
        }
    }

    /// The bytes of memory that the value holds beyond the value itself.
    pub fn byte_size(&self) -> usize {
        match self {
            Self::None | Self::Bool(_) | Self::Integer(_) | Self::Float(_) => 0,
            Self::BigInteger(integer) => usize::try_from(integer.bits() / 8).unwrap_or(usize::MAX),
            Self::Text(text) => text.len(),
            Self::List(items) => {
                items.iter().map(Self::byte_size).sum::<usize>() + items.len() * size_of::<Self>()
            }
            Self::Map(entries) => entries
                .iter()
                .map(|(k, v)| k.byte_size() + v.byte_size() + 2 * size_of::<Self>())
                .sum(),
            #[cfg(feature = "arrays")]
            Self::Array(array) => array.len() * size_of::<f64>(),
            Self::Object(object) => object.byte_size(),
        }
    }

    /// The string, if the value is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The object of type `T`, if the value is one.
    pub fn downcast_ref<T: Object>(&self) -> Option<&T> {
        match self {
            Self::Object(object) => (object.as_ref() as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// The object of type `T`, or the value unchanged.
    ///
    /// # Errors
    /// The value itself when it is not an object of that type.
    pub fn downcast<T: Object>(self) -> Result<Arc<T>, Self> {
        if self.downcast_ref::<T>().is_none() {
            return Err(self);
        }
        match self {
            Self::Object(object) => {
                let any: Arc<dyn Any + Send + Sync> = object;
                any.downcast().map_err(|_| Self::None)
            }
            other => Err(other),
        }
    }
}

/// By content; objects are equal when they are the same object.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::BigInteger(a), Self::BigInteger(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            #[cfg(feature = "arrays")]
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

macro_rules! from {
    ($($from:ty => |$v:ident| $into:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($v: $from) -> Self {
                $into
            }
        })*
    };
}

from! {
    () => |_v| Self::None;
    bool => |v| Self::Bool(v);
    i64 => |v| Self::Integer(v);
    i32 => |v| Self::Integer(v.into());
    u32 => |v| Self::Integer(v.into());
    f64 => |v| Self::Float(v);
    &str => |v| Self::Text(v.into());
    String => |v| Self::Text(v.into());
    Arc<str> => |v| Self::Text(v);
    Vec<Value> => |v| Self::List(Arc::new(v));
    BigInt => |v| match i64::try_from(&v) {
        Ok(small) => Self::Integer(small),
        Err(_) => Self::BigInteger(Arc::new(v)),
    };
}

#[cfg(feature = "arrays")]
impl From<ArrayD<f64>> for Value {
    fn from(array: ArrayD<f64>) -> Self {
        Self::Array(Arc::new(array))
    }
}

impl<T: Object> From<Arc<T>> for Value {
    fn from(object: Arc<T>) -> Self {
        Self::Object(object)
    }
}

impl<K: Into<Self>, V: Into<Self>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self::Map(Arc::new(entries.into_iter().map(|(k, v)| (k.into(), v.into())).collect()))
    }
}
