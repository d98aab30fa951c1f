"""Confines this process before it runs code that others have written.

The host has put up walls around it; what is left must be done from the inside. Call
`confine(config)` first of all, while there is one thread and nothing is open but the standard
descriptors: it closes the others.
"""
import ctypes
import os
import resource
import struct

PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
CLOSE_RANGE = 436  # The number of the system call is the same everywhere.


def confine(config):
    """Applies what the host's `Sandbox::bootstrap` says. Raises OSError when it cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    close_inherited(libc)
    prctl(libc, PR_SET_NO_NEW_PRIVS, 1)
    new_session()
    be_first_to_go()
    if config["reaper"]:
        # Orphans stay below this process, where the host finds them.
        prctl(libc, PR_SET_CHILD_SUBREAPER, 1)
    set_limits(config["limits"])
    if config["user"] is not None:
        become(libc, config["user"], config["capabilities"])
    if config["capabilities"] is not None:
        keep_capabilities(libc, config["capabilities"])
    # A change of the user has hidden this process from itself in /proc.
    prctl(libc, PR_SET_DUMPABLE, 1)
    for program in config["filters"]:
        set_filter(libc, bytes.fromhex(program))


def close_inherited(libc):
    """Closes what came along by mistake from whoever started the host."""
    if libc.syscall(CLOSE_RANGE, 3, ctypes.c_uint(0xFFFFFFFF), 0) != 0:
        os.closerange(3, 4096)


def new_session():
    """Leaves the host's terminal, so that its signals do not come here."""
    try:
        os.setsid()
    except PermissionError:
        pass  # It leads one already.


def be_first_to_go():
    """When memory runs out, the kernel ends this process and not the host."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass  # Not to be seen here: then the host has done it.


def set_limits(limits):
    for name, most in limits.items():
        kind = getattr(resource, name)
        last = most
        if kind == resource.RLIMIT_CPU:
            # At the first a signal tells why it ends (SIGXCPU); one that ignores it is killed.
            last += 5
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            last = min(last, hard)
        resource.setrlimit(kind, (min(most, last), last))


def become(libc, user, capabilities):
    """Runs on as `user`, which owns nothing."""
    if capabilities:
        prctl(libc, PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def keep_capabilities(libc, capabilities):
    """Keeps this set of them, and gives it to what this process starts."""
    header = struct.pack("=II", CAPABILITY_VERSION_3, 0)
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    sets = struct.pack("=6I", low, low, low, high, high, high)
    check(libc.capset(header, sets), "capset")
    for number in range(64):
        if capabilities >> number & 1:
            prctl(libc, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number)


def set_filter(libc, program):
    """Sets a filter of system calls (a BPF program, 8 bytes an instruction)."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    head = ctypes.create_string_buffer(head, len(head))
    prctl(libc, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(head))


def prctl(libc, option, *arguments):
    arguments = [ctypes.c_ulong(number) for number in (arguments + (0, 0, 0, 0))[:4]]
    check(libc.prctl(option, *arguments), "prctl %d" % option)


def check(result, name):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (name, os.strerror(error)))
