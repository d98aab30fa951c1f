"""What a block can change in its process: put back before another block runs, or named where it
cannot be."""

import builtins
import decimal
import faulthandler
import fcntl
import gc
import locale
import logging
import operator
import os
import resource
import shutil
import signal
import sys
import time

TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
#: Copies of the standard descriptors have numbers from here on, which no program picks by chance.
COPIES = 710


class ProcessState:
    """The state of this process, as it is when this is made."""

    def __init__(self):
        self.folder = os.getcwd()
        self.mask = _umask()
        self.environment = dict(os.environ)
        self.handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.limits = {limit: resource.getrlimit(limit) for limit in LIMITS}
        self.priority = os.getpriority(os.PRIO_PROCESS, 0)
        self.cores = os.sched_getaffinity(0)
        self.streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
        self.standard = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, COPIES) for number in range(3)]
        self.files = [_file(number) for number in range(3)]
        # Lists are put back as they were, and stay the objects that they are.
        lists = (sys.path, sys.argv, logging.root.handlers)
        self.lists = [(each, list(each)) for each in lists]
        self.builtins = dict(vars(builtins))
        self.names, self.modules = zip(*sys.modules.items())
        self.loggers = {logger: _settings(logger) for logger in _loggers()}
        self.disabled = logging.root.manager.disable
        self.decimal = decimal.getcontext().copy()
        self.locale = locale.setlocale(locale.LC_ALL)
        self.recursion = sys.getrecursionlimit()
        self.hooks = sys.excepthook, sys.displayhook
        numpy = sys.modules.get("numpy")
        self.errors = numpy and numpy.geterr()
        self.printing = numpy and numpy.get_printoptions()

    def restore(self):
        """Puts everything back; gives in words what cannot be."""
        self._restore_signals()
        lasting = self._restore_limits()
        self._restore_descriptors()
        os.chdir(self.folder)
        os.umask(self.mask)
        if os.environ != self.environment:
            _replace(os.environ, self.environment)
            time.tzset()
        self._restore_interpreter()
        self._restore_libraries()
        return lasting

    def _restore_signals(self):
        signal.alarm(0)
        for timer in TIMERS:
            if signal.getitimer(timer)[0]:
                signal.setitimer(timer, 0)
        faulthandler.cancel_dump_traceback_later()
        for number, handler in self.handlers.items():
            # A handler of C code has no name here: it is left to that code.
            if signal.getsignal(number) is not handler and handler is not None:
                try:
                    signal.signal(number, handler)
                except (OSError, ValueError):
                    pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)

    def _restore_limits(self):
        lasting = []
        for limit, before in self.limits.items():
            if resource.getrlimit(limit) != before:
                try:
                    resource.setrlimit(limit, before)
                except (OSError, ValueError):
                    lasting.append("a limit of its process")
        if os.getpriority(os.PRIO_PROCESS, 0) != self.priority:
            try:
                os.setpriority(os.PRIO_PROCESS, 0, self.priority)
            except OSError:
                lasting.append("the priority of its process")
        if os.sched_getaffinity(0) != self.cores:
            try:
                os.sched_setaffinity(0, self.cores)
            except OSError:
                lasting.append("the cores of its process")
        return list(dict.fromkeys(lasting))

    def _restore_descriptors(self):
        for number, copy in enumerate(self.standard):
            if _file(number) != self.files[number]:
                os.dup2(copy, number)

    def _restore_interpreter(self):
        for name, stream in self.streams.items():
            setattr(sys, name, stream)
        for each, before in self.lists:
            if each != before:
                each[:] = before
        sys.path, sys.argv, logging.root.handlers = (each for each, _ in self.lists)
        if vars(builtins) != self.builtins:
            _replace(vars(builtins), self.builtins)
        # What was imported since stays; what was there is there again.
        if not all(map(operator.is_, map(sys.modules.get, self.names), self.modules)):
            sys.modules.update(zip(self.names, self.modules))
        sys.excepthook, sys.displayhook = self.hooks
        sys.settrace(None)
        sys.setprofile(None)
        sys.setrecursionlimit(self.recursion)
        gc.enable()

    def _restore_libraries(self):
        logging.disable(self.disabled)
        for logger, settings in self.loggers.items():
            if _settings(logger) != settings:
                level, logger.disabled, logger.propagate = settings
                logger.setLevel(level)
        decimal.setcontext(self.decimal.copy())
        if locale.setlocale(locale.LC_ALL) != self.locale:
            locale.setlocale(locale.LC_ALL, self.locale)
        numpy = sys.modules.get("numpy")
        if numpy is not None and self.errors is not None:
            numpy.seterr(**self.errors)
            numpy.set_printoptions(**self.printing)
        elif numpy is not None and hasattr(numpy, "geterr"):
            # Imported since: what it began with is what it begins with.
            numpy.seterr(divide="warn", over="warn", under="ignore", invalid="warn")


def _umask():
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _file(number):
    """What a descriptor stands for; none if it is closed."""
    try:
        status = os.fstat(number)
        return status.st_dev, status.st_ino
    except OSError:
        return None


def _loggers():
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    return [logging.root, *known]


def _settings(logger):
    return logger.level, logger.disabled, logger.propagate


def _replace(mapping, before):
    """Makes a mapping what it was, changing only what differs."""
    for key in [key for key in mapping if key not in before]:
        del mapping[key]
    for key, value in before.items():
        if mapping.get(key) is not value:
            mapping[key] = value


def empty(folder, kept):
    """Removes what blocks have left in a folder that is this process's own."""
    for name in set(os.listdir(folder)) - kept:
        path = os.path.join(folder, name)
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        except (OSError, RecursionError):
            # What cannot be removed goes with the process.
            pass
