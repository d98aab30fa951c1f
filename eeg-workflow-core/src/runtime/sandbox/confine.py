"""Confines this process before it runs code that others have written.

The host has put up walls around it; what is left must be done from the inside. Call
`confine(config)` first of all, while there is one thread and nothing is open but the standard
descriptors: it closes the others.
"""
import ctypes
import os
import resource

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
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
        become(config["user"])
        # Else its own files in /proc would belong to root.
        prctl(libc, PR_SET_DUMPABLE, 1)


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
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        # Past its soft limit of CPU time a process is told so (SIGXCPU), past the hard one killed.
        soft = most if name != "RLIMIT_CPU" else max(most - 1, 1)
        resource.setrlimit(kind, (soft, most))


def become(user):
    """Runs on as `user`, which owns nothing, and without any capability."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def prctl(libc, option, value):
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    if libc.prctl(option, *arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "prctl %d: %s" % (option, os.strerror(error)))
