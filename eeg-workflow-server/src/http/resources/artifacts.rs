//! Files that blocks made.

use std::sync::Arc;

use super::jobs;
use crate::account_store::User;
use crate::http::download::{self, Caching};
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::Response;
use crate::http::state::{App, blocking};

/// The file of this name that a block of the user's job made.
pub(crate) async fn artifact(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let job = jobs::in_path(&call).map_err(|_| Rejection::NoSuchFile)?;
    let name = call.parameter(1).to_owned();
    let path = blocking(&app, move |app| {
        let path = app.jobs.artifact(user.id, job, &name).map_err(jobs::rejected)?;
        path.ok_or(Rejection::NoSuchFile)
    })
    .await?;
    download::send(&call, &path, Caching::Fixed).await
}
