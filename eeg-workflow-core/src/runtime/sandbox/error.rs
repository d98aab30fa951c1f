//! Why code cannot be confined, or a confined process not be started.

use std::io;
use std::path::PathBuf;

/// Why a sandbox does not work here, or a process was not started in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// None of the kinds of sandbox works on this host.
    #[error("no sandbox works on this host: {bubblewrap}; {landlock}")]
    Unavailable {
        /// What is wrong with bubblewrap.
        bubblewrap: Box<SandboxError>,
        /// What is wrong with Landlock.
        landlock: Box<SandboxError>,
    },
    /// There is no `bwrap`.
    #[error("bubblewrap is not installed (no {})", .looked_for.join(", no "))]
    NotInstalled {
        /// Where it was looked for.
        looked_for: &'static [&'static str],
    },
    /// There is a `bwrap`, but it cannot make a sandbox.
    #[error("bubblewrap does not work: {message}")]
    Bubblewrap {
        /// What it says, or what is wrong with it.
        message: String,
    },
    /// The kernel's Landlock is missing, switched off or too old.
    #[error("landlock does not work: {message}")]
    Landlock {
        /// What is wrong with it.
        message: String,
    },
    /// The filter of system calls could not be made or set.
    #[error("the filter of system calls does not work: {message}")]
    Filter {
        /// What is wrong with it.
        message: String,
    },
    /// A path that cannot be shown to a confined process.
    #[error("{path:?} cannot be shown in the sandbox: {problem}")]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A folder or file could not be made ready.
    #[error("{path:?} cannot be made ready for the sandbox")]
    Prepare {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A number of a running process for which there is no user id.
    #[error("slot {slot} is too large (at most {limit})")]
    Slot {
        /// The slot.
        slot: u32,
        /// The greatest.
        limit: u32,
    },
    /// A program could not be started.
    #[error("{program:?} cannot be started")]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What was started cannot be watched.
    #[error("the started process cannot be watched")]
    Watch(#[source] io::Error),
    /// A program is not a Python interpreter that can be used.
    #[error("{program:?} is not a usable Python interpreter: {problem}")]
    Interpreter {
        /// The program.
        program: PathBuf,
        /// What it said instead of an answer.
        problem: String,
    },
}
