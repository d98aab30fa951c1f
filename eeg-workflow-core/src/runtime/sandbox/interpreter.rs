//! What a Python interpreter needs to see of the host.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::SandboxError;

/// Asks an interpreter for itself: its program, version, and all folders that it reads.
const QUESTION: &str = r#"
import json, os, site, sys, sysconfig
paths = [sys.executable, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
paths += list(sysconfig.get_paths().values()) + site.getsitepackages() + sys.path
program = sys.executable
while os.path.islink(program):
    program = os.path.join(os.path.dirname(program), os.readlink(program))
    paths.append(os.path.abspath(program))
shared = sysconfig.get_config_var("LDLIBRARY"), sysconfig.get_config_var("LIBDIR")
if all(shared):
    paths.append(os.path.join(shared[1], shared[0]))
paths = [os.path.abspath(path) for path in paths if path and os.path.exists(path)]
print(json.dumps([sys.executable, list(sys.version_info[:3]), sorted(set(paths))]))
"#;

/// A Python interpreter as a confined process can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interpreter {
    /// Absolute path of the program itself (what was named may be a script that finds it).
    pub program: PathBuf,
    /// Major, minor and micro version.
    pub version: [u32; 3],
    /// Files and folders that it reads: its own, and those of the packages installed for it.
    pub readable: Vec<PathBuf>,
}

/// Asks a Python interpreter what it needs to see. It is run for that, unconfined, and reads no
/// code but its own start-up files. A bare name is looked for as a shell would.
///
/// # Errors
/// The program cannot be started, or is not Python 3.9 or newer.
///
/// ```no_run
/// use std::path::Path;
/// use eeg_workflow_core::runtime::sandbox::interpreter_paths;
///
/// let python = interpreter_paths(Path::new("/usr/bin/python3"))?;
/// println!("{:?} reads {:?}", python.program, python.readable);
/// # Ok::<(), eeg_workflow_core::runtime::sandbox::SandboxError>(())
/// ```
pub fn interpreter_paths(program: &Path) -> Result<Interpreter, SandboxError> {
    let refused =
        |problem: String| SandboxError::Interpreter { program: program.to_owned(), problem };
    let output = Command::new(program)
        .args(["-I", "-B", "-c", QUESTION])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| SandboxError::Start { program: program.to_owned(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        return Err(refused(format!("it ended with {}: {last}", output.status)));
    }
    let (program, version, mut readable): (PathBuf, [u32; 3], Vec<PathBuf>) =
        serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string()))?;
    if version < [3, 9, 0] {
        let [major, minor, micro] = version;
        return Err(refused(format!("version {major}.{minor}.{micro} is older than 3.9")));
    }
    readable.retain(|path| path.parent().is_some());
    let folders = readable.clone();
    readable.retain(|path| !folders.iter().any(|f| f != path && path.starts_with(f)));
    Ok(Interpreter { program, version, readable })
}
