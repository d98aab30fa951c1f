//! The files that the blocks of a job make.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::JobId;
use crate::block::Artifact;

/// The folder that holds a folder for each job.
#[derive(Debug)]
pub(super) struct ArtifactFolder(PathBuf);

impl ArtifactFolder {
    /// Makes the folder if it is not there.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        directory(&folder)?;
        Ok(Self(folder))
    }

    fn of(&self, job: JobId) -> PathBuf {
        self.0.join(job.to_string())
    }

    /// Writes what the block at this position made, whole or not at all, and says under which
    /// name; the same block gives the same name again.
    pub(super) fn write(&self, job: JobId, block: u32, artifact: &Artifact) -> io::Result<String> {
        let folder = self.of(job);
        directory(&folder)?;
        let name = format!("{}-{}", u64::from(block) + 1, sanitised(&artifact.name));
        let temporary = folder.join(format!(".{name}.part"));
        let written = write_whole(&temporary, &artifact.bytes)
            .and_then(|()| fs::rename(&temporary, folder.join(&name)))
            .and_then(|()| sync_folder(&folder));
        if written.is_err() {
            // What is left of it is of no use; the first error says why.
            let _ = fs::remove_file(&temporary);
        }
        written.map(|()| name)
    }

    /// The path of an existing regular file; none if the name is no plain file name, or if
    /// what is there is a link or a folder.
    pub(super) fn find(&self, job: JobId, name: &str) -> Option<PathBuf> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return None;
        }
        let path = self.of(job).join(name);
        path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()).then_some(path)
    }

    /// Removes the job's folder, if it has one.
    pub(super) fn remove(&self, job: JobId) -> io::Result<()> {
        match fs::remove_dir_all(self.of(job)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

fn directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    // Before the job's state says that the file is there.
    file.sync_data()
}

/// Makes the names in a folder durable, where folders can be opened.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The name as one harmless component: letters, digits, `.`, `-` and `_`, the end (which has
/// the file's type) kept when it is too long.
fn sanitised(name: &str) -> String {
    const MAX: usize = 100;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let tail = name.get(name.len().saturating_sub(MAX)..).unwrap_or(&name);
    if tail.is_empty() { "file".to_owned() } else { tail.to_owned() }
}
