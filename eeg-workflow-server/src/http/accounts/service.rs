//! The accounts as the server uses them, and who a request comes from.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eeg_workflow_core::job::Timestamp;
use hyper::HeaderMap;

use super::budget::Budget;
use super::cookie;
use super::password::Passwords;
use super::throttle::Throttle;
use crate::account_store::{AccountStore, StoreError, User};
use crate::cli::access::{AccountOptions, Registration};
use crate::http::rejection::Rejection;
use crate::secret::Secret;
use crate::sync::lock;

/// Failed attempts of a network at accounts that were never used from it: these at once, then
/// one in each interval. A right password is let through even then, after a wait.
const FREE_GUESSES: u32 = 30;
const GUESS_INTERVAL: Duration = Duration::from_secs(2);
/// The use of a token is noted at most this often, in seconds.
const NOTED_EVERY: i64 = 300;

/// The accounts of a server.
pub(crate) struct Accounts {
    pub(super) store: Arc<AccountStore>,
    pub(super) passwords: Passwords,
    pub(super) throttle: Throttle,
    pub(super) guesses: Budget,
    pub(super) registrations: Budget,
    pub(super) registration: Registration,
    pub(super) min_password: usize,
    pub(super) token_lifetime: Duration,
    pub(super) admin: Mutex<AdminBinding>,
}

/// What the first administrator's right is bound to.
pub(super) enum AdminBinding {
    /// Nothing: the first account has it.
    FirstAccount,
    /// A token, until it is used.
    Token(Secret),
    /// There is an administrator already, or the token is used.
    Nobody,
}

/// Why the accounts cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the system gives no random numbers")]
    Random(#[from] getrandom::Error),
}

/// A client that tries to log in.
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// What it calls itself.
    pub(crate) program: String,
}

/// A user with a token that was just made.
pub(crate) struct LoggedIn {
    pub(crate) user: User,
    pub(crate) token: Secret,
}

impl Accounts {
    /// The accounts in this database file, which is made if it is not there.
    pub(crate) fn open(path: &Path, options: &AccountOptions) -> Result<Self, OpenError> {
        let store = AccountStore::open(path)?;
        store.forget_expired()?;
        let admin = if !options.admin_token {
            AdminBinding::FirstAccount
        } else if store.users()?.iter().any(|one| one.user.is_admin) {
            AdminBinding::Nobody
        } else {
            AdminBinding::Token(Secret::new()?)
        };
        let per_hour = options.registrations_per_hour;
        Ok(Self {
            store: Arc::new(store),
            passwords: Passwords::new(),
            throttle: Throttle::default(),
            guesses: Budget::new(FREE_GUESSES, GUESS_INTERVAL),
            registrations: Budget::new(per_hour, Duration::from_secs(3600) / per_hour),
            registration: options.registration,
            min_password: options.min_password_length.into(),
            token_lifetime: crate::cli::seconds(options.token_lifetime),
            admin: Mutex::new(admin),
        })
    }

    /// The token that makes an administrator of whoever registers with it, if there is one.
    pub(crate) fn admin_token(&self) -> Option<String> {
        match &*lock(&self.admin) {
            AdminBinding::Token(token) => Some(token.as_str().to_owned()),
            AdminBinding::FirstAccount | AdminBinding::Nobody => None,
        }
    }

    /// How long a session lasts.
    pub(crate) fn token_lifetime(&self) -> Duration {
        self.token_lifetime
    }

    /// The database, for what needs no rules of its own.
    pub(crate) fn store(&self) -> &AccountStore {
        &self.store
    }

    /// The user of the request's token.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<User, Rejection> {
        let hash = cookie::token(headers)?.hash();
        // A look-up of one row: faster than the way to another thread.
        let found = self.store.find_session(&hash).map_err(Rejection::unavailable)?;
        let found = found.ok_or(Rejection::InvalidToken)?;
        if found.is_expired {
            return Err(Rejection::ExpiredToken);
        }
        let user = found.user.ok_or(Rejection::UserGone)?;
        if user.is_disabled {
            return Err(Rejection::AccountDisabled);
        }
        if Timestamp::now().0.saturating_sub(found.used) >= NOTED_EVERY {
            let store = Arc::clone(&self.store);
            // Nobody waits for it, and nobody misses it.
            drop(tokio::task::spawn_blocking(move || store.touch_session(&hash)));
        }
        Ok(user)
    }

    /// Uses the store on a thread that may wait for the disk.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        task: impl FnOnce(&AccountStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Rejection> {
        let store = self.store.clone();
        let result = tokio::task::spawn_blocking(move || task(&store)).await;
        result.map_err(Rejection::unavailable)?.map_err(Rejection::unavailable)
    }

    /// Checks a password that is to be set.
    pub(super) fn check_new_password(
        &self,
        field: &'static str,
        value: &str,
    ) -> Result<(), Rejection> {
        check_password(field, value)?;
        let least = self.min_password;
        if value.chars().count() < least {
            let problem = format!("must have at least {least} characters");
            return Err(Rejection::BadField { field, problem });
        }
        Ok(())
    }
}

/// Long enough for a passphrase; the hash takes any length.
const MAX_PASSWORD: usize = 4096;

pub(super) fn check_password(field: &'static str, value: &str) -> Result<(), Rejection> {
    let problem = if value.is_empty() {
        "must not be empty".to_owned()
    } else if value.len() > MAX_PASSWORD {
        format!("is longer than {MAX_PASSWORD} bytes")
    } else {
        return Ok(());
    };
    Err(Rejection::BadField { field, problem })
}
