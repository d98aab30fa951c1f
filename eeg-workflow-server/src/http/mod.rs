//! The server's interface over HTTP, from the sockets to the resources.
//!
//! Imports run one way: `connection` (sockets) → `router` (the way of a request) → `routes` (the
//! table) → `resources` (what answers) → `request`, `form`, `download` → `state` → `accounts`,
//! `user_files`, `metrics` and other parts of the server → `rejection` → `response`.

pub(crate) mod accounts;
pub(crate) mod body_memory;
pub(crate) mod chores;
pub(crate) mod connection;
mod download;
mod form;
mod frames;
pub(crate) mod health;
mod lookup;
pub(crate) mod metrics;
mod multipart;
mod network;
pub(crate) mod per_user;
mod rejection;
mod request;
pub(crate) mod request_id;
mod resources;
mod response;
pub(crate) mod router;
pub(crate) mod routes;
pub(crate) mod site;
pub(crate) mod state;
mod turns;
pub(crate) mod user_files;
