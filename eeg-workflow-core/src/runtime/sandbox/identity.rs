//! As whom confined processes run.
//!
//! A server that runs as root gives every confined process a user id of its own, so that it owns
//! nothing on the host, has a process count of its own, and cannot signal its neighbours.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::SandboxError;

/// First of the user ids, where the host has them: far beyond those that are given to people,
/// services, and containers' ranges.
const HIGH_BASE: u32 = 2_000_000_000;
/// First of the user ids inside a container, which has 65,536 as a rule.
const LOW_BASE: u32 = 60_000;
/// So many processes of one sandbox run at once, at most.
const SLOTS: u32 = 512;
/// Sandboxes of one process take ranges of ids one after the other.
const SANDBOXES: u32 = 8;
/// So do processes of the host, by their numbers: two servers should not meet. (The last id is
/// below 2^31.)
const PROCESSES: u32 = 35_000;

const CAP_CHOWN: u64 = 1 << 0;
const CAP_SETGID: u64 = 1 << 6;
const CAP_SETUID: u64 = 1 << 7;
/// The capability to read files and go through folders of others (`CAP_DAC_READ_SEARCH`).
pub(super) const READ_ALL: u64 = 1 << 2;

/// As whom confined processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// As the user that this process runs as.
    Own,
    /// As the user and group with the number `base + slot`.
    Slot { base: u32 },
}

impl Identity {
    /// The best that this process may give.
    pub(super) fn detect() -> Identity {
        let may_change = rustix::process::geteuid().is_root()
            && effective_capabilities().is_some_and(|set| {
                [CAP_CHOWN, CAP_SETGID, CAP_SETUID].iter().all(|bit| set & bit != 0)
            });
        if !may_change {
            return Identity::Own;
        }
        static SEEN: AtomicU32 = AtomicU32::new(0);
        let range = SEEN.fetch_add(1, Ordering::Relaxed) % SANDBOXES;
        let high = HIGH_BASE + std::process::id() % PROCESSES * SANDBOXES * SLOTS;
        [high, LOW_BASE]
            .map(|base| base + range * SLOTS)
            .into_iter()
            .find(|&base| {
                is_mapped("/proc/self/uid_map", base) && is_mapped("/proc/self/gid_map", base)
            })
            .map_or(Identity::Own, |base| Identity::Slot { base })
    }

    /// The best for a process that sees the host's own file system: it must find its way through
    /// folders that are closed to others, as its limits there are not a matter of users.
    pub(super) fn detect_on_host() -> Identity {
        let finds_the_way = effective_capabilities().is_some_and(|set| set & READ_ALL != 0);
        if finds_the_way { Identity::detect() } else { Identity::Own }
    }

    /// The user and group of a slot, if it is not our own.
    pub(super) fn id(self, slot: u32) -> Option<u32> {
        match self {
            Identity::Own => None,
            Identity::Slot { base } => Some(base + slot.min(SLOTS - 1)),
        }
    }

    /// Hands the scratch folder over to whom the process will run as.
    pub(super) fn own(self, scratch: &Path, slot: u32) -> Result<(), SandboxError> {
        match self.id(slot) {
            None => Ok(()),
            Some(_) if slot >= SLOTS => Err(SandboxError::Slot { slot, limit: SLOTS - 1 }),
            Some(id) => chown(scratch, Some(id), Some(id))
                .map_err(|source| SandboxError::Prepare { path: scratch.to_owned(), source }),
        }
    }
}

/// The capabilities in effect, as a bit set.
fn effective_capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Whether all slots' ids from `base` on exist in this user namespace.
fn is_mapped(map: &str, base: u32) -> bool {
    let Ok(map) = fs::read_to_string(map) else { return false };
    let last = u64::from(base) + u64::from(SLOTS);
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|field| field.parse::<u64>());
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(first)), Some(_), Some(Ok(count))) => {
                first <= u64::from(base) && last < first + count
            }
            _ => false,
        }
    })
}
