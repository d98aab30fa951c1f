//! The files that FILE parameters name, as a worker sees them: hard links in a folder that it
//! can only read.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sync::Mutex;
use foldhash::HashMap;

use crate::block::FileRoots;
#[cfg(feature = "eeg")]
use crate::eeg::formats::brainvision::files_named_by;

/// A file that a block may read: where it is, and its path below the folder of files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StagedFile {
    pub(super) source: PathBuf,
    pub(super) path: PathBuf,
}

/// The files that belong to what a FILE parameter names: the file itself, those beside it that
/// differ in their ending only, as a BrainVision recording has them (`.vhdr`, `.vmrk`, `.eeg`), and
/// those beside it that a BrainVision header among them names.
///
/// `source` is where the file is, `name` the parameter's value, `Home/a/b.eeg`.
pub(super) fn set_of(source: &Path, name: &str) -> Vec<StagedFile> {
    let (Ok(path), Some(folder), Some(stem)) =
        (FileRoots::path_below(name), source.parent(), source.file_stem())
    else {
        return Vec::new();
    };
    let mut names = vec![source.file_name().unwrap_or_default().to_owned()];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().file_stem() == Some(stem) {
            names.push(entry.file_name());
        }
    }
    for header in names.clone() {
        let named = files_named_by(&folder.join(&header));
        names.extend(named.iter().filter_map(|path| path.file_name()).map(ToOwned::to_owned));
    }
    let mut files: Vec<StagedFile> = Vec::new();
    for name in names {
        let beside = folder.join(&name);
        // A link could lead anywhere.
        let is_file = fs::symlink_metadata(&beside).is_ok_and(|entry| entry.is_file());
        let path = if beside == source { path.clone() } else { path.with_file_name(&name) };
        if is_file && !files.iter().any(|file| file.source == beside) {
            files.push(StagedFile { source: beside, path });
        }
    }
    files
}

/// Without the EEG library nobody knows what a header names.
#[cfg(not(feature = "eeg"))]
fn files_named_by(_header: &Path) -> Vec<PathBuf> {
    Vec::new()
}

/// A folder of links, each there as long as somebody needs it.
#[derive(Debug)]
pub(super) struct StagedFolder {
    folder: PathBuf,
    /// Whether the files must be readable for other users of the system.
    for_others: bool,
    links: Mutex<HashMap<PathBuf, (PathBuf, usize)>>,
}

/// Keeps links in their folder.
#[derive(Debug)]
pub(super) struct Staged {
    staged_folder: Arc<StagedFolder>,
    paths: Vec<PathBuf>,
}

impl StagedFolder {
    pub(super) fn new(folder: PathBuf, for_others: bool) -> io::Result<Self> {
        make_folder(&folder)?;
        Ok(Self { folder, for_others, links: Mutex::default() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts the files into the folder until what is returned is dropped.
    pub(super) fn stage(self: &Arc<Self>, files: &[StagedFile]) -> io::Result<Staged> {
        let mut staged = Staged { staged_folder: Arc::clone(self), paths: Vec::new() };
        let mut links = self.links.lock();
        for file in files {
            if let Some((source, count)) = links.get_mut(&file.path) {
                if *source != file.source {
                    let problem = format!("two files of the name {}", file.path.display());
                    return Err(io::Error::other(problem));
                }
                *count += 1;
            } else {
                self.link(file)?;
                links.insert(file.path.clone(), (file.source.clone(), 1));
            }
            staged.paths.push(file.path.clone());
        }
        drop(links);
        Ok(staged)
    }

    fn link(&self, file: &StagedFile) -> io::Result<()> {
        let target = self.folder.join(&file.path);
        for folder in file.path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            make_folder(&self.folder.join(folder))?;
        }
        let unreadable = || -> io::Result<bool> {
            Ok(fs::metadata(&file.source)?.permissions().mode() & 0o004 == 0)
        };
        let must_copy = self.for_others && unreadable()?;
        if !must_copy && fs::hard_link(&file.source, &target).is_ok() {
            return Ok(());
        }
        // On another file system, or not ours to link: a copy does as well.
        fs::copy(&file.source, &target)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644))
    }
}

/// Makes a folder that every user may look into, whatever this process's umask is: a worker can
/// be another user.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

impl Drop for Staged {
    fn drop(&mut self) {
        let mut links = self.staged_folder.links.lock();
        for path in &self.paths {
            let Some((_, count)) = links.get_mut(path) else { continue };
            *count -= 1;
            if *count > 0 {
                continue;
            }
            links.remove(path);
            // What cannot be removed now goes with the whole folder.
            let _ = fs::remove_file(self.staged_folder.folder.join(path));
            for folder in path.ancestors().skip(1).filter(|folder| *folder != Path::new("")) {
                if fs::remove_dir(self.staged_folder.folder.join(folder)).is_err() {
                    break;
                }
            }
        }
    }
}
