//! Where a server keeps what must survive it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of one server, locked for as long as this lives.
///
/// ```text
/// DIR/lock            held by the server that uses the folder
/// DIR/jobs.db         jobs and the outputs of their blocks
/// DIR/accounts.db     accounts and tokens
/// DIR/jobs/<id>-…/    artifacts of a job
/// DIR/files/<user>/   files of a user, for FILE parameters
/// DIR/modules/        archives that were uploaded
/// DIR/python/         the same unpacked, their packages, and the folders of Python workers
/// ```
pub(crate) struct DataDir {
    root: PathBuf,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("the data directory {0} is in use by another server")]
    InUse(PathBuf),
    #[error("the data directory {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the data directory {path} can be read by others (mode {mode:o}), and holds things that \
         are not a server's: make it private (chmod 700) or name another with --data-dir"
    )]
    Shared { path: PathBuf, mode: u32 },
    #[error("there is no place for a data directory: name one with --data-dir")]
    NoDefault,
}

impl DataDir {
    /// Opens the folder, and makes it, for its owner alone, if it is not there. One that others
    /// can read is closed to them, if it is empty or a server's.
    pub(crate) fn open(root: PathBuf) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError::Io { path: root.clone(), source };
        make_private(&root).map_err(failed)?;
        if let Some(mode) = mode_for_others(&root).map_err(failed)? {
            if !is_servers(&root).map_err(failed)? {
                return Err(DataDirError::Shared { path: root, mode });
            }
            close_to_others(&root).map_err(failed)?;
            let (path, mode) = (root.display(), format!("{mode:o}"));
            tracing::warn!(%path, mode, "the data directory could be read by others: it is now private");
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse(root)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let dir = Self { root: root.clone(), _lock: lock };
        for folder in [dir.artifacts(), dir.files(), dir.modules()] {
            make_private(&folder).map_err(failed)?;
        }
        Ok(dir)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn jobs(&self) -> PathBuf {
        self.root.join("jobs.db")
    }

    pub(crate) fn accounts(&self) -> PathBuf {
        accounts(&self.root)
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.root.join("jobs")
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(crate) fn modules(&self) -> PathBuf {
        self.root.join("modules")
    }

    pub(crate) fn python(&self) -> PathBuf {
        python(&self.root)
    }
}

/// The accounts database, below the data directory.
pub(crate) fn accounts(root: &Path) -> PathBuf {
    root.join("accounts.db")
}

/// Where the Python runtime keeps its things, below the data directory.
pub(crate) fn python(root: &Path) -> PathBuf {
    root.join("python")
}

/// `$XDG_DATA_HOME/eeg-workflow`, or `~/.local/share/eeg-workflow`.
pub(crate) fn default_root() -> Result<PathBuf, DataDirError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(set("HOME")?.join(".local/share")));
    Ok(base.ok_or(DataDirError::NoDefault)?.join("eeg-workflow"))
}

/// Makes a folder and those above it, the folder itself readable by its owner alone.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The mode of a folder that others than its owner may use.
fn mode_for_others(folder: &Path) -> io::Result<Option<u32>> {
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder)?.permissions());
    #[cfg(not(unix))]
    let mode = 0;
    Ok((mode & 0o077 != 0).then_some(mode & 0o7777))
}

fn close_to_others(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// Whether a folder is empty, or a server has kept its things there before: closing any other one
/// to others, such as `/tmp`, would do harm.
fn is_servers(folder: &Path) -> io::Result<bool> {
    let is_known = |name| folder.join(name).is_file();
    if is_known("lock") && (is_known("accounts.db") || is_known("jobs.db")) {
        return Ok(true);
    }
    // The command `modules install` makes one of them before the first start.
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != "lock" && name != "python" {
            return Ok(false);
        }
    }
    Ok(true)
}
