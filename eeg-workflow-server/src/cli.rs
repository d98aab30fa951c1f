//! The command line.

pub(crate) mod access;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// How the program ended; documented in the help and stable.
pub(crate) mod exit {
    /// The run, or the server, failed.
    pub(crate) const FAILED: u8 = 1;
    /// The command line, or a file that it names, is wrong.
    pub(crate) const USAGE: u8 = 2;
    /// The workflow is invalid.
    pub(crate) const INVALID: u8 = 3;
    /// Interrupted by a signal.
    pub(crate) const INTERRUPTED: u8 = 130;
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the run failed, 2 wrong usage, \
    3 the workflow is invalid, 130 interrupted.";

/// The heading of options for modules in Python.
const PYTHON: &str =
    if cfg!(target_os = "linux") { "Python" } else { "Python (on Linux only: no effect here)" };

#[derive(Parser)]
#[command(version, about = "Runs EEG processing workflows", after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeOptions,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve workflows over HTTP (what is done without a command)
    Serve(ServeOptions),
    /// Run one workflow and show its results
    #[command(after_help = EXIT_CODES)]
    Run(RunOptions),
    /// Check a workflow without running it
    #[command(after_help = EXIT_CODES)]
    Validate(ValidateOptions),
    /// List the block types
    Blocks(BlocksOptions),
    /// Manage what uploaded modules need
    #[command(subcommand, after_help = EXIT_CODES)]
    Modules(ModulesCommand),
    /// Manage the accounts of a server, whether or not it runs
    #[command(after_help = EXIT_CODES)]
    Users(access::UsersOptions),
}

#[derive(Subcommand)]
pub(crate) enum ModulesCommand {
    /// Install the Python packages that an archive lists in its requirements.txt
    #[command(after_help = EXIT_CODES, long_about = INSTALL)]
    Install(InstallOptions),
}

const INSTALL: &str = "\
Install the Python packages that the modules of an archive list in requirements.txt

Makes a virtual environment in the server's data directory, by `python -m venv` and pip, that all
archives with the same lists share. It is used from then on by a server that has the same --python:
also by one that runs, for archives that are uploaded afterwards. The archive itself is not
installed: upload it. Packages are installed with the rights of whoever calls this.";

#[derive(Args)]
pub(crate) struct ServeOptions {
    /// Address to listen on; port 0 asks for a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,
    /// Where everything is kept [default: $XDG_DATA_HOME/eeg-workflow, ~/.local/share/eeg-workflow]
    #[arg(long, env = "EEG_WORKFLOW_DATA", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Jobs that run at once; others wait
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_runs: u32,
    /// Finished jobs of each user that are kept; older ones are deleted with their files
    /// [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_jobs: Option<u32>,
    /// Delete files in the data folder that are of jobs which its job store does not know,
    /// instead of refusing to start: for a store that was lost or put back from a copy
    #[arg(long)]
    pub(crate) discard_foreign_artifacts: bool,
    /// Memory that the outputs of all blocks may hold, such as 8G [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_limit: Option<Bytes>,
    /// Seconds that a job may run [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) run_deadline: Option<u64>,
    /// Seconds that a block may run [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) block_deadline: Option<u64>,

    #[command(flatten)]
    pub(crate) accounts: access::AccountOptions,
    #[command(flatten)]
    pub(crate) site: access::SiteOptions,

    /// Largest workflow
    #[arg(long, default_value = "64M", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) max_workflow: Bytes,
    /// Largest module archive
    #[arg(long, default_value = "32M", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) max_archive: Bytes,
    /// Largest file of a user
    #[arg(long, default_value = "16G", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) max_file: Bytes,
    /// What all files of one user may take
    #[arg(long, default_value = "64G", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) files_quota: Bytes,
    /// Files that one user may keep
    #[arg(long, default_value_t = 100_000, value_name = "N", help_heading = "Limits", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_files: u32,
    /// Who may write files that all users can read, Shared/… in workflows
    #[arg(long, default_value = "admins", value_name = "WHO")]
    pub(crate) shared_files: SharedFiles,
    #[command(flatten)]
    pub(crate) connections: access::ConnectionOptions,
    #[command(flatten)]
    pub(crate) metrics: access::MetricsOptions,

