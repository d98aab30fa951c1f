//! Who may do what: accounts, passwords and tokens.

mod origin;
mod password;
mod store;
mod throttle;
mod token;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;

use crate::http::rejection::Rejection;

pub(crate) use origin::Origins;
use password::Passwords;
use store::{AccountStore, NewAccount};
pub(crate) use store::{StoreError, User};
use throttle::Throttle;
pub(crate) use token::Token;

/// The longest e-mail address that mail systems know.
const MAX_EMAIL: usize = 254;
const MAX_USERNAME: usize = 200;
/// Long enough for a passphrase; the hash takes any length.
const MAX_PASSWORD: usize = 4096;

/// The accounts of a server.
#[derive(Clone)]
pub(crate) struct Accounts {
    store: Arc<AccountStore>,
    passwords: Arc<Passwords>,
    throttle: Arc<Throttle>,
    token_lifetime: Duration,
}

/// A user with a token that was just made.
pub(crate) struct LoggedIn {
    pub(crate) user: User,
    pub(crate) token: Token,
}

impl Accounts {
    /// The accounts in this database file, which is made if it is not there.
    pub(crate) fn open(path: &Path, token_lifetime: Duration) -> Result<Self, StoreError> {
        Ok(Self {
            store: Arc::new(AccountStore::open(path)?),
            passwords: Arc::new(Passwords::new()),
            throttle: Arc::new(Throttle::default()),
            token_lifetime,
        })
    }

    /// Makes an account.
    pub(crate) async fn register(
        &self,
        email: &str,
        username: &str,
        password: &str,
    ) -> Result<User, Rejection> {
        let email = check("email", email.trim(), MAX_EMAIL)?.to_owned();
        let username = check("username", username.trim(), MAX_USERNAME)?.to_owned();
        check_password("password", password)?;
        // Before the costly hash; the store decides again.
        if self
            .with_store({
                let email = email.clone();
                move |store| store.find(&email)
            })
            .await?
            .is_some()
        {
            return Err(Rejection::UserExists);
        }
        let password = self.passwords.hash(password.to_owned()).await?;
        let account = NewAccount { email, username, password };
        let created = self.with_store(move |store| store.create(account)).await?;
        created.ok_or(Rejection::UserExists)
    }

    /// Checks a password and gives a new token.
    pub(crate) async fn login(
        &self,
        email: &str,
        password: &str,
        client: IpAddr,
    ) -> Result<LoggedIn, Rejection> {
        check_password("password", password)?;
        let email = email.trim().to_owned();
        let keys = throttle::keys(&email, client);
        self.throttle.check(&keys)?;
        let account = self.with_store(move |store| store.find(&email)).await?;
        let (user, hash) = account.map(|account| (account.user, account.password)).unzip();
        let attempt =
            self.passwords.verify(password.to_owned(), hash, || self.throttle.check(&keys));
        let is_right = attempt.await?;
        match user.filter(|_| is_right) {
            Some(user) => {
                self.throttle.succeeded(&keys);
                let token = self.new_token(&user).await?;
                Ok(LoggedIn { user, token })
            }
            None => {
                self.throttle.failed(&keys);
                Err(Rejection::WrongCredentials)
            }
        }
    }

    /// Changes a password: every token of the user ends, and a new one is given.
    pub(crate) async fn reset(
        &self,
        user: &User,
        current: &str,
        new: &str,
        client: IpAddr,
    ) -> Result<Token, Rejection> {
        check_password("currentPassword", current)?;
        check_password("newPassword", new)?;
        let keys = throttle::keys(&user.email, client);
        self.throttle.check(&keys)?;
        let email = user.email.clone();
        let account = self.with_store(move |store| store.find(&email)).await?;
        let hash = account.ok_or(Rejection::UserGone)?.password;
        let check_again = || self.throttle.check(&keys);
        if !self.passwords.verify(current.to_owned(), Some(hash), check_again).await? {
            self.throttle.failed(&keys);
            return Err(Rejection::WrongPassword);
        }
        self.throttle.succeeded(&keys);
        let password = self.passwords.hash(new.to_owned()).await?;
        let token = Token::new().map_err(Rejection::unavailable)?;
        let (id, hash, lifetime) = (user.id, token.hash(), self.token_lifetime);
        self.with_store(move |store| store.change_password(id, &password, &hash, lifetime)).await?;
        Ok(token)
    }

    /// The user of the request's token.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<User, Rejection> {
        let token = token::from_cookies(headers)?;
        // A look-up of one row: faster than the way to another thread.
        let found = self.store.find_token(&token.hash()).map_err(Rejection::unavailable)?;
        let found = found.ok_or(Rejection::InvalidToken)?;
        if found.is_expired {
            return Err(Rejection::ExpiredToken);
        }
        found.user.ok_or(Rejection::UserGone)
    }

    /// What a browser is to keep.
    pub(crate) fn cookie(&self, token: &Token, is_secure: bool) -> String {
        token.cookie(self.token_lifetime, is_secure)
    }

    async fn new_token(&self, user: &User) -> Result<Token, Rejection> {
        let token = Token::new().map_err(Rejection::unavailable)?;
        let (id, hash, lifetime) = (user.id, token.hash(), self.token_lifetime);
        self.with_store(move |store| store.add_token(id, &hash, lifetime)).await?;
        Ok(token)
    }

    /// Uses the store on a thread that may wait for the disk.
    async fn with_store<T: Send + 'static>(
        &self,
        task: impl FnOnce(&AccountStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Rejection> {
        let store = self.store.clone();
        let result = tokio::task::spawn_blocking(move || task(&store)).await;
        result.map_err(Rejection::unavailable)?.map_err(Rejection::unavailable)
    }
}

fn check<'a>(field: &'static str, value: &'a str, limit: usize) -> Result<&'a str, Rejection> {
    let problem = if value.is_empty() {
        "must not be empty".to_owned()
    } else if value.len() > limit {
        format!("is longer than {limit} bytes")
    } else if value.contains(char::is_control) {
        "contains control characters".to_owned()
    } else {
        return Ok(value);
    };
    Err(Rejection::BadField { field, problem })
}

fn check_password(field: &'static str, value: &str) -> Result<(), Rejection> {
    let problem = if value.is_empty() {
        "must not be empty".to_owned()
    } else if value.len() > MAX_PASSWORD {
        format!("is longer than {MAX_PASSWORD} bytes")
    } else {
        return Ok(());
    };
    Err(Rejection::BadField { field, problem })
}
