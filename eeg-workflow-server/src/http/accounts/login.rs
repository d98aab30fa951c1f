//! Logging in, and changing a password.

use std::time::Duration;

use tokio::time::sleep;

use super::password::Claimant;
use super::service::{Accounts, Client, LoggedIn, check_password};
use super::throttle::Pair;
use crate::account_store::{Account, NewSession, User};
use crate::http::network::Network;
use crate::http::rejection::Rejection;
use crate::secret::Secret;
use crate::text::bounded;

/// How long an attempt is held back, once its network has guessed too often.
const PATIENCE: Duration = Duration::from_secs(6);
/// Bytes that are kept of what a client calls itself.
const MAX_PROGRAM: usize = 200;

impl Accounts {
    /// Checks a password and begins a session.
    pub(crate) async fn login(
        &self,
        email: &str,
        password: &str,
        client: &Client,
    ) -> Result<LoggedIn, Rejection> {
        check_password("password", password)?;
        let network = Network::of(client.address);
        let pair = Pair::new(email, network);
        self.throttle.check(&pair)?;
        let account = self.find(email, network).await?;
        let user = match account {
            Some(account) if account.is_known => self.check(account, password, pair).await?,
            account => self.check_stranger(account, password, pair).await?,
        };
        if user.is_disabled {
            return Err(Rejection::AccountDisabled);
        }
        let token = Secret::new().map_err(Rejection::unavailable)?;
        let (id, session) = (user.id, self.new_session(&token, client));
        if !self.with_store(move |store| store.add_session(id, &session)).await? {
            return Err(Rejection::UserGone);
        }
        Ok(LoggedIn { user, token })
    }

    /// Changes a password: every session of the user ends, and a new one begins.
    pub(crate) async fn reset(
        &self,
        user: &User,
        current: &str,
        new: &str,
        client: &Client,
    ) -> Result<Secret, Rejection> {
        check_password("currentPassword", current)?;
        self.check_new_password("newPassword", new)?;
        let network = Network::of(client.address);
        let pair = Pair::new(&user.email, network);
        self.throttle.check(&pair)?;
        let account = self.find(&user.email, network).await?.ok_or(Rejection::UserGone)?;
        let checked = self.check(account, current, pair).await;
        checked.map_err(|rejection| match rejection {
            Rejection::WrongCredentials => Rejection::WrongPassword,
            other => other,
        })?;
        let turn = self.passwords.turn(Claimant::Regular(network, user.id)).await?;
        let password = turn.hash(new.to_owned()).await?;
        let token = Secret::new().map_err(Rejection::unavailable)?;
        let (id, session) = (user.id, self.new_session(&token, client));
        let changed =
            self.with_store(move |store| store.change_password(id, &password, &session)).await?;
        if changed { Ok(token) } else { Err(Rejection::UserGone) }
    }

    async fn find(&self, email: &str, network: Network) -> Result<Option<Account>, Rejection> {
        let (email, network) = (email.to_owned(), network.to_string());
        self.with_store(move |store| store.find(&email, &network)).await
    }

    /// Checks the password of an account that was used from this network before: whatever others
    /// there have guessed.
    async fn check(&self, account: Account, password: &str, pair: Pair) -> Result<User, Rejection> {
        let claimant = Claimant::Regular(pair.network(), account.user.id);
        self.verify(Some(account), password, pair, claimant).await
    }

    /// The same where the account was never used from this network, or there is none: the
    /// network's guesses are counted, and held back once there were too many.
    async fn check_stranger(
        &self,
        account: Option<Account>,
        password: &str,
        pair: Pair,
    ) -> Result<User, Rejection> {
        let network = pair.network();
        let wait = self.guesses.spend(network, PATIENCE).map_err(Rejection::TooManyAttempts)?;
        if !wait.is_zero() {
            sleep(wait).await;
        }
        let checked = self.verify(account, password, pair, Claimant::Stranger(network)).await;
        if !matches!(checked, Err(Rejection::WrongCredentials)) {
            self.guesses.refund(network);
            return checked;
        }
        // Whoever guesses on is told to slow down.
        let wait = self.guesses.wait(network);
        if wait.is_zero() { checked } else { Err(Rejection::TooManyAttempts(wait)) }
    }

    async fn verify(
        &self,
        account: Option<Account>,
        password: &str,
        pair: Pair,
        claimant: Claimant,
    ) -> Result<User, Rejection> {
        let turn = self.passwords.turn(claimant).await?;
        // Others may have failed while this one waited.
        self.throttle.check(&pair)?;
        let (user, hash) = account.map(|account| (account.user, account.password)).unzip();
        let is_right = turn.verify(password.to_owned(), hash).await?;
        match user.filter(|_| is_right) {
            Some(user) => {
                self.throttle.succeeded(&pair);
                Ok(user)
            }
            None => {
                self.throttle.failed(pair);
                Err(Rejection::WrongCredentials)
            }
        }
    }

    fn new_session(&self, token: &Secret, client: &Client) -> NewSession {
        NewSession {
            hash: token.hash(),
            lifetime: self.token_lifetime,
            address: client.address.to_canonical().to_string(),
            network: Network::of(client.address).to_string(),
            program: bounded(&client.program, MAX_PROGRAM).into_owned(),
        }
    }
}
