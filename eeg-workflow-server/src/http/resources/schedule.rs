//! Workflows come in, the list of jobs goes out.

use std::sync::Arc;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::job::{JobId, Pending, SubmitError};
use eeg_workflow_core::workflow::{InvalidWorkflow, Workflow};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LINK};
use serde_json::json;

use super::jobs;
use crate::account_store::User;
use crate::http::form::Form;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::{App, blocking};
use crate::validity::Validity;

/// A list is no longer than this unless more is asked for, and never longer than the second.
const DEFAULT_LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;
/// A larger document is planned away from the threads that serve connections.
const PLANNED_AT_ONCE: usize = 64 * 1024;

/// Schedules the workflow of the field `workflow`, or of the whole body if that is JSON; with
/// the field `jobId` instead answers the details of that job.
pub(crate) async fn schedule(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (request, wants_text) = (call.id, call.wants_text());
    let form = call.form(&app, app.limits.workflow).await?;
    let text = match workflow_text(&form)? {
        Some(text) => text,
        None if form.part("jobId").is_some() => {
            return Ok(response::as_text(jobs::by_form(app, user, &form).await?, wants_text));
        }
        None => return Err(Rejection::MissingField("workflow")),
    };
    let pending = if text.len() <= PLANNED_AT_ONCE {
        submit(&app, user.id, text)?
    } else {
        let (owner, text) = (user.id, text.to_owned());
        blocking(&app, move |app| submit(app, owner, &text)).await?
    };
    let job = pending.await.map_err(jobs::not_accepted)?;
    tracing::debug!(%request, user = %user.id, job = job.0, "a job was accepted");
    Ok(response::json_text(StatusCode::OK, format!("{{\"job_id\": {}}}", job.0)))
}

fn submit(
    app: &App,
    owner: OwnerId,
    text: &str,
) -> Result<Pending<Result<JobId, SubmitError>>, Rejection> {
    let workflow = Workflow::from_json(text).map_err(Rejection::InvalidWorkflow)?;
    app.jobs.submit(owner, workflow).map_err(Rejection::InvalidWorkflow)
}

/// Checks a workflow without running it.
pub(crate) async fn validate(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let form = call.form(&app, app.limits.workflow).await?;
    let text = workflow_text(&form)?.ok_or(Rejection::MissingField("workflow"))?.to_owned();
    blocking(&app, move |app| {
        let plan = Workflow::from_json(&text)
            .and_then(|workflow| workflow.plan(&app.library.view(user.id)));
        let (valid, diagnostics) = match plan {
            Ok(plan) => (true, plan.warnings().to_vec()),
            Err(InvalidWorkflow { diagnostics, .. }) => (false, diagnostics),
        };
        let answer = Validity { valid, diagnostics: &diagnostics };
        Ok(response::json(StatusCode::OK, &answer))
    })
    .await
}

/// The text of the workflow: the field of that name, or a JSON body that is the document.
fn workflow_text(form: &Form) -> Result<Option<&str>, Rejection> {
    match form.text("workflow")? {
        Some(text) => Ok(Some(text)),
        None if form.part("blocks").is_some() => Ok(form.json_text()),
        None => Ok(None),
    }
}

/// The user's jobs, the newest first; `?before=ID&limit=N` pages through them.
pub(crate) async fn list(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let before = call.query::<i64>("before")?.map(JobId);
    let limit = call.query::<usize>("limit")?.unwrap_or(DEFAULT_LIMIT);
    let wants_text = call.wants_text();
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Rejection::BadQuery { name: "limit", problem: "must be from 1 to 10000" });
    }
    blocking(&app, move |app| {
        // One more tells whether there is a next page.
        let mut jobs = app.jobs.list(user.id, before, limit + 1).map_err(jobs::rejected)?;
        let has_more = jobs.len() > limit;
        jobs.truncate(limit);
        let mut answer = response::as_text(response::json(StatusCode::OK, &jobs), wants_text);
        if let Some(last) = jobs.last().filter(|_| has_more) {
            let next = format!(
                "</api/workflow/schedule?before={}&limit={limit}>; rel=\"next\"",
                last.id.0
            );
            if let Ok(next) = HeaderValue::try_from(next) {
                answer.headers_mut().insert(LINK, next);
            }
        }
        Ok(answer)
    })
    .await
}

/// Deletes the user's finished jobs.
pub(crate) async fn delete_finished(
    app: Arc<App>,
    user: User,
    call: Call,
) -> Result<Response, Rejection> {
    let request = call.id;
    blocking(&app, move |app| {
        let deleted = app.jobs.delete_finished(user.id).map_err(jobs::rejected)?;
        tracing::info!(%request, user = %user.id, deleted, "finished jobs were deleted");
        Ok(response::json(StatusCode::OK, &json!({ "deleted": deleted })))
    })
    .await
}
