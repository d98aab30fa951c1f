//! The accounts database: users, their sessions, and invitations. Of passwords, tokens and
//! invitations it has only hashes. A server and the command `users` may use it at once.

mod chores;
mod database;
mod error;
mod invitations;
mod networks;
mod schema;
mod sessions;
mod users;

pub(crate) use chores::Chore;
pub(crate) use database::{AccountStore, email_key};
pub(crate) use error::StoreError;
pub(crate) use invitations::NewInvitation;
pub(crate) use sessions::{NewSession, Session};
pub(crate) use users::{Account, AdminRight, Created, NewAccount, User, UserSummary};
