//! Modules: their block types, archives with more of them, and removing those.

use std::sync::Arc;

use eeg_workflow_core::block::{Field, Port};
use eeg_workflow_core::module::{
    Archive, ArchiveError, InstallError, ModuleEntry, ModuleKind, Owner, RemoveError,
};
use hyper::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::{App, blocking};
use crate::auth::User;
use crate::cli::PythonUploads;
use crate::error::{Rejection, with_causes};
use crate::python;
use crate::request::Call;
use crate::response::{self, Response};

/// Who the built-in modules belong to, as clients know it.
const BUILTIN_OWNER: &str = "guest@guest.com";

/// Installs the archive of the field `file`.
pub(crate) async fn upload(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let request = call.id;
    let form = call.form(&app, app.limits.archive.archive_bytes as u64).await?;
    let public = match form.text("public")? {
        None => false,
        Some(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "on" => true,
            "false" | "0" | "off" | "" => false,
            _ => {
                let problem = "is neither true nor false".into();
                return Err(Rejection::BadField { field: "public", problem });
            }
        },
    };
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
pub(crate) async fn initialize(app: Arc<App>, user: User, _: Call) -> Result<Response, Rejection> {
    blocking(&app, move |app| {
        let view = app.library.view(user.id);
        let types: Vec<BlockType<'_>> = view.modules().flat_map(block_types).collect();
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
        InstallError::Code(error) => python::rejection(&error),
        InstallError::ModuleExists { .. } => Rejection::ModuleExists(error.to_string()),
        InstallError::Storage(_) => Rejection::unavailable(error),
        // Clients know this text by heart.
        InstallError::Archive(ArchiveError::NotAZip(_)) => {
            Rejection::BadArchive("File is not a zip file".into())
        }
        other => Rejection::BadArchive(with_causes(&other)),
    }
}

/// A block type as designers read it, with its keys in the order that they know.
#[derive(Serialize)]
pub(crate) struct BlockType<'a> {
    owner: &'a str,
    public: bool,
    pub(crate) module: &'a str,
    name: &'a str,
    description: &'a str,
    family: &'a str,
    fields: Vec<BlockField<'a>>,
}

/// A parameter, an input or an output of a block type.
#[derive(Serialize)]
struct BlockField<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    port_type: &'a str,
    #[serde(rename = "defaultValue", skip_serializing_if = "Option::is_none")]
    default: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(rename = "card", skip_serializing_if = "Option::is_none")]
    cardinality: Option<String>,
    attrs: &'static str,
}

impl BlockType<'_> {
    /// The type, its family and its ports on one line.
    pub(crate) fn summary(&self) -> String {
        let names = |attrs: &str| -> String {
            let fields = self.fields.iter().filter(|field| field.attrs == attrs);
            fields.map(|field| field.name).collect::<Vec<_>>().join(", ")
        };
        let (name, family) = (self.name, self.family);
        let (inputs, outputs, parameters) = (names("input"), names("output"), names("editable"));
        format!("{name} [{family}] ({inputs}) -> ({outputs}) parameters: {parameters}")
    }
}

/// The block types of a module.
pub(crate) fn block_types(entry: &ModuleEntry) -> impl Iterator<Item = BlockType<'_>> {
    let is_builtin = entry.archive.is_none();
    entry.module.blocks().iter().map(move |block| {
        let spec = block.spec();
        BlockType {
            owner: if is_builtin { BUILTIN_OWNER } else { &entry.owner },
            public: entry.public && !is_builtin,
            module: entry.module.name(),
            name: spec.name(),
            description: spec.description_text(),
            family: spec.family_name(),
            fields: spec.fields().map(block_field).collect(),
        }
    })
}

fn block_field(field: Field<'_>) -> BlockField<'_> {
    match field {
        Field::Parameter(parameter) => BlockField {
            name: &parameter.name,
            port_type: parameter.port_type.name(),
            default: Some(&parameter.default),
            description: Some(&parameter.description),
            cardinality: None,
            attrs: "editable",
        },
        Field::Input(port) => port_field(port, "input"),
        Field::Output(port) => port_field(port, "output"),
    }
}

fn port_field<'a>(port: &'a Port, attrs: &'static str) -> BlockField<'a> {
    BlockField {
        name: &port.name,
        port_type: port.port_type.name(),
        default: None,
        description: None,
        cardinality: Some(port.cardinality.to_string()),
        attrs,
    }
}
