//! What administrators do: users, invitations, and everybody's jobs.

use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::job::Timestamp;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::jobs;
use crate::account_store::{AccountStore, NewInvitation, StoreError, User};
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::{App, blocking};
use crate::secret::Secret;
use crate::user_entry::UserEntry;

/// Days until an invitation expires, unless others are asked for, and the most of them.
const INVITATION_DAYS: u32 = 7;
const MAX_INVITATION_DAYS: u32 = 3650;

/// A job that has not ended, whoever it belongs to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobEntry {
    id: i64,
    owner: String,
    start_time: String,
    status: &'static str,
}

/// All users.
pub(crate) async fn users(app: Arc<App>, _: User, _: Call) -> Result<Response, Rejection> {
    let users = app.accounts.with_store(|store| store.users()).await?;
    let users: Vec<UserEntry> = users.into_iter().map(UserEntry::from).collect();
    Ok(response::json(StatusCode::OK, &users))
}

/// Keeps a user out, and ends the user's sessions and jobs.
pub(crate) async fn disable(app: Arc<App>, admin: User, call: Call) -> Result<Response, Rejection> {
    let user = other_user(&call, &admin)?;
    change(&app, move |store| store.set_disabled(user, true)).await?;
    tracing::info!(admin = %admin.id, %user, "a user was disabled");
    Ok(response::success(StatusCode::OK, "User Disabled"))
}

/// Lets a disabled user in again.
pub(crate) async fn enable(app: Arc<App>, admin: User, call: Call) -> Result<Response, Rejection> {
    let user = user_in_path(&call)?;
    change(&app, move |store| store.set_disabled(user, false)).await?;
    tracing::info!(admin = %admin.id, %user, "a user was enabled");
    Ok(response::success(StatusCode::OK, "User Enabled"))
}

/// Deletes a user with all jobs, files and modules.
pub(crate) async fn delete(app: Arc<App>, admin: User, call: Call) -> Result<Response, Rejection> {
    let user = other_user(&call, &admin)?;
    change(&app, move |store| store.delete_user(user)).await?;
    tracing::info!(admin = %admin.id, %user, "a user was deleted");
    Ok(response::success(StatusCode::OK, "User Deleted"))
}

/// Makes an invitation.
pub(crate) async fn invite(app: Arc<App>, admin: User, call: Call) -> Result<Response, Rejection> {
    let form = call.form(&app, app.limits.form).await?;
    let days = match form.text("days")? {
        None => INVITATION_DAYS,
        Some(text) => {
            let days = text.trim().parse().ok();
            let days = days.filter(|days| (1..=MAX_INVITATION_DAYS).contains(days));
            days.ok_or_else(|| Rejection::BadField {
                field: "days",
                problem: format!("must be a number from 1 to {MAX_INVITATION_DAYS}"),
            })?
        }
    };
    let email = form.string("email")?.map(str::trim).filter(|email| !email.is_empty());
    let secret = Secret::new().map_err(Rejection::unavailable)?;
    let invitation = NewInvitation {
        hash: secret.hash(),
        email: email.map(str::to_owned),
        is_admin: form.flag("admin")?,
        lifetime: Duration::from_secs(u64::from(days) * 24 * 3600),
    };
    let expires = app.accounts.with_store(move |store| store.invite(&invitation)).await?;
    tracing::info!(admin = %admin.id, "an invitation was made");
    let expires = Timestamp(expires).to_string();
    let answer = json!({ "invitation": secret.as_str(), "expires": expires });
    Ok(response::json(StatusCode::CREATED, &answer))
}

/// The jobs of all users that have not ended, the oldest first.
pub(crate) async fn jobs(app: Arc<App>, _: User, _: Call) -> Result<Response, Rejection> {
    blocking(&app, |app| {
        let jobs = app.jobs.unfinished().into_iter().map(|(owner, job)| JobEntry {
            id: job.id.0,
            owner: owner.to_string(),
            start_time: job.started.to_string(),
            status: job.status.wire(),
        });
        Ok(response::json(StatusCode::OK, &jobs.collect::<Vec<_>>()))
    })
    .await
}

/// Cancels anybody's job.
pub(crate) async fn cancel(app: Arc<App>, admin: User, call: Call) -> Result<Response, Rejection> {
    let job = jobs::in_path(&call)?;
    tracing::info!(admin = %admin.id, job = job.0, "an administrator cancels a job");
    blocking(&app, move |app| {
        let owner = app.jobs.owner(job).map_err(jobs::rejected)?.ok_or(Rejection::NoSuchJob)?;
        jobs::cancelled(app.jobs.cancel(owner, job).map_err(jobs::rejected)?)
    })
    .await
}

/// Changes a user, who must be there, and has what follows of it done at once.
async fn change(
    app: &Arc<App>,
    change: impl FnOnce(&AccountStore) -> Result<bool, StoreError> + Send + 'static,
) -> Result<(), Rejection> {
    if !app.accounts.with_store(change).await? {
        return Err(Rejection::NoSuchUser);
    }
    app.chores.notify_one();
    Ok(())
}

/// The user that the address names, who must not be the administrator that asks: so there always
/// is one.
fn other_user(call: &Call, admin: &User) -> Result<OwnerId, Rejection> {
    let user = user_in_path(call)?;
    if user == admin.id {
        return Err(Rejection::Conflict(
            "administrators cannot disable or delete themselves".into(),
        ));
    }
    Ok(user)
}

fn user_in_path(call: &Call) -> Result<OwnerId, Rejection> {
    call.parameter(0).parse().map(OwnerId).map_err(|_| Rejection::NoSuchUser)
}
