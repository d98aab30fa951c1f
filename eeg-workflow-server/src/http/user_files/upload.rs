//! Uploads: written aside, then put in their places.

use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::name::{FileName, Space};
use super::usage::Reservation;
use crate::http::rejection::Rejection;

/// An upload that is coming in.
pub(crate) struct Upload {
    file: File,
    written: Written,
}

/// An upload that is complete and on disk.
pub(crate) struct Written {
    pub(super) space: Space,
    pub(super) name: FileName,
    pub(super) reservation: Reservation,
    path: Temporary,
}

impl Upload {
    /// Begins to write to a new file of this path.
    pub(super) fn create(
        path: PathBuf,
        space: Space,
        name: FileName,
        reservation: Reservation,
    ) -> Result<Self, Rejection> {
        let file = fs::File::create_new(&path).map_err(Rejection::unavailable)?;
        let written = Written { space, name, reservation, path: Temporary(path) };
        file.set_permissions(mode(0o644)).map_err(Rejection::unavailable)?;
        Ok(Self { file: File::from_std(file), written })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        self.written.reservation.grow(bytes.len() as u64)?;
        self.file.write_all(bytes).await.map_err(Rejection::unavailable)
    }

    pub(crate) async fn finish(self) -> Result<Written, Rejection> {
        let Self { mut file, written } = self;
        file.flush().await.map_err(Rejection::unavailable)?;
        file.sync_all().await.map_err(Rejection::unavailable)?;
        Ok(written)
    }
}

/// A file that is removed with this, unless it was moved away.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is not there any more when the upload was placed.
        let _ = fs::remove_file(&self.0);
    }
}

/// Files that have been put in their places, which are taken back when this is dropped.
#[derive(Default)]
pub(super) struct Placing(Vec<Placed>);

struct Placed {
    path: PathBuf,
    /// What was there before.
    before: Option<Temporary>,
}

impl Placing {
    /// Puts one more file in its place.
    pub(super) fn put(&mut self, upload: &Written, path: &Path) -> io::Result<()> {
        let aside = upload.path.0.with_extension("before");
        let before = match fs::hard_link(path, &aside) {
            Ok(()) => Some(Temporary(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // A file system without links: for a moment there is no file of this name.
            Err(_) => fs::rename(path, &aside).map(|()| Some(Temporary(aside)))?,
        };
        // From here on it is put back if something goes wrong.
        self.0.push(Placed { path: path.to_owned(), before });
        fs::rename(&upload.path.0, path)
    }

    /// All are where they should be.
    pub(super) fn keep(mut self) {
        drop(mem::take(&mut self.0));
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        for Placed { path, before } in mem::take(&mut self.0).into_iter().rev() {
            let back = match &before {
                Some(before) => fs::rename(&before.0, &path),
                None => fs::remove_file(&path),
            };
            if let Err(error) = back
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::error!(path = %path.display(), %error, "an upload that failed is not undone");
            }
        }
    }
}

/// Whatever the umask is, other users can read what is below the data directory, which is closed
/// to them: Python blocks run as users of their own, and are given files by hard links.
pub(super) fn mode(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}
