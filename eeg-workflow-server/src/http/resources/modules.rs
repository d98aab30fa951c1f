//! Modules: their block types, and archives that bring more of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eeg_workflow_core::module::{
    Archive, ArchiveError, Dependent, InstallError, ModuleKind, Owner,
};
use hyper::StatusCode;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::archives::Uses;

use crate::account_store::User;
use crate::block_types::{BlockType, block_types};
use crate::cli::PythonUploads;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::{App, blocking};
use crate::python::{self, Refusal};
use crate::text::with_causes;

/// Installs the archive of the field `file`.
pub(crate) async fn upload(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let request = call.id;
    let form = call.form(&app, app.limits.archive.archive_bytes as u64).await?;
    let public = form.flag("public")?;
    let file = form.part("file").ok_or(Rejection::MissingField("file"))?;
    let name = file.file_name.clone().unwrap_or_else(|| "module.zip".into());
    let bytes = file.content.clone();
    let place = place_for_code(&app, &user, &name, &bytes).await?;
    // Goes on to its end if the client goes away: the archive is then installed, or is not.
    blocking(&app, move |app| {
        let _place = place;
        let owner = Owner { id: user.id, email: user.email };
        let installed =
            app.library.install(&owner, public, &name, &bytes).map_err(install_rejected)?;
        let modules = installed.modules.join(", ");
        tracing::info!(%request, user = %owner.id, modules, digest = %installed.digest, "a module archive was installed");
        let answer = Uploaded { new_blocks_length: installed.blocks, warnings: installed.warnings };
        Ok(response::json(StatusCode::OK, &answer))
    })
    .await
}

/// Replaces the user's archive in the address by that of the field `file`, or of the body
/// itself; or changes who may use it, if there is only the field `public`.
pub(crate) async fn replace(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (request, name) = (call.id, call.parameter(0).to_owned());
    let limit = app.limits.archive.archive_bytes as u64;
    let (public, bytes) = if is_archive(&call) {
        (None, Some(call.frames(&app, limit)?.collect().await?))
    } else {
        let form = call.form(&app, limit).await?;
        let public = form.part("public").map(|_| form.flag("public")).transpose()?;
        (public, form.part("file").map(|file| file.content.clone()))
    };
    let place = match &bytes {
        Some(bytes) => place_for_code(&app, &user, &name, bytes).await?,
        None => None,
    };
    blocking(&app, move |app| {
        let _place = place;
        let old = app.library.archive(user.id, &name);
        let old = old.ok_or_else(|| Rejection::NoSuchModule(name.clone()))?;
        let (blocks, warnings) = match (bytes, public) {
            (Some(bytes), public) => {
                let owner = Owner { id: user.id, email: user.email.clone() };
                let installed = app.library.replace(&owner, public, &name, &bytes);
                let installed = installed.map_err(install_rejected)?;
                (Some(installed.blocks), installed.warnings)
            }
            (None, Some(public)) => {
                app.library.set_public(user.id, &name, public).map_err(install_rejected)?;
                (None, Vec::new())
            }
            (None, None) => return Err(Rejection::MissingField("file")),
        };
        let new = app.library.archive(user.id, &name);
        let new = new.ok_or_else(|| Rejection::NoSuchModule(name.clone()))?;
        tracing::info!(%request, user = %user.id, archive = name, digest = %new.digest, public = new.public, "a module archive was replaced");
        let uses = Uses::of(app, &user, &new, &old.digest)?;
        let answer = Replaced { new_blocks_length: blocks, public: new.public, digest: new.digest, uses, warnings };
        Ok(response::json(StatusCode::OK, &answer))
    })
    .await
}

/// The answer to an upload.
#[derive(Serialize)]
struct Uploaded {
    new_blocks_length: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// The answer to a replacement, or to a change of who may use an archive.
#[derive(Serialize)]
struct Replaced {
    #[serde(skip_serializing_if = "Option::is_none")]
    new_blocks_length: Option<usize>,
    public: bool,
    digest: String,
    #[serde(flatten)]
    uses: Uses,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Whether the body is an archive and not a form.
fn is_archive(call: &Call) -> bool {
    let media_type = call.media_type().unwrap_or_default();
    ["application/zip", "application/x-zip-compressed", "application/octet-stream"]
        .contains(&media_type.as_str())
}

/// A place for loading the code of an archive, if there is code in it and the user may bring it.
async fn place_for_code(
    app: &Arc<App>,
    user: &User,
    name: &str,
    bytes: &Bytes,
) -> Result<Option<OwnedSemaphorePermit>, Rejection> {
    let (name, bytes) = (name.to_owned(), bytes.clone());
    if !blocking(app, move |app| Ok(holds_code(app, &name, &bytes))).await? {
        return Ok(None);
    }
    check_may_upload_code(app.python_uploads, user)?;
    app.place_for_import().await.map(Some)
}

/// The block types that the user may use.
pub(crate) async fn initialize(
    app: Arc<App>,
    user: User,
    call: Call,
) -> Result<Response, Rejection> {
    let with_help = call.query("help")?.unwrap_or(false);
    blocking(&app, move |app| {
        let view = app.library.view(user.id);
        let modules = view.modules();
        let types: Vec<BlockType<'_>> =
            modules.flat_map(|module| block_types(module, with_help)).collect();
        Ok(response::json(StatusCode::OK, &types))
    })
    .await
}

/// Whether modules in an archive are code. What is not an archive is refused later.
fn holds_code(app: &App, name: &str, bytes: &[u8]) -> bool {
    Archive::read(name, bytes, &app.limits.archive)
        .is_ok_and(|archive| archive.modules.iter().any(|one| one.kind == ModuleKind::Python))
}

fn check_may_upload_code(who: PythonUploads, user: &User) -> Result<(), Rejection> {
    let whom = match who {
        PythonUploads::Users => return Ok(()),
        PythonUploads::Admins if user.is_admin => return Ok(()),
        PythonUploads::Admins => "only administrators",
        PythonUploads::None => "nobody",
    };
    Err(Rejection::CodeNotAllowed(format!(
        "{whom} may upload Python modules here (--python-uploads); declarative modules are taken \
         from everybody"
    )))
}

fn install_rejected(error: InstallError) -> Rejection {
    match error {
        InstallError::Code(error) => code_rejected(python::refusal(&error)),
        InstallError::ModuleExists { .. } | InstallError::ArchiveExists(_) => {
            Rejection::ModuleExists(error.to_string())
        }
        // What is wrong with it would tell of somebody else's archive.
        InstallError::BreaksDependent { dependent: Dependent::Private, .. } => {
            Rejection::Conflict(error.to_string())
        }
        InstallError::BreaksDependent { .. } | InstallError::Circle { .. } => {
            Rejection::Conflict(with_causes(&error))
        }
        InstallError::NotFound(archive) => Rejection::NoSuchModule(archive),
        InstallError::Storage(_) => Rejection::unavailable(error),
        // Clients know this text by heart.
        InstallError::Archive(ArchiveError::NotAZip(_)) => {
            Rejection::BadArchive("File is not a zip file".into())
        }
        other => Rejection::BadArchive(with_causes(&other)),
    }
}

fn code_rejected(refusal: Refusal) -> Rejection {
    match refusal {
        Refusal::NotAllowed(text) => Rejection::CodeNotAllowed(text),
        Refusal::BadCode { error, details } => Rejection::BadCode { error, details },
        Refusal::Busy => Rejection::Busy(Duration::from_secs(10)),
        Refusal::NoRuntime(text) => Rejection::NoPython(text),
        Refusal::Broken(cause) => Rejection::Unavailable(cause),
    }
}
