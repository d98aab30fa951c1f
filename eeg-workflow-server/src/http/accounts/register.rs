//! Making accounts.

use std::net::IpAddr;
use std::time::Duration;

use super::password::Claimant;
use super::service::{Accounts, AdminBinding};
use crate::account_store::{AdminRight, Created, NewAccount, User};
use crate::cli::access::Registration;
use crate::http::network::Network;
use crate::http::rejection::Rejection;
use crate::secret::{Secret, SecretHash};
use crate::sync::lock;

/// The longest e-mail address that mail systems know.
const MAX_EMAIL: usize = 254;
const MAX_USERNAME: usize = 200;

/// What somebody registers with.
pub(crate) struct NewUser<'a> {
    pub(crate) email: &'a str,
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) invitation: Option<&'a str>,
    pub(crate) admin_token: Option<&'a str>,
}

impl Accounts {
    /// Makes an account.
    pub(crate) async fn register(
        &self,
        new: NewUser<'_>,
        client: IpAddr,
    ) -> Result<User, Rejection> {
        let admin = self.admin_right(new.admin_token)?;
        let invitation = self.invitation(new.invitation, admin)?;
        let email = check("email", new.email.trim(), MAX_EMAIL)?.to_owned();
        let username = check("username", new.username.trim(), MAX_USERNAME)?.to_owned();
        self.check_new_password("password", new.password)?;
        let network = Network::of(client);
        // Before the costly hash; the store decides again. Without a right to register nobody
        // is told who has an account.
        let is_taken = invitation.is_none() && self.has_account(&email).await?;
        if is_taken {
            return Err(Rejection::UserExists);
        }
        let spent = self.registrations.spend(network, Duration::ZERO);
        spent.map_err(Rejection::TooManyAttempts)?;
        let turn = self.passwords.turn(Claimant::Newcomer(network)).await?;
        let password = turn.hash(new.password.to_owned()).await?;
        let network = network.to_string();
        let account = NewAccount { email, username, password, admin, invitation, network };
        let user = match self.with_store(move |store| store.create(account)).await? {
            Created::User(user) => user,
            Created::EmailTaken => return Err(Rejection::UserExists),
            Created::InvitationRefused => return Err(Rejection::InvitationRefused),
        };
        if admin == AdminRight::FirstAdmin {
            *lock(&self.admin) = AdminBinding::Nobody;
        }
        Ok(user)
    }

    /// Whether the account becomes an administrator's.
    fn admin_right(&self, token: Option<&str>) -> Result<AdminRight, Rejection> {
        match (&*lock(&self.admin), token) {
            (AdminBinding::FirstAccount, None) => Ok(AdminRight::FirstAccount),
            (AdminBinding::Token(_) | AdminBinding::Nobody, None) => Ok(AdminRight::Never),
            (AdminBinding::Token(expected), Some(given))
                if expected.hash() == Secret::received(given.trim()).hash() =>
            {
                Ok(AdminRight::FirstAdmin)
            }
            (_, Some(_)) => Err(Rejection::AdminTokenRefused),
        }
    }

    /// The invitation that is to be used up, if one is needed or given. Whoever has the
    /// administrator's token needs none.
    fn invitation(
        &self,
        given: Option<&str>,
        admin: AdminRight,
    ) -> Result<Option<SecretHash>, Rejection> {
        let may_register = admin == AdminRight::FirstAdmin;
        match (self.registration, given) {
            (Registration::Closed, _) if !may_register => Err(Rejection::RegistrationClosed),
            (Registration::Invite, None) if !may_register => Err(Rejection::InvitationNeeded),
            (_, given) => Ok(given.map(|given| Secret::received(given.trim()).hash())),
        }
    }

    async fn has_account(&self, email: &str) -> Result<bool, Rejection> {
        let email = email.to_owned();
        Ok(self.with_store(move |store| store.find(&email, "")).await?.is_some())
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
