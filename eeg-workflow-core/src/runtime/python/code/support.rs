//! The Python files of this program, on disk for the interpreter.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::runtime::python::PythonError;
use crate::runtime::python::files::make_folder;
use crate::runtime::sandbox::CONFINE_PY;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("support/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "start.py",
    "_eeg_workflow/__init__.py",
    "_eeg_workflow/channel.py",
    "_eeg_workflow/codec.py",
    "_eeg_workflow/display.py",
    "_eeg_workflow/exchange.py",
    "_eeg_workflow/features.py",
    "_eeg_workflow/libraries.py",
    "_eeg_workflow/listing.py",
    "_eeg_workflow/networks.py",
    "_eeg_workflow/plain_networks.py",
    "_eeg_workflow/process_state.py",
    "_eeg_workflow/runner.py",
    "_eeg_workflow/scalars.py",
    "blocks/__init__.py",
    "blocks/Arithmetic/AddSub/Addition.py",
    "blocks/Arithmetic/AddSub/Subtraction.py",
    "blocks/Arithmetic/AddSub/__init__.py",
    "blocks/Arithmetic/Constant/Constant.py",
    "blocks/Arithmetic/Constant/__init__.py",
    "blocks/Arithmetic/Graph/Plot.py",
    "blocks/Arithmetic/Graph/__init__.py",
    "blocks/Arithmetic/MultiDiv/Division.py",
    "blocks/Arithmetic/MultiDiv/Multiplication.py",
    "blocks/Arithmetic/MultiDiv/__init__.py",
    "blocks/Arithmetic/Operation.py",
    "blocks/Arithmetic/__init__.py",
    "blocks/Block.py",
    "blocks/BlockInput.py",
    "blocks/BlockOutput.py",
    "blocks/BlockParameter.py",
    "blocks/ParameterType.py",
];

/// Writes the files into a folder that is named after them, unless they are there.
pub(crate) fn write(folder: &Path) -> Result<PathBuf, PythonError> {
    let files = || FILES.iter().chain([&("_eeg_workflow/confine.py", CONFINE_PY)]);
    let mut hash = Sha256::new();
    for (path, text) in files() {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    let digest: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let target = folder.join(format!("support-{digest}"));
    if target.is_dir() {
        return Ok(target);
    }
    let part = folder.join(format!("support-{digest}.{}.part", std::process::id()));
    for (path, text) in files() {
        let path = part.join(path);
        let parent = path.parent().unwrap_or(&part);
        make_folder(parent).map_err(PythonError::storage(parent))?;
        fs::write(&path, text).map_err(PythonError::storage(&path))?;
        make_readable(&path).map_err(PythonError::storage(&path))?;
    }
    make_readable(&part).map_err(PythonError::storage(&part))?;
    put_in_place(&part, target)
}

/// Gives a folder that is complete the name by which it is found.
pub(crate) fn put_in_place(part: &Path, target: PathBuf) -> Result<PathBuf, PythonError> {
    match fs::rename(part, &target) {
        // Another process was faster with the same files.
        Err(_) if target.is_dir() => {
            let _ = fs::remove_dir_all(part);
        }
        renamed => renamed.map_err(PythonError::storage(&target))?,
    }
    Ok(target)
}

/// Lets every user read a file or look into a folder: a worker can be another user.
pub(crate) fn make_readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o755 } else { 0o444 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
