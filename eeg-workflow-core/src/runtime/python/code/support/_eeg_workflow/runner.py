"""Answers the host's requests, one at a time."""

import copy
import ctypes
import os
import pickle
import resource
import sys
import threading
import time
import traceback

from blocks.BlockOutput import BlockOutput

from . import codec, display, features, libraries, listing, process_state

#: Threads and processes that are ending get so many hundredths of a second for it.
MOMENT = 20
#: Tracebacks longer than this lose their middle.
MAX_TRACEBACK = 64_000
#: Reasons why native blocks cannot use a value are cut there.
MAX_REASON = 500


class Runner:
    def __init__(self, channel, configuration):
        self.channel = channel
        self.store = codec.Store()
        self.modules = {}
        #: What makes a fresh block, by module and block.
        self.copiers = {}
        self.root = configuration["root"]
        self.names = configuration["modules"]
        self.c = ctypes.CDLL(None)
        # Modules are sub-packages of `blocks`; their folders can be imported by their own names
        # too, after everything that is installed.
        sys.path.append(self.root)
        #: Folders of this process's own, beside the one that the host empties, and what belongs there.
        self.folders = [(folder, set(os.listdir(folder))) for folder in configuration["own_folders"]]
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self.streams = (sys.stdout, sys.stderr)
        libraries.choose_backend()
        #: What each block begins with, whatever the one before has changed: known after `load`.
        self.state = None
        self.threads = threading.active_count()

    def serve(self):
        while True:
            request, descriptors = self.channel.receive()
            if request is None:
                return
            given = set(descriptors)
            try:
                self.answer(request, descriptors)
            finally:
                for descriptor in given:
                    try:
                        os.close(descriptor)
                    except OSError:
                        pass

    def answer(self, request, descriptors):
        operation = request["op"]
        if operation == "release":
            self.store.release(request["handles"])
            return
        reply, attached = {"id": request["id"]}, []
        try:
            if operation == "load":
                self.modules = listing.load(self.root, self.names)
                libraries.draw_without_display()
                reply["modules"] = listing.describe(self.modules)
                self.threads = threading.active_count()
            elif operation == "run":
                self.run(request, descriptors, reply, attached)
            elif operation == "pickle":
                attached.append(self.store.pickle(request["handle"]))
        except listing.BadModule as error:
            reply["bad_module"] = {
                "module": error.module,
                "message": clean(str(error)),
                "details": clean(error.details),
                "package": error.package,
            }
        except BaseException as error:
            reply["error"] = describe(self.root, error)
        display.close_figures()
        self.flush()
        if self.state is None:
            self.state = process_state.ProcessState()
        lasting = self.state.restore()
        if lasting:
            reply["changed"] = " and ".join(lasting)
        reply["held"] = len(self.store.values)
        reply["cpu"] = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        left = self.left_running()
        if left:
            reply["left"] = left
        try:
            self.channel.send(reply, attached)
        finally:
            for descriptor in attached:
                os.close(descriptor)

    def run(self, request, descriptors, reply, attached):
        self.store.release(request["release"])
        if not self.store.values:
            # A value that is kept may lie in a file there.
            for folder, kept in self.folders:
                process_state.empty(folder, kept)
        place = (request["module"], request["block"])
        prototype = self.modules[place[0]][place[1]]
        if place not in self.copiers:
            self.copiers[place] = copier(prototype)
        block = self.copiers[place]()
        decoder = codec.Decoder(self.store, descriptors, request.get("memory"))
        data = {name: decoder.decode(value) for name, value in request["data"]}
        block.input_params(data)
        # What the block has taken over must not be held by this frame too.
        del data
        result = block.execute()
        shown, descriptor = display.shown(result)
        del result
        if descriptor is not None:
            attached.append(descriptor)
        if shown is not None:
            reply["shown"] = shown
        self.give(prototype, block, request["outputs"], reply, attached)

    def give(self, prototype, block, wanted, reply, attached):
        """Puts the block's outputs into the reply, each in the forms that it is wanted in."""
        values, types = {}, {}
        for attribute, field in vars(prototype).items():
            if isinstance(field, BlockOutput):
                now = getattr(block, attribute, None)
                values[field.name] = now.value if isinstance(now, BlockOutput) else now
                types[field.name] = field.attribute_type
        encoder = codec.Encoder(arrays=True)
        outputs = []
        kept = []
        for name, takers in wanted:
            output = self.output(values.get(name), types.get(name, ""), takers, encoder)
            if "handle" in output:
                kept.append(output)
            outputs.append(output)
        # Values of one block may share parts: none of several is anybody's alone.
        for output in kept:
            output["alone"] = len(kept) == 1
        reply["outputs"] = outputs
        memory = encoder.memory()
        if memory is not None:
            reply["memory"] = len(attached)
            attached.append(memory)

    def output(self, value, declared, takers, encoder):
        """An output in the forms that it is wanted in."""
        plain = plainly(value)
        is_more = takers["native"] and features.are_vectors(value, declared)
        if plain is not None and not is_more:
            return plain
        output = {"type": clean(codec.type_name(value)), "size": codec.size(value)}
        if takers["native"]:
            try:
                output["native"] = encoder.encode(value, declared=declared)
            except (codec.NotPlain, RecursionError) as reason:
                output["refused"] = clean(str(reason))[:MAX_REASON]
        if takers["foreign"]:
            output["handle"] = self.store.keep(value)
        return output

    def flush(self):
        """Whatever was printed is on its way before the answer is."""
        for stream in (sys.stdout, sys.stderr, *self.streams):
            try:
                stream.flush()
            except Exception:
                pass
        sys.stdout, sys.stderr = self.streams
        self.c.fflush(None)

    def left_running(self):
        """What a block left behind that still runs, in words."""
        try:
            libraries.settle()
        except Exception:
            # What could not be ended counts as left.
            pass
        # What is ending already gets a moment for it.
        for _ in range(MOMENT):
            left = self.left_now()
            if not left:
                break
            time.sleep(0.01)
        return " and ".join(left)

    def left_now(self):
        left = []
        threads = threading.active_count() - self.threads
        if threads > 0:
            left.append(f"{threads} thread{'s' if threads > 1 else ''}")
        try:
            while True:
                child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if child is None:
                    left.append(" ".join(["processes", *children()]))
                    break
                os.waitid(os.P_PID, child.si_pid, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            pass
        return left


def plainly(value):
    """The output of a value that is plain; none if it is not."""
    try:
        return {"value": codec.Encoder(arrays=False).encode(value)}
    except (codec.NotPlain, RecursionError):
        return None


def children():
    """The command lines of this process's children, as far as they can be seen."""
    own = str(os.getpid())
    lines = []
    try:
        for process in filter(str.isdigit, os.listdir("/proc")):
            with open(f"/proc/{process}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[1] != own:
                    continue
            with open(f"/proc/{process}/cmdline") as command:
                lines.append("(" + command.read().replace("\0", " ").strip()[:200] + ")")
    except OSError:
        pass
    return lines


def copier(prototype):
    """A function that gives a block as its constructor left it."""
    if not hasattr(prototype, "__deepcopy__"):
        try:
            # The same protocol as that of `deepcopy`, and several times as fast.
            pickled = pickle.dumps(prototype, 5)
            pickle.loads(pickled)
            return lambda: pickle.loads(pickled)
        except Exception:
            pass
    try:
        copy.deepcopy(prototype)
        return lambda: copy.deepcopy(prototype)
    except Exception:
        return type(prototype)


def describe(root, error):
    """The message and the traceback of an error, without this program's own frames."""
    try:
        frames = error.__traceback__
        here = os.path.dirname(os.path.abspath(__file__))
        while frames is not None and os.path.dirname(frames.tb_frame.f_code.co_filename) == here:
            frames = frames.tb_next
        frames = frames if frames is not None else error.__traceback__
        lines = traceback.format_exception(type(error), error, frames)
        text = str(error)
        message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    except BaseException as second:
        message = f"{type(error).__name__} (and {type(second).__name__} while it was described)"
        lines = [message]
    text = "".join(lines)
    if len(text) > MAX_TRACEBACK:
        half = MAX_TRACEBACK // 2
        text = f"{text[:half]}\n… {len(text) - MAX_TRACEBACK} characters …\n{text[-half:]}"
    message, text = (listing.without_folders(root, one) for one in (message[:4000], text))
    return {"message": clean(message), "traceback": clean(text.rstrip("\n"))}


def clean(text):
    """Text that is valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()
