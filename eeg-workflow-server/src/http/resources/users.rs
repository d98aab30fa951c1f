//! Accounts of users: register, log in and out, change the password, the user's sessions.

use std::sync::Arc;

use eeg_workflow_core::job::Timestamp;
use hyper::StatusCode;
use hyper::header::{HeaderValue, SET_COOKIE, USER_AGENT};
use serde::Serialize;
use serde_json::json;

use crate::account_store::{Session, User};
use crate::http::accounts::{Client, NewUser, cookie};
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::App;
use crate::secret::Secret;

/// The answer to a login, with its keys in the order that clients know.
#[derive(Serialize)]
struct Login<'a> {
    reset: bool,
    /// A string, as clients know it.
    id: String,
    email: &'a str,
    token: &'a str,
    username: &'a str,
}

#[derive(Serialize)]
struct Details<'a> {
    id: String,
    email: &'a str,
    username: &'a str,
}

/// One of the user's sessions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionEntry {
    id: String,
    current: bool,
    created: String,
    last_used: String,
    expires: String,
    address: String,
    program: String,
}

impl From<Session> for SessionEntry {
    fn from(session: Session) -> Self {
        let time = |seconds| Timestamp(seconds).to_string();
        Self {
            id: session.id,
            current: session.is_current,
            created: time(session.created),
            last_used: time(session.used),
            expires: time(session.expires),
            address: session.address,
            program: session.program,
        }
    }
}

/// Makes an account.
pub(crate) async fn register(app: Arc<App>, call: Call) -> Result<Response, Rejection> {
    let client = call.client;
    let form = call.form(&app, app.limits.form).await?;
    let given = |field| {
        let text = form.string(field)?;
        Ok::<_, Rejection>(text.filter(|text| !text.trim().is_empty()))
    };
    let new = NewUser {
        email: form.required_string("email")?,
        username: form.required_string("username")?,
        password: form.required_string("password")?,
        invitation: given("invitation")?,
        admin_token: given("adminToken")?,
    };
    let user = app.accounts.register(new, client).await?;
    tracing::info!(user = %user.id, admin = user.is_admin, "an account was made");
    Ok(response::success(StatusCode::CREATED, "New User Created"))
}

/// Checks the password and answers with a token.
pub(crate) async fn login(app: Arc<App>, call: Call) -> Result<Response, Rejection> {
    let client = client(&call);
    let form = call.form(&app, app.limits.form).await?;
    let (email, password) = (form.required_string("email")?, form.required_string("password")?);
    let logged_in = app.accounts.login(email, password, &client).await?;
    let user = &logged_in.user;
    let answer = Login {
        reset: false,
        id: user.id.to_string(),
        email: &user.email,
        token: logged_in.token.as_str(),
        username: &user.username,
    };
    with_token(&app, response::json(StatusCode::OK, &answer), &logged_in.token)
}

/// Changes the password. Every session of the user ends with it; the answer's cookie has the
/// token of a new one, so that whoever changed it stays logged in.
pub(crate) async fn reset(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let client = client(&call);
    let form = call.form(&app, app.limits.form).await?;
    let (current, new) =
        (form.required_string("currentPassword")?, form.required_string("newPassword")?);
    let token = app.accounts.reset(&user, current, new, &client).await?;
    tracing::info!(user = %user.id, "a password was changed");
    with_token(&app, response::success(StatusCode::OK, "Password Changed"), &token)
}

/// Who the token belongs to.
pub(crate) async fn details(_: Arc<App>, user: User, _: Call) -> Result<Response, Rejection> {
    let (email, username) = (&user.email, &user.username);
    let answer = Details { id: user.id.to_string(), email, username };
    Ok(response::json(StatusCode::OK, &answer))
}

/// Ends the session of the request, and takes the token out of the browser.
pub(crate) async fn logout(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let hash = cookie::token(&call.head.headers)?.hash();
    app.accounts.with_store(move |store| store.end_token(&hash)).await?;
    tracing::info!(user = %user.id, "a user has logged out");
    let answer = response::success(StatusCode::OK, "Logged Out");
    with_cookie(answer, cookie::removed(app.site.is_secure()))
}

/// The user's sessions, the newest first.
pub(crate) async fn sessions(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let current = cookie::token(&call.head.headers)?.hash();
    let sessions = app.accounts.with_store(move |store| store.sessions(user.id, &current)).await?;
    let sessions: Vec<SessionEntry> = sessions.into_iter().map(SessionEntry::from).collect();
    Ok(response::json(StatusCode::OK, &sessions))
}

/// Ends one of the user's sessions.
pub(crate) async fn end_session(
    app: Arc<App>,
    user: User,
    call: Call,
) -> Result<Response, Rejection> {
    let session = call.parameter(0).to_ascii_lowercase();
    match app.accounts.with_store(move |store| store.end_session(user.id, &session)).await? {
        true => Ok(response::success(StatusCode::OK, "Session Ended")),
        false => Err(Rejection::NoSuchSession),
    }
}

/// Ends all of the user's sessions but the one of the request.
pub(crate) async fn end_other_sessions(
    app: Arc<App>,
    user: User,
    call: Call,
) -> Result<Response, Rejection> {
    let current = cookie::token(&call.head.headers)?.hash();
    let end = app.accounts.with_store(move |store| store.end_other_sessions(user.id, &current));
    let ended = end.await?;
    Ok(response::json(StatusCode::OK, &json!({ "ended": ended })))
}

/// The client of a login.
fn client(call: &Call) -> Client {
    let program = call.header(USER_AGENT).unwrap_or_default().to_owned();
    Client { address: call.client, program }
}

fn with_token(app: &App, answer: Response, token: &Secret) -> Result<Response, Rejection> {
    let lifetime = app.accounts.token_lifetime();
    with_cookie(answer, cookie::holding(token, lifetime, app.site.is_secure()))
}

fn with_cookie(mut answer: Response, cookie: String) -> Result<Response, Rejection> {
    let mut cookie = HeaderValue::try_from(cookie).map_err(Rejection::unavailable)?;
    cookie.set_sensitive(true);
    answer.headers_mut().insert(SET_COOKIE, cookie);
    Ok(answer)
}
