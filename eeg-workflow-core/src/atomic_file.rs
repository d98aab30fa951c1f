//! Files that are there whole, or not at all, whenever the machine stops.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file of this name into an existing folder, in place of one that is there. What an
/// interrupted write leaves is named `.<name>.part`.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let part = folder.join(format!(".{name}.part"));
    let written = write_all(&part, bytes)
        .and_then(|()| fs::rename(&part, folder.join(name)))
        .and_then(|()| sync_folder(folder));
    if written.is_err() {
        // What is left of it is of no use; the first error says why.
        let _ = fs::remove_file(&part);
    }
    written
}

fn write_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable; elsewhere than on Unix it cannot be opened as a file.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