    #[command(flatten)]
    pub(crate) python: PythonOptions,
    /// Who may upload Python modules; the first account is the administrator's
    #[arg(long, default_value = "admins", value_name = "WHO", help_heading = PYTHON)]
    pub(crate) python_uploads: PythonUploads,
    /// Seconds that the modules of an archive may take to be imported
    #[arg(long, default_value_t = 120, value_name = "SECONDS", help_heading = PYTHON, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) python_import_timeout: u64,
    /// Seconds after which a worker that nobody needs is ended
    #[arg(long, default_value_t = 300, value_name = "SECONDS", help_heading = PYTHON)]
    pub(crate) python_idle: u64,

    /// Format of the log on standard error
    #[arg(long, default_value = "text", value_name = "FORMAT", help_heading = "Log")]
    pub(crate) log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter by target
    #[arg(
        long,
        env = "EEG_WORKFLOW_LOG",
        default_value = "info",
        value_name = "FILTER",
        help_heading = "Log"
    )]
    pub(crate) log: String,
}

#[derive(Args)]
pub(crate) struct RunOptions {
    /// The workflow
    #[arg(value_name = "WORKFLOW.json")]
    pub(crate) workflow: PathBuf,
    /// Replace a parameter; may be repeated
    #[arg(long, value_name = "BLOCK.PARAMETER=VALUE")]
    pub(crate) set: Vec<Assignment>,
    /// What the first part of a FILE parameter (Home/…) stands for
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) modules: ModuleOptions,
    /// Write an output: arrays and recordings as .npy, other values as JSON; may be repeated
    #[arg(long, value_name = "BLOCK.PORT=FILE")]
    pub(crate) save: Vec<Assignment>,
    /// Where artifacts go [default: a new folder named after the workflow]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Print the job's details as JSON, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads that compute [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

#[derive(Args)]
pub(crate) struct ValidateOptions {
    /// The workflow
    #[arg(value_name = "WORKFLOW.json")]
    pub(crate) workflow: PathBuf,
    #[command(flatten)]
    pub(crate) modules: ModuleOptions,
    /// Print the diagnostics as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct BlocksOptions {
    #[command(flatten)]
    pub(crate) modules: ModuleOptions,
    /// Print the block types as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ModuleOptions {
    /// An archive of modules to use beside the built-in ones; may be repeated
    #[arg(long = "module", value_name = "ARCHIVE.zip")]
    pub(crate) archives: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) python: PythonOptions,
}

#[derive(Args)]
pub(crate) struct InstallOptions {
    /// The archive
    #[arg(value_name = "ARCHIVE.zip")]
    pub(crate) archive: PathBuf,
    /// The server's data directory [default: as the server's]
    #[arg(long, env = "EEG_WORKFLOW_DATA", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server's interpreter: a path, or a program's name
    #[arg(long = "python", default_value = "python3", value_name = "EXE")]
    pub(crate) interpreter: PathBuf,
}

/// How Python modules are run.
#[derive(Args, Clone)]
pub(crate) struct PythonOptions {
    /// The interpreter, 3.9 or newer: a path, or a program's name
    #[arg(long = "python", default_value = "python3", value_name = "EXE", help_heading = PYTHON)]
    pub(crate) interpreter: PathBuf,
    /// Which sandbox their code is confined in [default: bubblewrap, or else landlock]
    #[arg(long = "python-sandbox", value_name = "KIND", help_heading = PYTHON)]
    pub(crate) sandbox: Option<SandboxChoice>,
    /// Run their code even where no sandbox works: it can then do all that this program can
    #[arg(long = "allow-unsandboxed-python", help_heading = PYTHON)]
    pub(crate) allow_unsandboxed: bool,
    /// Interpreters at once [default: two a core, at least 8]
    #[arg(long = "python-workers", value_name = "N", help_heading = PYTHON, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Address space of each process [default: 8G, or half of the memory if that is less]
    #[arg(long = "python-memory", value_name = "BYTES", help_heading = PYTHON)]
    pub(crate) memory: Option<Bytes>,
    /// Processes and threads of each interpreter, all together [default: 256]
    #[arg(long = "python-processes", value_name = "N", help_heading = PYTHON, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) processes: Option<u32>,
}

/// Who may upload modules that are code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PythonUploads {
    /// Administrators
    Admins,
    /// Everybody with an account
    Users,
    /// Nobody
    None,
}

