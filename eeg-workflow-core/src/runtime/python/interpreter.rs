//! The Python interpreter: what it says of itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::PythonError;

/// Asks for the version, the program itself, and every folder that it needs.
const QUESTION: &str = "
import json, os, sys, sysconfig
paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
paths |= set(sysconfig.get_paths().values()) | {p for p in sys.path if p}
program = sys.executable
links = 0
while links < 40:
    paths.add(os.path.dirname(program))
    if not os.path.islink(program): break
    program = os.path.join(os.path.dirname(program), os.readlink(program))
    links += 1
paths.add(os.path.dirname(os.path.realpath(sys.executable)))
print(json.dumps({'version': list(sys.version_info[:3]), 'program': sys.executable,
    'paths': sorted(os.path.abspath(p) for p in paths if os.path.isdir(p))}))
";

/// An interpreter that can run blocks.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    /// The program itself, no script that looks for one.
    pub(super) program: PathBuf,
    pub(super) version: [u32; 3],
    /// The folders that it reads.
    pub(super) paths: Vec<PathBuf>,
}

#[derive(serde::Deserialize)]
struct Answer {
    version: [u32; 3],
    program: PathBuf,
    paths: Vec<PathBuf>,
}

impl Interpreter {
    /// Asks the program at this path, or of this name.
    pub(super) fn ask(path: &Path) -> Result<Self, PythonError> {
        let bad = |problem: String| PythonError::Interpreter { path: path.to_owned(), problem };
        let output = run(Command::new(path).args(["-I", "-c", QUESTION]), Duration::from_secs(20))
            .map_err(|error| bad(error.to_string()))?;
        let Output { status, printed, errors } = output;
        if !status.success() {
            let said = errors.trim().lines().last().unwrap_or_default().to_owned();
            return Err(bad(format!("it ended with {status}: {said}")));
        }
        let answer: Answer =
            serde_json::from_str(printed.trim()).map_err(|error| bad(error.to_string()))?;
        if answer.version < [3, 9, 0] {
            let [major, minor, _] = answer.version;
            return Err(bad(format!("it is version {major}.{minor}, and 3.9 is needed")));
        }
        // What lies below another one is seen with it.
        let mut paths = answer.paths;
        paths.sort();
        let mut least: Vec<PathBuf> = Vec::new();
        for path in paths {
            if path != Path::new("/") && !least.iter().any(|above| path.starts_with(above)) {
                least.push(path);
            }
        }
        Ok(Self { program: answer.program, version: answer.version, paths: least })
    }
}

/// How a command ended, and what it said.
pub(super) struct Output {
    pub(super) status: std::process::ExitStatus,
    pub(super) printed: String,
    pub(super) errors: String,
}

/// Runs a command that ends within a time.
pub(super) fn run(command: &mut Command, most: Duration) -> std::io::Result<Output> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let read = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                // What was read before an error is all there is to tell.
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let errors = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let end = Instant::now() + most;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::other(format!("no answer within {} s", most.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok(Output {
        status,
        printed: out.join().unwrap_or_default(),
        errors: errors.join().unwrap_or_default(),
    })
}
