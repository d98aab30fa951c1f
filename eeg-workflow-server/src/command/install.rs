//! The command `modules install`: the packages that Python modules need.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use eeg_workflow_core::module::{Archive, ArchiveLimits};

use crate::cli::InstallOptions;
use crate::command::failure::Failure;
use crate::data_dir;
use crate::python::{Packages, PackagesError};
use crate::text::printable;
use crate::text::with_causes;

/// Installs the packages of an archive into the data directory.
pub(crate) fn main(options: &InstallOptions) -> ExitCode {
    try_install(options).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
}

fn try_install(options: &InstallOptions) -> Result<(), Failure> {
    let archive = read(&options.archive)?;
    let root = options.data_dir.clone().map_or_else(data_dir::default_root, Ok);
    let root = root.map_err(|error| Failure::usage(error.to_string()))?;
    data_dir::make_private(&root)
        .map_err(|error| Failure::usage(format!("{}: {error}", root.display())))?;
    let folder = data_dir::python(&root);
    // Not the server's lock: it may be running.
    let _lock = lock(&folder)?;
    let packages = Packages::new(&options.interpreter, folder)?;
    let program = packages.program().display();
    say(&format!("installing the packages of {} for {program} …", archive.name))?;
    let place = packages.install(&archive)?;
    match place {
        Some(place) => say(&format!("they are in {}", place.display())),
        None => say("its modules list none (there is no requirements.txt)"),
    }
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", printable(line))?;
    Ok(out.flush()?)
}

fn read(path: &Path) -> Result<Archive, Failure> {
    let wrong = |problem| Failure::usage(format!("{}: {problem}", path.display()));
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // How large it may be is the server's to say.
    let limits = ArchiveLimits { archive_bytes: bytes.len(), ..ArchiveLimits::default() };
    let archive = Archive::read(&name, &bytes, &limits);
    archive.map_err(|error| wrong(with_causes(&error)))
}

/// One installation at a time; another one is waited for.
fn lock(folder: &Path) -> Result<File, Failure> {
    fs::create_dir_all(folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("packages.lock"))?;
    match lock.try_lock() {
        Ok(()) => return Ok(lock),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    say("waiting for another installation …")?;
    lock.lock()?;
    Ok(lock)
}

impl From<PackagesError> for Failure {
    fn from(error: PackagesError) -> Self {
        match error {
            PackagesError::Interpreter(_) => Self::usage(error.to_string()),
            PackagesError::Failed(_) => Self::failed(error.to_string()),
        }
    }
}
