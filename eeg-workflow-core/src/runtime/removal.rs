//! Removes folders that uploaded code has filled: without recursion, since they may be nested deeper
//! than a stack is long or a path may be, and within a limit.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// The maximum number of entries that are removed at once; the rest is left.
const MAX_ENTRIES: usize = 1_000_000;

/// Removes a folder with everything in it.
///
/// # Errors
/// What the system says, or there is more than is removed at once.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    empty_folder(path, |_| false)?;
    std::fs::remove_dir(path)
}

/// Removes everything in a folder, except entries whose names are `kept`.
///
/// # Errors
/// As [`remove_folder`]; what could be removed is gone.
pub(crate) fn empty_folder(path: &Path, kept: impl Fn(&CStr) -> bool) -> io::Result<()> {
    let mut removal = Removal::default();
    let mut current = open(CWD, path)?;
    let mut pending = removal.remove_files(&current, kept)?;
    let mut above: Vec<Level> = Vec::new();
    loop {
        if removal.entries > MAX_ENTRIES {
            return Err(io::Error::other(format!("more than {MAX_ENTRIES} entries")));
        }
        if let Some(name) = pending.pop() {
            let Ok(inner) = open(&current, name.as_c_str()) else {
                removal.note(rustix::fs::unlinkat(&current, &name, AtFlags::REMOVEDIR));
                continue;
            };
            above.push(Level { id: id(&current)?, inner: name, pending });
            current = inner;
            pending = removal.remove_files(&current, |_| false)?;
        } else if let Some(level) = above.pop() {
            // One descriptor at a time, however deep it is. Whoever moves folders meanwhile must not
            // lead this elsewhere.
            current = open(&current, c"..")?;
            if id(&current)? != level.id {
                return Err(io::Error::other("a folder was moved while it was removed"));
            }
            removal.note(rustix::fs::unlinkat(&current, &level.inner, AtFlags::REMOVEDIR));
            pending = level.pending;
        } else {
            return removal.problem.map_or(Ok(()), |problem| Err(problem.into()));
        }
    }
}

/// A folder on the way to the one that is being emptied.
struct Level {
    id: (u64, u64),
    /// The folder in it that was entered.
    inner: CString,
    /// Those that are still to be removed.
    pending: Vec<CString>,
}

#[derive(Default)]
struct Removal {
    entries: usize,
    /// The first thing that could not be removed.
    problem: Option<Errno>,
}

impl Removal {
    /// Removes what is no folder, and gives the names of the folders.
    fn remove_files(
        &mut self,
        folder: &OwnedFd,
        kept: impl Fn(&CStr) -> bool,
    ) -> Result<Vec<CString>, Errno> {
        let mut folders = Vec::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || kept(name) {
                continue;
            }
            self.entries += 1;
            let removed = match entry.file_type() {
                FileType::Directory => Err(Errno::ISDIR),
                _ => rustix::fs::unlinkat(folder, name, AtFlags::empty()),
            };
            match removed {
                Err(Errno::ISDIR) => folders.push(name.to_owned()),
                removed => self.note(removed),
            }
        }
        Ok(folders)
    }

    fn note(&mut self, removed: Result<(), Errno>) {
        if let Err(error) = removed {
            self.problem.get_or_insert(error);
        }
    }
}

/// A folder, and never what a link leads to.
fn open(beside: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(beside, path, flags, Mode::empty())
}

/// What tells a folder from all others.
fn id(folder: &OwnedFd) -> Result<(u64, u64), Errno> {
    let status = rustix::fs::fstat(folder)?;
    Ok((status.st_dev, status.st_ino))
}
