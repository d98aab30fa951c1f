//! The user's own files, which FILE parameters name.

use std::sync::Arc;

use hyper::StatusCode;

use crate::account_store::User;
use crate::http::download::{self, Caching};
use crate::http::frames::Frames;
use crate::http::multipart::Parts;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Response};
use crate::http::state::{App, blocking};
use crate::http::user_files::{FileEntry, FileName, Found, Upload};

/// A form of more files than this is refused.
const MAX_FILES: usize = 1_000;

/// All files of the user.
pub(crate) async fn list(app: Arc<App>, user: User, _: Call) -> Result<Response, Rejection> {
    blocking(&app, move |app| Ok(response::json(StatusCode::OK, &app.files.list(user.id, None)?)))
        .await
}

/// The file of this name; of a folder, the list of the files below it.
pub(crate) async fn download(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    // A name that no upload can have is the name of no file.
    let name = FileName::new(call.rest().to_vec()).map_err(|_| Rejection::NoSuchFile)?;
    let answer = blocking(&app, move |app| match app.files.find(user.id, &name)? {
        Found::File(path) => Ok(Err(path)),
        Found::Folder => Ok(Ok(app.files.list(user.id, Some(&name))?)),
    });
    match answer.await? {
        Ok(entries) => Ok(response::json(StatusCode::OK, &entries)),
        Err(path) => download::send(&call, &path, Caching::Checked).await,
    }
}

/// Stores the body under the name in the address: the body itself, or the one file of a
/// multipart form.
pub(crate) async fn upload(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let name = FileName::new(call.rest().to_vec())?;
    let request = call.id;
    let content_type = multipart_type(&call);
    let mut frames = call.frames(&app, app.limits.file)?;
    let named = name.clone();
    let free = blocking(&app, move |app| app.files.free(user.id, Some(&named))).await?;
    let upload = app.files.begin(free).await?;
    let upload = match content_type {
        None => receive(upload, &mut frames).await?,
        Some(content_type) => receive_only_file(upload, frames, &content_type).await?,
    };
    let entry = place(&app, &user, name, upload).await?;
    tracing::info!(%request, user = %user.id, ?entry, "a file was uploaded");
    Ok(response::json(StatusCode::CREATED, &entry))
}

/// Stores every file of a multipart form under the file name that it has there, which may
/// begin with folders.
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
    let mut received = Vec::new();
    while let Some(mut field) = parts.next().await? {
        let Some(file_name) = field.file_name() else {
            while field.chunk().await?.is_some() {}
            continue;
        };
        if received.len() == MAX_FILES {
            return Err(Rejection::BadBody(format!("the form has over {MAX_FILES} files")));
        }
        let name = FileName::parse(file_name)?;
        let named = name.clone();
        let free = blocking(&app, move |app| app.files.free(user.id, Some(&named))).await?;
        let mut upload = app.files.begin(free).await?;
        while let Some(bytes) = field.chunk().await? {
            upload.write(&bytes).await?;
        }
        received.push((name, upload));
    }
    if received.is_empty() {
        return Err(Rejection::MissingField("file"));
    }
    let mut entries: Vec<FileEntry> = Vec::with_capacity(received.len());
    for (name, upload) in received {
        entries.push(place(&app, &user, name, upload).await?);
    }
    tracing::info!(%request, user = %user.id, ?entries, "files were uploaded");
    Ok(response::json(StatusCode::CREATED, &entries))
}

/// Deletes the file of this name.
pub(crate) async fn delete(app: Arc<App>, user: User, call: Call) -> Result<Response, Rejection> {
    let name = FileName::new(call.rest().to_vec()).map_err(|_| Rejection::NoSuchFile)?;
    let request = call.id;
    blocking(&app, move |app| {
        app.files.delete(user.id, &name)?;
        tracing::info!(%request, user = %user.id, ?name, "a file was deleted");
        Ok(response::success(StatusCode::OK, "File Deleted"))
    })
    .await
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

async fn place(
    app: &Arc<App>,
    user: &User,
    name: FileName,
    upload: Upload,
) -> Result<FileEntry, Rejection> {
    let (written, owner) = (upload.finish().await?, user.id);
    blocking(app, move |app| app.files.place(owner, &name, &written)).await
}

/// The content type, when the body is a multipart form.
fn multipart_type(call: &Call) -> Option<String> {
    let is_multipart = call.media_type().as_deref() == Some("multipart/form-data");
    let content_type = call.header(hyper::header::CONTENT_TYPE).filter(|_| is_multipart);
    content_type.map(str::to_owned)
}
