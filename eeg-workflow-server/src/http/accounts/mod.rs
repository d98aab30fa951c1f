//! Who may do what: accounts, passwords and sessions.

mod budget;
pub(crate) mod cookie;
mod login;
mod password;
mod register;
mod service;
mod throttle;

pub(crate) use register::NewUser;
pub(crate) use service::{Accounts, Client};
