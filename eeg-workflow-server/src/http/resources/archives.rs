//! Archives of modules as a whole: listed, described and removed.

use std::sync::Arc;

use eeg_workflow_core::job::JobId;
use eeg_workflow_core::module::{ArchiveInfo, Dependent, RemoveError};
use hyper::StatusCode;
use serde::Serialize;

use super::jobs;
use crate::account_store::User;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::{App, blocking};

/// The archives that a user may use, without the jobs that use them.
pub(crate) async fn list(app: Arc<App>, user: User, _: Call) -> Result<Response, Rejection> {
    blocking(&app, move |app| {
        let may_know = |info: &ArchiveInfo| user.is_admin || info.public || is_of(info, &user);
        let archives: Vec<Summary> = app
            .library
            .archives()
            .into_iter()
            .filter(may_know)
            .map(|info| {
                let dependents = is_of(&info, &user) || user.is_admin;
                Summary {
                    dependents: dependents.then(|| (&*info.dependents).into()),
                    ..info.into()
                }
            })
            .collect();
        Ok(response::json(StatusCode::OK, &archives))
    })
    .await
}

/// One archive, with what depends on it.
pub(crate) async fn describe(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (name, owner) = named(&call)?;
    blocking(&app, move |app| {
        let info = find(app, &user, &name, owner.as_deref())?;
        let uses = Uses::of(app, &user, &info, &info.digest)?;
        Ok(response::json(StatusCode::OK, &Description { archive: info.into(), uses }))
    })
    .await
}

/// Removes an archive: of the user's, or, if that is an administrator, anybody's.
pub(crate) async fn remove(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let ((name, owner), request) = (named(&call)?, call.id);
    blocking(&app, move |app| {
        let info = find(app, &user, &name, owner.as_deref())?;
        // Before it is gone.
        let uses = Uses::of(app, &user, &info, &info.digest)?;
        app.library.remove(&info.owner, &info.archive).map_err(|error| match error {
            RemoveError::NotFound(archive) => Rejection::NoSuchModule(archive),
            other => Rejection::unavailable(other),
        })?;
        let (archive, owner) = (info.archive, info.owner.id);
        tracing::info!(%request, user = %user.id, archive, %owner, "a module archive was removed");
        let answer = Removed { success: "Module Removed", uses };
        Ok(response::json(StatusCode::OK, &answer))
    })
    .await
}

/// An archive as clients read it.
#[derive(Serialize)]
struct Summary {
    archive: String,
    owner: String,
    public: bool,
    digest: String,
    modules: Vec<String>,
    #[serde(flatten)]
    dependents: Option<Dependents>,
}

#[derive(Serialize)]
struct Description {
    #[serde(flatten)]
    archive: Summary,
    #[serde(flatten)]
    uses: Uses,
}

#[derive(Serialize)]
struct Removed {
    success: &'static str,
    #[serde(flatten)]
    uses: Uses,
}

/// What depends on an archive.
#[derive(Serialize)]
pub(super) struct Uses {
    #[serde(flatten)]
    dependents: Dependents,
    /// The unfinished jobs that use it, as far as the user may know them.
    jobs: Vec<JobId>,
}

/// The archives that depend on one, as its owner may know them.
#[derive(Serialize)]
struct Dependents {
    dependents: Vec<KnownDependent>,
    /// The number of private archives of other users among them.
    private_dependents: usize,
}

#[derive(Serialize)]
struct KnownDependent {
    archive: String,
    owner: String,
}

impl Uses {
    /// What depends on this archive, and the jobs that use the version of this digest. Users are told of their own jobs, administrators of all.
    pub(super) fn of(
        app: &App,
        user: &User,
        info: &ArchiveInfo,
        digest: &str,
    ) -> Result<Self, Rejection> {
        let jobs = app.jobs.unfinished_with(digest).map_err(jobs::rejected)?.into_iter();
        let jobs = jobs.filter(|(owner, _)| user.is_admin || *owner == user.id);
        Ok(Self { dependents: (&*info.dependents).into(), jobs: jobs.map(|(_, id)| id).collect() })
    }
}

impl From<&[Dependent]> for Dependents {
    fn from(all: &[Dependent]) -> Self {
        let known = all.iter().filter_map(|dependent| match dependent {
            Dependent::Known { archive, owner } => {
                Some(KnownDependent { archive: archive.clone(), owner: owner.clone() })
            }
            _ => None,
        });
        let dependents: Vec<_> = known.collect();
        Self { private_dependents: all.len() - dependents.len(), dependents }
    }
}

impl From<ArchiveInfo> for Summary {
    fn from(info: ArchiveInfo) -> Self {
        Self {
            archive: info.archive,
            owner: info.owner.email,
            public: info.public,
            digest: info.digest,
            modules: info.modules,
            dependents: None,
        }
    }
}

/// The name in the address, and the owner's e-mail address in the query.
fn named(call: &Call) -> Result<(String, Option<String>), Rejection> {
    Ok((call.parameter(0).to_owned(), call.query("owner")?))
}

/// The archive of this name: the user's, or one of another owner that an administrator means.
fn find(app: &App, user: &User, name: &str, owner: Option<&str>) -> Result<ArchiveInfo, Rejection> {
    let own = app.library.archive(user.id, name);
    if let Some(own) = own.filter(|_| owner.is_none_or(|owner| is_same(owner, &user.email))) {
        return Ok(own);
    }
    let nothing = || Rejection::NoSuchModule(name.to_owned());
    if !user.is_admin {
        return Err(nothing());
    }
    let mut named = app.library.archives();
    named.retain(|info| {
        info.archive == name && owner.is_none_or(|owner| is_same(owner, &info.owner.email))
    });
    if named.len() > 1 {
        let owners: Vec<&str> = named.iter().map(|info| &*info.owner.email).collect();
        let owners = owners.join(", ");
        let problem = format!(
            "several users have an archive \"{name}\": say whose with ?owner=, one of {owners}"
        );
        return Err(Rejection::Conflict(problem));
    }
    named.pop().ok_or_else(nothing)
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn is_of(info: &ArchiveInfo, user: &User) -> bool {
    info.owner.id == user.id
}
