//! Accounts: register, log in, change the password.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderValue, SET_COOKIE};
use serde::Serialize;

use crate::http::accounts::{Token, User};
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::App;

/// The answer to a login, with its keys in the order that clients know.
#[derive(Serialize)]
struct Login<'a> {
    reset: bool,
    /// A text, as clients know it.
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

/// Makes an account.
pub(crate) async fn register(app: Arc<App>, call: Call) -> Result<Response, Rejection> {
    let form = call.form(&app, app.limits.form).await?;
    let (email, username) = (form.required("email")?, form.required("username")?);
    let user = app.accounts.register(email, username, form.required("password")?).await?;
    tracing::info!(user = %user.id, "an account was made");
    Ok(response::success(StatusCode::CREATED, "New User Created"))
}

/// Checks the password and answers with a token.
pub(crate) async fn login(app: Arc<App>, call: Call) -> Result<Response, Rejection> {
    let client = call.client;
    let form = call.form(&app, app.limits.form).await?;
    let (email, password) = (form.required("email")?, form.required("password")?);
    let logged_in = app.accounts.login(email, password, client).await?;
    let user = &logged_in.user;
    let answer = Login {
        reset: false,
        id: user.id.to_string(),
        email: &user.email,
        token: logged_in.token.as_str(),
        username: &user.username,
    };
    with_cookie(&app, response::json(StatusCode::OK, &answer), &logged_in.token)
}

/// Changes the password. Every token of the user ends with it; the answer's cookie has a new
/// one, so that whoever changed it stays logged in.
pub(crate) async fn reset(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let client = call.client;
    let form = call.form(&app, app.limits.form).await?;
    let (current, new) = (form.required("currentPassword")?, form.required("newPassword")?);
    let token = app.accounts.reset(&user, current, new, client).await?;
    tracing::info!(user = %user.id, "a password was changed");
    with_cookie(&app, response::success(StatusCode::OK, "Password Changed"), &token)
}

/// Who the token belongs to.
pub(crate) async fn details(_: Arc<App>, user: User, _: Call) -> Result<Response, Rejection> {
    let (email, username) = (&user.email, &user.username);
    let answer = Details { id: user.id.to_string(), email, username };
    Ok(response::json(StatusCode::OK, &answer))
}

fn with_cookie(app: &App, mut answer: Response, token: &Token) -> Result<Response, Rejection> {
    let cookie = app.accounts.cookie(token, app.origins.are_secure());
    let mut cookie = HeaderValue::try_from(cookie).map_err(Rejection::unavailable)?;
    cookie.set_sensitive(true);
    answer.headers_mut().insert(SET_COOKIE, cookie);
    Ok(answer)
}
