//! The command `users`: the accounts of a server, whether or not it runs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::job::Timestamp;

use crate::account_store::{AccountStore, NewInvitation, StoreError, UserSummary};
use crate::cli::access::{UsersCommand, UsersOptions};
use crate::command::failure::Failure;
use crate::command::files::print_json;
use crate::data_dir;
use crate::secret::Secret;
use crate::text::{printable, with_causes};
use crate::user_entry::UserEntry;

pub(crate) fn main(options: &UsersOptions) -> ExitCode {
    try_main(options).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
}

fn try_main(options: &UsersOptions) -> Result<(), Failure> {
    let root = options.data_dir.clone().map_or_else(data_dir::default_root, Ok);
    let root = root.map_err(|error| Failure::usage(error.to_string()))?;
    match &options.command {
        UsersCommand::List { json } => list(&existing(root)?, *json),
        UsersCommand::Disable { email } => {
            change(&existing(root)?, email, "disabled", |store, user| {
                store.set_disabled(user, true)
            })
        }
        UsersCommand::Enable { email } => {
            change(&existing(root)?, email, "enabled", |store, user| {
                store.set_disabled(user, false)
            })
        }
        UsersCommand::EndJobs { email } => {
            change(&existing(root)?, email, "jobs end", AccountStore::end_jobs)
        }
        UsersCommand::Delete { email } => {
            change(&existing(root)?, email, "deleted", AccountStore::delete_user)
        }
        UsersCommand::Invite { email, admin, days } => {
            let days = Duration::from_secs(u64::from(*days) * 24 * 3600);
            invite(&any(root)?, email.clone(), *admin, days)
        }
    }
}

/// The accounts in this data directory, which must be there.
fn existing(root: PathBuf) -> Result<AccountStore, Failure> {
    let path = data_dir::accounts(&root);
    if !path.exists() {
        return Err(Failure::usage(format!("{}: there are no accounts here", root.display())));
    }
    open(&path)
}

/// The accounts in this data directory, which is made if it is not there.
fn any(root: PathBuf) -> Result<AccountStore, Failure> {
    data_dir::make_private(&root)
        .map_err(|error| Failure::usage(format!("{}: {error}", root.display())))?;
    open(&data_dir::accounts(&root))
}

fn open(path: &Path) -> Result<AccountStore, Failure> {
    AccountStore::open(path)
        .map_err(|error| Failure::failed(format!("{}: {}", path.display(), with_causes(&error))))
}

fn list(store: &AccountStore, json: bool) -> Result<(), Failure> {
    let users = store.users()?;
    if json {
        let users: Vec<UserEntry> = users.into_iter().map(UserEntry::from).collect();
        return print_json(&users);
    }
    let mut out = io::stdout().lock();
    for UserSummary { user, created, last_seen } in users {
        let role = match (user.is_disabled, user.is_admin) {
            (true, _) => "disabled",
            (false, true) => "admin",
            (false, false) => "user",
        };
        let seen = last_seen.map_or_else(|| "never".to_owned(), |seen| Timestamp(seen).to_string());
        let line = format!(
            "{:>5}  {role:<8}  {}  {}  since {}  last seen {seen}",
            user.id.to_string(),
            user.email,
            user.username,
            Timestamp(created),
        );
        writeln!(out, "{}", printable(&line))?;
    }
    Ok(())
}

fn change(
    store: &AccountStore,
    email: &str,
    done: &str,
    change: impl FnOnce(&AccountStore, OwnerId) -> Result<bool, StoreError>,
) -> Result<(), Failure> {
    let nobody = || Failure::usage(format!("there is no user with the e-mail address {email}"));
    let account = store.find(email, "")?.ok_or_else(nobody)?;
    if !change(store, account.user.id)? {
        return Err(nobody());
    }
    say(&format!("{done}: {} ({})", account.user.email, account.user.username))
}

fn invite(
    store: &AccountStore,
    email: Option<String>,
    is_admin: bool,
    lifetime: Duration,
) -> Result<(), Failure> {
    let secret = Secret::new().map_err(|error| Failure::failed(error.to_string()))?;
    store.invite(&NewInvitation { hash: secret.hash(), email, is_admin, lifetime })?;
    say(secret.as_str())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", printable(line))?;
    Ok(out.flush()?)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::failed(with_causes(&error))
    }
}
