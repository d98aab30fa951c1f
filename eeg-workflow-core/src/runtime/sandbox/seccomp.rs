//! Filters of system calls: what no block needs and what leads around the other walls.
//!
//! They name what is refused, not what is allowed: scientific libraries use too many calls, and
//! more with every version. The walls proper are namespaces or Landlock.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::SeccompCmpArgLen::{self, Dword, Qword};
use seccompiler::SeccompCmpOp::{self, Eq, MaskedEq, Ne};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    sock_filter,
};

use super::error::SandboxError;

/// A system call, and when it is meant: always, or if all conditions of one of these lists hold.
type Rule = (i64, Vec<Vec<Condition>>);
/// Index of an argument, how much of it is looked at, how it is compared, and with what.
type Condition = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

/// What a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walls {
    /// A process in namespaces of its own.
    Namespaces,
    /// A process among the host's.
    Host {
        /// Whether it runs as the same user as others.
        same_user: bool,
        /// Whether Landlock keeps its signals from others.
        signals_are_kept: bool,
    },
}

/// The programs to be set, each for its thread and all that it starts.
pub(super) fn filters(walls: Walls) -> Result<Vec<BpfProgram>, SandboxError> {
    let mut refused = always_refused();
    let mut filters = vec![unknown_to_the_c_library()?];
    if let Walls::Host { same_user, signals_are_kept } = walls {
        refused.extend(refused_on_the_host());
        if same_user && !signals_are_kept {
            refused.extend(all(&SIGNALS));
        }
        if same_user {
            filters.push(program(without_effect(), errno(0))?);
        }
    }
    filters.push(program(refused, errno(libc::EPERM))?);
    Ok(filters)
}

/// The bytes of a program as the kernel reads it, in hexadecimal digits.
pub(super) fn to_hex(program: &BpfProgram) -> String {
    let mut text = String::with_capacity(program.len() * 16);
    for instruction in program {
        let sock_filter { code, jt, jf, k } = instruction;
        let [a, b] = code.to_ne_bytes();
        for byte in [a, b, *jt, *jf].into_iter().chain(k.to_ne_bytes()) {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    text
}

/// `clone3`, whose flags a filter cannot see: the C library takes `clone` when there is none.
fn unknown_to_the_c_library() -> Result<BpfProgram, SandboxError> {
    let mut program = program(all(&[libc::SYS_clone3]), errno(libc::ENOSYS))?;
    // On x86-64 every call has a second number, which the rules would not know:
    // load the number; if >= 0x40000000, go on, else skip one; return EPERM.
    let x32 = [
        sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
        sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 },
        sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | libc::EPERM.cast_unsigned() },
    ];
    program.splice(0..0, x32);
    Ok(program)
}

