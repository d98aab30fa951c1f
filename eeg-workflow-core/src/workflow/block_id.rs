//! The ids of blocks.

use std::fmt;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of a block, an integer or a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockId {
    /// An integer.
    Integer(i64),
    /// A string.
    Text(Arc<str>),
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;

        impl Visitor<'_> for Id {
            type Value = BlockId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer or a string")
            }

            fn visit_i64<E>(self, id: i64) -> Result<BlockId, E> {
                Ok(BlockId::Integer(id))
            }

            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<BlockId, E> {
                i64::try_from(id).map(BlockId::Integer).map_err(E::custom)
            }

            fn visit_str<E>(self, id: &str) -> Result<BlockId, E> {
                Ok(BlockId::Text(id.into()))
            }
        }

        deserializer.deserialize_any(Id)
    }
}

impl Serialize for BlockId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(id) => serializer.serialize_i64(*id),
            Self::Text(id) => serializer.serialize_str(id),
        }
    }
}

impl From<i64> for BlockId {
    fn from(id: i64) -> Self {
        Self::Integer(id)
    }
}

impl From<i32> for BlockId {
    fn from(id: i32) -> Self {
        Self::Integer(id.into())
    }
}

impl From<u32> for BlockId {
    fn from(id: u32) -> Self {
        Self::Integer(id.into())
    }
}

impl From<&str> for BlockId {
    fn from(id: &str) -> Self {
        Self::Text(id.into())
    }
}

impl From<String> for BlockId {
    fn from(id: String) -> Self {
        Self::Text(id.into())
    }
}

impl From<&BlockId> for BlockId {
    fn from(id: &BlockId) -> Self {
        id.clone()
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(id) => id.fmt(f),
            Self::Text(id) => id.fmt(f),
        }
    }
}
