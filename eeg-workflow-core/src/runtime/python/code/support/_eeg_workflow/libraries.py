"""What libraries need to work in several processes as they do in one."""

import contextlib
import gc
import importlib.util
import os
import re
import sys
import time
import types


def choose_backend():
    """Keras takes TensorFlow unless it is told otherwise, even where only another of its
    backends is installed."""
    for name in ("tensorflow", "jax", "torch"):
        if importlib.util.find_spec(name) is not None:
            os.environ.setdefault("KERAS_BACKEND", name)
            return


def draw_without_display():
    """Modules that ask for windows, as on the desktop that they were written on, get pictures."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None:
        matplotlib.use("Agg")


def known():
    """A context in which Keras finds what a module defines: layers, losses, metrics."""
    keras = sys.modules.get("keras")
    if keras is None:
        return contextlib.nullcontext()
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("blocks."):
            for key, value in vars(module).items():
                is_own = str(getattr(value, "__module__", "")).startswith("blocks.")
                if is_own and isinstance(value, (type, types.FunctionType)):
                    found[key] = value
    return keras.utils.custom_object_scope(found)


def arrived(value):
    """Makes room for a value that was made in another process."""
    keras = sys.modules.get("keras")
    if keras is None:
        return
    parts = [value]
    if isinstance(value, dict):
        parts += value.values()
    elif isinstance(value, (list, tuple)):
        parts += value
    else:
        parts += getattr(value, "__dict__", {}).values()
    for part in parts:
        if isinstance(part, keras.Model):
            _pass_names_of(part, keras.backend.get_uid)


def _pass_names_of(model, get_uid):
    """Keras numbers the names of layers in each process from the start, and refuses a model with
    two layers of one name: the numbers that the model's layers have are not to come again."""
    numbers = {}
    for layer in model.layers:
        prefix, number = re.fullmatch(r"(.*?)(?:_(\d{1,4}))?", layer.name, re.DOTALL).groups()
        numbers[prefix] = max(numbers.get(prefix, 0), int(number or 0) + 1)
    for prefix, number in numbers.items():
        while get_uid(prefix) < number:
            pass


def settle():
    """Ends the helpers that libraries keep ready for the next call: they are no block's work that
    is still running."""
    tqdm = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    if tqdm is not None:
        # A thread that makes slow progress bars move.
        tqdm.monitor_interval = 0
        monitor, tqdm.monitor = tqdm.monitor, None
        if monitor is not None:
            monitor.exit()
    # Processes that joblib keeps for more calls, and theirs that tells what they hold.
    ended = False
    executor = getattr(
        sys.modules.get("joblib.externals.loky.reusable_executor"), "_executor", None
    )
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)
        ended = True
    # What is freed tells the tracker, and starts it again if it has ended.
    del executor
    for attempt in range(3):
        names = ("joblib.externals.loky.backend", "multiprocessing")
        modules = [sys.modules.get(f"{name}.resource_tracker") for name in names]
        trackers = [getattr(module, "_resource_tracker", None) for module in modules]
        running = [t for t in trackers if getattr(t, "_pid", None) is not None]
        if not running:
            break
        gc.collect()
        for tracker in running:
            tracker._stop()
        ended = True
    if ended:
        _wait_for_children()


def _wait_for_children():
    """Gives processes that were told to end the time to do so."""
    for _ in range(100):
        try:
            child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return
        if child is None:
            time.sleep(0.01)
