//! Confinement by Landlock: rules of the kernel for the host's own file system.
//!
//! Both Landlock and a filter of system calls hold for the thread that asks for them and for
//! what it starts. So a thread is made for every process: it confines itself, starts the
//! process, and ends; this program's other threads stay free.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};
use seccompiler::{BpfProgram, apply_filter};

use super::error::SandboxError;
use super::identity::Identity;
use super::seccomp::{Walls, filters};
use super::{Launch, real_path};

/// What must be there: files, truncation, TCP.
const OLDEST: ABI = ABI::V4;
/// What is taken where it is there.
const NEWEST: ABI = ABI::V9;

/// What all programs may read.
const READABLE: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// Files of `/proc` that tell of the machine and not of its processes.
const PROC: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/overcommit_memory",
    "/proc/uptime",
    "/proc/version",
];
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// A kernel whose Landlock is new enough.
#[derive(Debug)]
pub(super) struct Landlock {
    filters: Vec<BpfProgram>,
}

impl Landlock {
    /// Tries it out.
    pub(super) fn detect(identity: Identity) -> Result<Self, SandboxError> {
        let walls = Walls::Host {
            same_user: identity == Identity::Own,
            signals_are_kept: signals_are_kept(),
        };
        let this = Self { filters: filters(walls)? };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", ":"]).env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = this
            .start(command, rules(&[], &[])?)
            .and_then(|mut child| child.wait().map_err(SandboxError::Watch))?;
        if status.success() {
            return Ok(this);
        }
        Err(SandboxError::Landlock { message: format!("a confined shell ended with {status}") })
    }

    /// Starts a program confined by these rules.
    pub(super) fn start(
        &self,
        mut command: Command,
        rules: RulesetCreated,
    ) -> Result<Child, SandboxError> {
        let program = PathBuf::from(command.get_program());
        let failed = |source: io::Error| SandboxError::Start { program, source };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("sandbox".to_owned());
            let started = thread.spawn_scoped(scope, || {
                rules.restrict_self().map_err(refused)?;
                for filter in &self.filters {
                    apply_filter(filter)
                        .map_err(|error| SandboxError::Filter { message: error.to_string() })?;
                }
                Ok(command.spawn())
            });
            match started.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(Ok(spawned))) => spawned.map_err(failed),
                Ok(Ok(Err(refused))) => Err(refused),
                Ok(Err(_)) => Err(failed(io::Error::other("the thread for it panicked"))),
                Err(error) => Err(failed(error)),
            }
        })
    }
}

/// Whether the kernel keeps signals inside (Linux 6.12).
fn signals_are_kept() -> bool {
    let required = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    required.scope(Scope::Signal).is_ok()
}

/// The rules for a program.
pub(super) fn rules_for(launch: &Launch<'_>) -> Result<RulesetCreated, SandboxError> {
    for path in launch.readable {
        real_path(path)?;
    }
    let readable: Vec<PathBuf> =
        launch.readable.iter().cloned().chain([launch.files.to_owned()]).collect();
    rules(&readable, &[launch.scratch.to_owned()])
}

/// The rules for a process which may read and write these paths, beside the system's.
fn rules(readable: &[PathBuf], writable: &[PathBuf]) -> Result<RulesetCreated, SandboxError> {
    let read = AccessFs::from_read(NEWEST);
    let devices = AccessFs::from_file(NEWEST) & !AccessFs::Execute;
    let write = AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let system = READABLE.iter().chain(super::ETC).chain([&super::CORES]);
    let add = |rules: RulesetCreated, access: BitFlags<AccessFs>, paths: Vec<PathBuf>| {
        rules.add_rules(path_beneath_rules(paths, access))
    };
    // Everything that is handled is refused but for these rules.
    let handled = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(OLDEST))?
            .handle_access(AccessNet::from_all(OLDEST))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()
    };
    handled()
        .and_then(|rules| add(rules, read, system.map(PathBuf::from).collect()))
        .and_then(|rules| add(rules, AccessFs::ReadFile.into(), paths(PROC)))
        .and_then(|rules| add(rules, devices, paths(DEVICES)))
        .and_then(|rules| add(rules, read, readable.to_vec()))
        .and_then(|rules| add(rules, write, writable.to_vec()))
        .map_err(refused)
}

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

fn refused(error: RulesetError) -> SandboxError {
    SandboxError::Landlock { message: error.to_string() }
}
