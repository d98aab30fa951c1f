//! The user's own files, which FILE parameters name.

use std::sync::Arc;

use hyper::StatusCode;

use crate::account_store::User;
use crate::cli::SharedFiles;
use crate::http::download::{self, Caching};
use crate::http::frames::Frames;
use crate::http::multipart::Parts;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::{App, blocking};
use crate::http::user_files::{FileName, Found, Space, Upload};

/// A form of more parts than this is refused.
const MAX_PARTS: usize = 1_000;

/// All files of the user.
pub(crate) async fn list(app: Arc<App>, user: User, _: Call) -> Result<Response, Rejection> {
    let space = Space::User(user.id);
    blocking(&app, move |app| Ok(response::json(StatusCode::OK, &app.files.list(space, None)?)))
        .await
}

/// The file of this name; of a folder, the list of the files below it.
pub(crate) async fn download(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    // A name that no upload can have is the name of no file.
    let name = FileName::new(call.rest().to_vec()).map_err(|_| Rejection::NoSuchFile)?;
    let (space, name) = name.in_space(user.id);
    let answer = blocking(&app, move |app| {
        let found = name.as_ref().map_or(Ok(Found::Folder), |name| app.files.find(space, name))?;
        match found {
            Found::File(path) => Ok(Err(path)),
            Found::Folder => Ok(Ok(app.files.list(space, name.as_ref())?)),
        }
    });
    match answer.await? {
        Ok(entries) => Ok(response::json(StatusCode::OK, &entries)),
        Err(path) => download::send(&call, &path, Caching::Checked).await,
    }
}

/// Stores the body under the name in the address: the body itself, or the one file of a
/// multipart form.
pub(crate) async fn upload(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let (space, name) = to_write(&app, &user, FileName::new(call.rest().to_vec())?)?;
    let request = call.id;
    let content_type = multipart_type(&call);
    let mut frames = call.frames(&app, app.limits.file)?;
    let upload = blocking(&app, move |app| app.files.begin(space, name)).await?;
    let upload = match content_type {
        None => receive(upload, &mut frames).await?,
        Some(content_type) => receive_only_file(upload, frames, &content_type).await?,
    };
    let written = upload.finish().await?;
    let mut entries = blocking(&app, move |app| app.files.place(vec![written])).await?;
    tracing::info!(%request, user = %user.id, ?entries, "a file was uploaded");
    let entry = entries.pop().ok_or(Rejection::NoSuchFile)?;
    Ok(response::json(StatusCode::CREATED, &entry))
}

/// Stores every file of a multipart form under the file name that it has there, which may
/// begin with folders: all of them, or none.
pub(crate) async fn upload_many(
    app: Arc<App>,
    user: User,
    call: Call,
) -> Result<Response, Rejection> {
    let request = call.id;
    let Some(content_type) = multipart_type(&call) else {
        let other = call.media_type().unwrap_or_else(|| "unknown".into());
        return Err(Rejection::UnsupportedMediaType(other));
    };
    let frames = call.frames(&app, app.limits.file)?;
    let mut parts = Parts::new(frames, &content_type)?;
    let (mut received, mut seen) = (Vec::new(), 0);
    let mut names: Vec<(Space, FileName)> = Vec::new();
    while let Some(mut field) = parts.next().await? {
        seen += 1;
        if seen > MAX_PARTS {
            return Err(Rejection::BadBody(format!("the form has over {MAX_PARTS} parts")));
        }
        let Some(file_name) = field.file_name() else {
            while field.chunk().await?.is_some() {}
            continue;
        };
        let (space, name) = to_write(&app, &user, FileName::parse(file_name)?)?;
        names.push((space, name.clone()));
        let mut upload = blocking(&app, move |app| app.files.begin(space, name)).await?;
        while let Some(bytes) = field.chunk().await? {
            upload.write(&bytes).await?;
        }
        received.push(upload.finish().await?);
    }
    if received.is_empty() {
        return Err(Rejection::MissingField("file"));
    }
    check_fit_together(names)?;
    let entries = blocking(&app, move |app| app.files.place(received)).await?;
    tracing::info!(%request, user = %user.id, ?entries, "files were uploaded");
    Ok(response::json(StatusCode::CREATED, &entries))
}

/// Deletes the file of this name.
pub(crate) async fn delete(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let name = FileName::new(call.rest().to_vec()).map_err(|_| Rejection::NoSuchFile)?;
    let (space, name) = to_write(&app, &user, name)?;
    let request = call.id;
    blocking(&app, move |app| {
        app.files.delete(space, &name)?;
        tracing::info!(%request, user = %user.id, ?space, ?name, "a file was deleted");
        Ok(response::success(StatusCode::OK, "File Deleted"))
    })
    .await
}

/// Where a file of this name is, which the user wants to write or delete.
fn to_write(app: &App, user: &User, name: FileName) -> Result<(Space, FileName), Rejection> {
    let (space, name) = name.in_space(user.id);
    let may_write = match (space, app.shared_files) {
        (Space::User(_), _) | (Space::Shared, SharedFiles::Users) => true,
        (Space::Shared, SharedFiles::Admins) => user.is_admin,
        (Space::Shared, SharedFiles::None) => false,
    };
    if !may_write {
        return Err(Rejection::SharedNotAllowed);
    }
    let name = name.ok_or_else(|| Rejection::Conflict("this is the folder of all users".into()))?;
    Ok((space, name))
}

/// Refuses a form that has a name twice, or a file that another one would have to be below.
fn check_fit_together(mut names: Vec<(Space, FileName)>) -> Result<(), Rejection> {
    names.sort();
    for pair in names.windows(2) {
        let [(space, name), (next_space, next)] = pair else { continue };
        if space == next_space && (name == next || next.is_below(name)) {
            let problem = format!("the form has a file \"{name}\" and also \"{next}\"");
            return Err(Rejection::BadBody(problem));
        }
    }
    Ok(())
}

async fn receive(mut upload: Upload, frames: &mut Frames) -> Result<Upload, Rejection> {
    while let Some(bytes) = frames.next().await? {
        upload.write(&bytes).await?;
    }
    Ok(upload)
}

async fn receive_only_file(
    mut upload: Upload,
    frames: Frames,
    content_type: &str,
) -> Result<Upload, Rejection> {
    let mut parts = Parts::new(frames, content_type)?;
    let mut files = 0;
    while let Some(mut field) = parts.next().await? {
        let is_file = field.file_name().is_some();
        files += usize::from(is_file);
        if files > 1 {
            return Err(Rejection::BadBody("the address names one file, the form has more".into()));
        }
        while let Some(bytes) = field.chunk().await? {
            if is_file {
                upload.write(&bytes).await?;
            }
        }
    }
    if files == 0 {
        return Err(Rejection::MissingField("file"));
    }
    Ok(upload)
}

/// The content type, when the body is a multipart form.
fn multipart_type(call: &Call) -> Option<String> {
    let is_multipart = call.media_type().as_deref() == Some("multipart/form-data");
    let content_type = call.header(hyper::header::CONTENT_TYPE).filter(|_| is_multipart);
    content_type.map(str::to_owned)
}
