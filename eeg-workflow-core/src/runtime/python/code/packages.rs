//! Packages that modules need: virtual environments, each named after the lists it was made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::command;
use crate::module::{Archive, ModuleKind};
use crate::runtime::python::PythonError;
use crate::runtime::python::files::make_folder;
use crate::runtime::sandbox::{Interpreter, interpreter_paths};

const LIST: &str = "requirements.txt";
/// Compilers may be at work.
const LONGEST: Duration = Duration::from_secs(3600);
/// What is written into an environment when it is complete.
const COMPLETE: &str = "complete";

/// What the Python modules of an archive need: their lists, one after the other.
pub(crate) fn requirements(archive: &Archive) -> Option<Vec<u8>> {
    let python = archive.written_in(ModuleKind::Python);
    let lists: Vec<&[u8]> =
        python.filter_map(|module| module.files.get(LIST).map(Vec::as_slice)).collect();
    (!lists.is_empty()).then(|| lists.join(&b'\n'))
}

fn place(folder: &Path, interpreter: &Interpreter, list: &[u8]) -> PathBuf {
    let mut hash = Sha256::new();
    hash.update(interpreter.program.as_os_str().as_encoded_bytes());
    hash.update(format!("{:?}", interpreter.version));
    hash.update(list);
    let name: String = hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect();
    folder.join("environments").join(name)
}

/// The interpreter with the packages that the archive needs, if they were installed; otherwise
/// the usual one, which may have them too.
pub(crate) fn interpreter(
    folder: &Path,
    usual: &Arc<Interpreter>,
    list: &[u8],
) -> Result<Arc<Interpreter>, PythonError> {
    let place = place(folder, usual, list);
    if !place.join(COMPLETE).is_file() {
        return Ok(Arc::clone(usual));
    }
    Ok(Arc::new(interpreter_paths(&place.join("bin/python"))?))
}

/// Whether the archive lists packages that were not installed for it.
pub(crate) fn are_missing(folder: &Path, usual: &Interpreter, archive: &Archive) -> bool {
    requirements(archive).is_some_and(|list| !place(folder, usual, &list).join(COMPLETE).is_file())
}

/// Makes the virtual environment of an archive, unless it is there.
pub(crate) fn install(
    folder: &Path,
    usual: &Interpreter,
    archive: &Archive,
) -> Result<Option<PathBuf>, PythonError> {
    let Some(list) = requirements(archive) else { return Ok(None) };
    let place = place(folder, usual, &list);
    if place.join(COMPLETE).is_file() {
        return Ok(Some(place));
    }
    // An environment knows its own place: it is made there, and is complete when it says so.
    let _ = fs::remove_dir_all(&place);
    make_folder(&place).map_err(PythonError::storage(&place))?;
    let file = place.join(LIST);
    fs::write(&file, &list).map_err(PythonError::storage(&file))?;
    let run = |command: &mut Command| {
        let output = command::run(command, LONGEST).map_err(PythonError::storage(&place))?;
        if output.status.success() {
            return Ok(());
        }
        let printed = format!("{}\n{}", output.printed.trim(), output.errors.trim());
        Err(PythonError::Packages {
            archive: archive.name.clone(),
            printed: printed.trim().to_owned(),
        })
    };
    let made = run(readable(&usual.program).args(["-I", "-m", "venv"]).arg(&place))
        .and_then(|()| {
            let mut pip = readable(&place.join("bin/python"));
            pip.args(["-I", "-m", "pip", "install", "--disable-pip-version-check"]);
            pip.args(["--no-input", "--quiet", "-r"]).arg(&file);
            run(&mut pip)
        })
        .and_then(|()| {
            let complete = place.join(COMPLETE);
            fs::write(&complete, "").map_err(PythonError::storage(complete))
        });
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&place);
        return Err(error);
    }
    Ok(Some(place))
}

/// A program whose files every user may read, whatever this process's umask is: a worker can be
/// another user.
fn readable(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"umask 022 && exec "$0" "$@""#]).arg(program);
    command
}
