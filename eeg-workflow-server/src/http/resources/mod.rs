//! What is served, one file a resource.

pub(crate) mod admin;
pub(crate) mod archives;
pub(crate) mod artifacts;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod jobs;
pub(crate) mod modules;
pub(crate) mod openapi;
pub(crate) mod schedule;
pub(crate) mod service;
pub(crate) mod users;
