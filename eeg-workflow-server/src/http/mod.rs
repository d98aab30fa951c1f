//! The server's interface over HTTP, from the sockets to the resources.
//!
//! Imports run one way: `connection` → `router` → `resources` → `form`, `download` → `state` →
//! `accounts`, `user_files`, `metrics` → `rejection` → `response`.

pub(crate) mod accounts;
pub(crate) mod chores;
pub(crate) mod connection;
mod download;
mod form;
mod frames;
pub(crate) mod health;
pub(crate) mod metrics;
mod network;
mod rejection;
mod request;
pub(crate) mod request_id;
mod resources;
mod response;
pub(crate) mod router;
pub(crate) mod site;
pub(crate) mod state;
pub(crate) mod streams;
mod turns;
pub(crate) mod user_files;
