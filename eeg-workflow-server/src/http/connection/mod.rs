//! Connections: taking them in, serving them, and ending them.

mod activity;
mod last_words;
mod registry;
mod serve;
mod stream;

pub(crate) use serve::{ConnectionLimits, serve};
