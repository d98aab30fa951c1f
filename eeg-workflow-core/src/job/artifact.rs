//! The files that the blocks of one run make.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::atomic_file;
use crate::block::Artifact;

/// A folder for the files that the blocks of one run make. It is made when there is something to
/// put into it.
#[derive(Debug)]
pub struct ArtifactFolder {
    path: PathBuf,
    /// Whether it has to be a new one, which may have a number behind its name.
    is_new: bool,
    /// Where it is, once it is there.
    made: OnceLock<PathBuf>,
}

impl ArtifactFolder {
    /// This folder, whether or not it exists.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), is_new: false, made: OnceLock::new() }
    }

    /// A folder that does not exist yet: of this name or, if that is taken, of this name with
    /// the first free number behind it.
    pub fn numbered(path: impl Into<PathBuf>) -> Self {
        Self { is_new: true, ..Self::new(path) }
    }

    /// Where it is, or would be.
    pub fn path(&self) -> &Path {
        self.made.get().unwrap_or(&self.path)
    }

    /// Writes a file, whole or not at all, and gives its name: `<prefix>-<name>`, in which
    /// characters that may be harmful are replaced. The same names give the same file again.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn write(&self, prefix: &str, artifact: &Artifact) -> io::Result<String> {
        let folder = self.make()?;
        let name = sanitised(&format!("{prefix}-{}", artifact.name));
        atomic_file::write(folder, &name, &artifact.bytes).map(|()| name)
    }

    /// The path of an existing regular file; none if the name is not a plain file name, or if
    /// what is there is a link or a folder.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return None;
        }
        let path = self.path().join(name);
        path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()).then_some(path)
    }

    /// Removes the folder with all that is in it, if it is there.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn make(&self) -> io::Result<&Path> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let path = if self.is_new { make_new(&self.path)? } else { make(&self.path)? };
        Ok(self.made.get_or_init(|| path))
    }
}

/// Makes a folder, for its owner only, and those above it.
pub(super) fn make(path: &Path) -> io::Result<PathBuf> {
    if !path.is_dir() {
        builder(true).create(path)?;
        if let Some(parent) = path.parent().filter(|parent| parent.is_dir()) {
            atomic_file::sync_folder(parent)?;
        }
    }
    Ok(path.to_owned())
}

fn make_new(first: &Path) -> io::Result<PathBuf> {
    let mut path = first.to_owned();
    let mut number = 1;
    while let Err(error) = builder(false).create(&path) {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(error);
        }
        number += 1;
        path = format!("{}-{number}", first.display()).into();
    }
    Ok(path)
}

fn builder(is_recursive: bool) -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(is_recursive);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// The name as one harmless component: letters, digits, `.`, `-` and `_`, the end (which has
/// the file's type) kept when it is too long.
fn sanitised(name: &str) -> String {
    const MAX: usize = 120;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let name = if name.starts_with('.') { format!("_{name}") } else { name };
    match (name.get(..MAX / 2), name.get(name.len().saturating_sub(MAX / 2)..)) {
        (Some(start), Some(end)) if name.len() > MAX => format!("{start}{end}"),
        _ => name,
    }
}
