//! How much a confined process may use.

use std::fs;

use serde_json::{Value, json};

/// How much a confined process may use. The kernel holds it to that (`setrlimit`); a limit that
/// is lower already stays.
///
/// ```
/// use eeg_workflow_core::runtime::sandbox::Limits;
///
/// let mut limits = Limits::default();
/// limits.address_space = 2 << 30;
/// limits.processes = 64;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of address space of each process. Default: 8 GiB, or half of the host's memory if
    /// that is less.
    pub address_space: u64,
    /// Processes and threads, all together. Default: 256.
    pub processes: u64,
    /// Open files of each process. Default: 1,024.
    pub open_files: u64,
    /// Bytes of each file that is written. Default: 4 GiB.
    pub file_size: u64,
    /// Seconds of CPU time of each process, from its start to its end (a process that is used
    /// again and again adds them up). Default: a day.
    pub cpu_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let most = 8 << 30;
        Self {
            address_space: memory_of_host().map_or(most, |memory| most.min(memory / 2)),
            processes: 256,
            open_files: 1_024,
            file_size: 4 << 30,
            cpu_seconds: 86_400,
        }
    }
}

impl Limits {
    /// As the confined program sets them; `others` processes of the user do not count.
    pub(super) fn to_json(self, others: u64) -> Value {
        json!({
            "RLIMIT_AS": self.address_space,
            "RLIMIT_NPROC": self.processes.saturating_add(others),
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_FSIZE": self.file_size,
            "RLIMIT_CPU": self.cpu_seconds,
            "RLIMIT_CORE": 0,
        })
    }
}

/// The host's memory in bytes.
fn memory_of_host() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