fn always_refused() -> Vec<Rule> {
    let mut rules = all(&[
        // Other processes.
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_process_mrelease,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        // File systems and namespaces.
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_open_by_handle_at,
        libc::SYS_fanotify_init,
        libc::SYS_quotactl,
        libc::SYS_quotactl_fd,
        // Wide doors into the kernel.
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_memfd_secret,
        // The machine.
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_syslog,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_vhangup,
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.extend(all(&[libc::SYS_kexec_file_load, libc::SYS_iopl, libc::SYS_ioperm]));
    let namespaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let namespaces = namespaces.map(|flag| vec![(0, Dword, MaskedEq(word(flag)), word(flag))]);
    rules.push((libc::SYS_clone, namespaces.into()));
    // Not all kinds of socket end at the network namespace: those of virtual machines do not.
    let kinds = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    rules.push((libc::SYS_socket, vec![kinds.map(|kind| (0, Dword, Ne, word(kind))).into()]));
    rules.push((libc::SYS_socketpair, vec![vec![(0, Dword, Ne, word(libc::AF_UNIX))]]));
    // Typing for the user at a terminal.
    let requests = [libc::TIOCSTI, libc::TIOCLINUX];
    let requests = requests.map(|request| vec![(1, Dword, Eq, request & 0xffff_ffff)]);
    rules.push((libc::SYS_ioctl, requests.into()));
    rules
}

/// What Landlock leaves open.
fn refused_on_the_host() -> Vec<Rule> {
    let mut rules = all(&[
        // Sockets with an address; pairs without one are left.
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        // What is shared by a number or a name that is not a path.
        libc::SYS_shmget,
        libc::SYS_shmat,
        libc::SYS_shmctl,
        libc::SYS_semget,
        libc::SYS_semop,
        libc::SYS_semtimedop,
        libc::SYS_semctl,
        libc::SYS_msgget,
        libc::SYS_msgsnd,
        libc::SYS_msgrcv,
        libc::SYS_msgctl,
        libc::SYS_mq_open,
        libc::SYS_mq_unlink,
        // Files that need not be opened for it.
        libc::SYS_inotify_init1,
        libc::SYS_fchown,
        libc::SYS_fchownat,
        libc::SYS_setxattr,
        libc::SYS_lsetxattr,
        libc::SYS_fsetxattr,
        libc::SYS_removexattr,
        libc::SYS_lremovexattr,
        libc::SYS_fremovexattr,
        SETXATTRAT,
        REMOVEXATTRAT,
        FILE_SETATTR,
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.extend(all(&[libc::SYS_inotify_init, libc::SYS_chown, libc::SYS_lchown]));
    // A pair of datagram sockets can send to any address.
    let datagram = [libc::SOCK_DGRAM, libc::SOCK_RAW];
    let datagram = datagram.map(|kind| vec![(1, Dword, MaskedEq(0xf), word(kind))]);
    rules.push((libc::SYS_socketpair, datagram.into()));
    rules.push((libc::SYS_sendto, vec![vec![(4, Qword, Ne, 0)]]));
    // Limits and priorities of others: the process itself is number 0.
    for (call, argument) in [
        (libc::SYS_prlimit64, 0),
        (libc::SYS_sched_setaffinity, 0),
        (libc::SYS_sched_setattr, 0),
        (libc::SYS_sched_setparam, 0),
        (libc::SYS_sched_setscheduler, 0),
        (libc::SYS_setpriority, 0),
        (libc::SYS_setpriority, 1),
        (libc::SYS_ioprio_set, 1),
        (libc::SYS_migrate_pages, 0),
        (libc::SYS_move_pages, 0),
    ] {
        rules.push((call, vec![vec![(argument, Dword, Ne, 0)]]));
    }
    rules
}

/// What would change files of the same user, wherever they are. It seems to succeed, because
/// every copying of a file ends with it.
fn without_effect() -> Vec<Rule> {
    #[cfg(target_arch = "x86_64")]
    let old = all(&[libc::SYS_chmod, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat]);
    #[cfg(not(target_arch = "x86_64"))]
    let old = Vec::new();
    let mut rules = all(&[libc::SYS_fchmod, libc::SYS_fchmodat, FCHMODAT2, libc::SYS_utimensat]);
    rules.extend(old);
    rules
}

/// All ways to send a signal: a filter cannot tell to whom.
const SIGNALS: [i64; 6] = [
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

// The same on all processors; not every C library knows them.
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const FILE_SETATTR: i64 = 469;

fn all(calls: &[i64]) -> Vec<Rule> {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

/// The bits of a C `int`.
fn word(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.cast_unsigned())
}

fn program(rules: Vec<Rule>, action: SeccompAction) -> Result<BpfProgram, SandboxError> {
    let mut map: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    // A call that is meant in some cases by one rule and always by another is meant always.
    let always: BTreeSet<i64> =
        rules.iter().filter(|(_, cases)| cases.is_empty()).map(|(call, _)| *call).collect();
    for (call, mut cases) in rules {
        if always.contains(&call) {
            cases.clear();
        }
        let meant = map.entry(call).or_default();
        for conditions in cases {
            let conditions = conditions.into_iter().map(|(argument, length, operator, value)| {
                SeccompCondition::new(argument, length, operator, value)
            });
            let conditions = conditions.collect::<Result<_, _>>().map_err(failed)?;
            meant.push(SeccompRule::new(conditions).map_err(failed)?);
        }
    }
    let processor = TargetArch::try_from(std::env::consts::ARCH).map_err(failed)?;
    SeccompFilter::new(map, SeccompAction::Allow, action, processor)
        .and_then(BpfProgram::try_from)
        .map_err(failed)
}

fn failed(error: seccompiler::BackendError) -> SandboxError {
    SandboxError::Filter { message: error.to_string() }
}