/// Who may change the files of all users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SharedFiles {
    /// Administrators
    Admins,
    /// Everybody with an account
    Users,
    /// Nobody over HTTP: whoever runs the server puts them into the folder `files/shared`
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxChoice {
    /// Namespaces, by bwrap
    Bubblewrap,
    /// The kernel's Landlock and a filter of system calls
    Landlock,
    /// None, which --allow-unsandboxed-python must allow
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Reads the command line; ends the program when it is wrong.
pub(crate) fn parse() -> Command {
    let cli = Cli::from_arg_matches(&Cli::command().get_matches());
    let cli = cli.unwrap_or_else(|error| error.exit());
    cli.command.unwrap_or(Command::Serve(cli.serve))
}

/// As many seconds, but no longer than the clocks of tokio and hyper can express: to them more
/// than thirty years are for ever.
pub(crate) fn seconds(count: u64) -> Duration {
    const FOR_EVER: u64 = 30 * 365 * 24 * 3600;
    Duration::from_secs(count.min(FOR_EVER))
}

/// `BLOCK.NAME=VALUE` as the command line has it. Where the block's id ends, which may contain
/// dots and equals signs, only a workflow tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment(String);

/// An assignment of which the parts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AssignmentParts<'a> {
    pub(crate) block: &'a str,
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

impl Assignment {
    /// Its parts, where the block is the longest of the ids that are known. With none of them,
    /// the block's id ends at the first dot.
    pub(crate) fn parts(&self, is_block: impl Fn(&str) -> bool) -> AssignmentParts<'_> {
        let mut shortest = AssignmentParts { block: "", name: "", value: "" };
        for parts in self.0.rmatch_indices('.').filter_map(|(dot, _)| self.split_at(dot)) {
            if is_block(parts.block) {
                return parts;
            }
            shortest = parts;
        }
        shortest
    }

    /// Its parts if the block's id ends at this dot.
    fn split_at(&self, dot: usize) -> Option<AssignmentParts<'_>> {
        let (block, rest) = (self.0.get(..dot)?, self.0.get(dot + 1..)?);
        let (name, value) = rest.split_once('=')?;
        let is_whole = !block.is_empty() && !name.is_empty();
        is_whole.then_some(AssignmentParts { block, name, value })
    }
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (target, _) = text.split_once('=').ok_or("there is no \"=\"")?;
        let assignment = Self(text.to_owned());
        if text.match_indices('.').any(|(dot, _)| assignment.split_at(dot).is_some()) {
            return Ok(assignment);
        }
        Err(match target.contains('.') {
            true => "the block or the name is empty",
            false => "there is no \".\" before the \"=\"",
        })
    }
}

/// A number of bytes: `1048576`, `1024K`, `1M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl FromStr for Bytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text.get(digits.len()..).unwrap_or_default() {
            "" => 1,
            "K" | "k" => 1 << 10,
            "M" | "m" => 1 << 20,
            "G" | "g" => 1 << 30,
            "T" | "t" => 1_u64 << 40,
            _ => return Err("the unit is none of K, M, G, T"),
        };
        let count: u64 = digits.parse().map_err(|_| "not a number of bytes, such as 64M")?;
        count.checked_mul(unit).map(Self).ok_or("too many bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn parts(text: &str, blocks: &[&str]) -> Option<[String; 3]> {
        let assignment: Assignment = text.parse().ok()?;
        let AssignmentParts { block, name, value } = assignment.parts(|id| blocks.contains(&id));
        Some([block, name, value].map(str::to_owned))
    }

    #[test]
    fn assignments_name_a_block_and_a_parameter_with_any_characters() {
        let expected = |parts: [&str; 3]| Some(parts.map(str::to_owned));
        assert_eq!(parts("1.EEG File=a=b.eeg", &["1"]), expected(["1", "EEG File", "a=b.eeg"]));
        assert_eq!(parts("b.x.y=", &["b"]), expected(["b", "x.y", ""]));
        assert_eq!(parts("b.x.y=1", &["b", "b.x"]), expected(["b.x", "y", "1"]));
        assert_eq!(parts("a=b.x=1", &["a=b"]), expected(["a=b", "x", "1"]));
        assert_eq!(parts("9.x.y=1.5", &["b"]), expected(["9", "x.y", "1.5"]));
        for wrong in ["1.x", "x=1", ".x=1", "1.=2"] {
            assert_eq!(parts(wrong, &["1"]), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!("2K".parse(), Ok(Bytes(2048)));
        assert_eq!("7".parse(), Ok(Bytes(7)));
        for wrong in ["", "K", "1X", "99999999999T"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
    }
}
