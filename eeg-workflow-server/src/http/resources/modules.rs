//! Modules: their block types, archives with more of them, and removing those.

use std::sync::Arc;

use eeg_workflow_core::module::{
    Archive, ArchiveError, InstallError, ModuleKind, Owner, RemoveError,
};
use hyper::StatusCode;
use serde_json::json;

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
    let holds_code = {
        let (name, bytes) = (name.clone(), bytes.clone());
        blocking(&app, move |app| Ok(holds_code(app, &name, &bytes))).await?
    };
    let place = if holds_code {
        check_may_upload_code(app.python_uploads, &user)?;
        Some(app.place_for_import().await?)
    } else {
        None
    };
    // Goes on to its end if the client goes away: the archive is then installed, or is not.
    blocking(&app, move |app| {
        let _place = place;
        let owner = Owner { id: user.id, email: user.email };
        let installed =
            app.library.install(&owner, public, &name, &bytes).map_err(install_rejected)?;
        let modules = installed.modules.join(", ");
        tracing::info!(%request, user = %owner.id, modules, digest = %installed.digest, "a module archive was installed");
        Ok(response::json(StatusCode::OK, &json!({ "new_blocks_length": installed.blocks })))
    })
    .await
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

/// Removes an archive of the user's.
pub(crate) async fn remove(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (archive, request) = (call.parameter(0).to_owned(), call.id);
    blocking(&app, move |app| {
        let owner = Owner { id: user.id, email: user.email };
        app.library.remove(&owner, &archive).map_err(|error| match error {
            RemoveError::NotFound(archive) => Rejection::NoSuchModule(archive),
            other => Rejection::unavailable(other),
        })?;
        tracing::info!(%request, user = %owner.id, archive, "a module archive was removed");
        Ok(response::success(StatusCode::OK, "Module Removed"))
    })
    .await
}

/// Whether modules in an archive are code. What is no archive is refused later.
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
        Refusal::NoRuntime(text) => Rejection::NoPython(text),
        Refusal::Broken(cause) => Rejection::Unavailable(cause),
    }
}
