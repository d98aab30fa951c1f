//! Single jobs.

use std::sync::Arc;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::job::{Cancellation, Deletion, JobError, JobId, SubmitError};
use eeg_workflow_core::workflow::RawObject;
use hyper::StatusCode;
use serde_json::json;

use crate::account_store::User;
use crate::http::form::Form;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::{App, blocking};

/// The details of the job in the field `jobId`.
pub(crate) async fn details_by_form(
    app: Arc<App>,
    user: User,
    call: Call,
) -> Result<Response, Rejection> {
    let wants_text = call.wants_text();
    let form = call.form(&app, app.limits.form).await?;
    Ok(response::as_text(by_form(app, user, &form).await?, wants_text))
}

/// As [`details_by_form`], for a form that was read.
pub(crate) async fn by_form(app: Arc<App>, user: User, form: &Form) -> Result<Response, Rejection> {
    let text = form.required("jobId")?.trim();
    let job = text.parse().map(JobId).map_err(|_| Rejection::BadField {
        field: "jobId",
        problem: "is not the number of a job".into(),
    })?;
    blocking(&app, move |app| {
        let details = recorded(&details_of(app, user.id, job)?).map_err(Rejection::unavailable)?;
        Ok(response::json_text(StatusCode::OK, details))
    })
    .await
}

/// The details of the job in the address.
pub(crate) async fn details(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (job, wants_text) = (in_path(&call)?, call.wants_text());
    blocking(&app, move |app| {
        let details = response::json_text(StatusCode::OK, details_of(app, user.id, job)?);
        Ok(response::as_text(details, wants_text))
    })
    .await
}

fn details_of(app: &App, owner: OwnerId, job: JobId) -> Result<String, Rejection> {
    app.jobs.details(owner, job).map_err(rejected)?.ok_or(Rejection::NoSuchJob)
}

/// The details without what the first system did not tell: its clients, which ask by a form, know
/// the keys that are left. All of it is copied to the letter.
fn recorded(details: &str) -> Result<String, serde_json::Error> {
    const NEWER: [&str; 2] = ["modules", "warnings"];
    let mut details: RawObject<'_> = serde_json::from_str(details)?;
    details.0.retain(|(key, _)| !NEWER.contains(&&**key));
    serde_json::to_string(&details)
}

/// Cancels a job that runs; one that has finished stays as it is, and the caller is told.
pub(crate) async fn cancel(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (job, request) = (in_path(&call)?, call.id);
    blocking(&app, move |app| {
        let cancellation = app.jobs.cancel(user.id, job).map_err(rejected)?;
        tracing::info!(%request, user = %user.id, job = job.0, ?cancellation, "a job is cancelled");
        cancelled(cancellation)
    })
    .await
}

/// The answer to whoever has cancelled a job.
pub(crate) fn cancelled(cancellation: Cancellation) -> Result<Response, Rejection> {
    match cancellation {
        Cancellation::Cancelling => Ok(response::success(StatusCode::ACCEPTED, "Job Cancelled")),
        Cancellation::Ended(status) => {
            let answer = json!({ "success": "Job Had Ended", "status": status.wire() });
            Ok(response::json(StatusCode::OK, &answer))
        }
        Cancellation::NotFound => Err(Rejection::NoSuchJob),
    }
}

/// Deletes a job that has finished.
pub(crate) async fn delete(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (job, request) = (in_path(&call)?, call.id);
    blocking(&app, move |app| {
        let deletion = app.jobs.delete(user.id, job).map_err(rejected)?;
        tracing::info!(%request, user = %user.id, job = job.0, ?deletion, "a job is deleted");
        match deletion {
            Deletion::Unfinished => {
                Err(Rejection::Conflict("the job has not ended: cancel it first".into()))
            }
            Deletion::Deleted => Ok(response::success(StatusCode::OK, "Job Deleted")),
            Deletion::NotFound => Err(Rejection::NoSuchJob),
        }
    })
    .await
}

/// The job that the first name of the address stands for.
pub(crate) fn in_path(call: &Call) -> Result<JobId, Rejection> {
    call.parameter(0).parse().map(JobId).map_err(|_| Rejection::NoSuchJob)
}

/// The answer when the job service fails.
pub(crate) fn rejected(error: JobError) -> Rejection {
    Rejection::unavailable(error)
}

/// The answer when a job is not accepted.
pub(crate) fn not_accepted(error: SubmitError) -> Rejection {
    match error {
        SubmitError::TooManyJobs { limit } => Rejection::TooManyJobs(limit),
        SubmitError::ShuttingDown => Rejection::ShuttingDown,
        other => Rejection::unavailable(other),
    }
}
