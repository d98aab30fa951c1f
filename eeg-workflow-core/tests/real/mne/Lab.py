import time

import mne
import numpy as np

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType


class WithFile(Block):
    def __init__(self):
        self.file = BlockParameter("file", ParameterType.FILE, "")
        self.inp = BlockInput("in", 0, 1, ParameterType.OBJECT)
        self.out = BlockOutput("out", ParameterType.OBJECT, 1, 100)

    def input_params(self, data):
        self.value = data.get("in")
        self.path = self.FILE_BASE_PATH + data["file"].split("/", 1)[-1]

    def read(self, **options):
        return mne.io.read_raw(self.path, verbose="ERROR", **options)


def same(name, a, b):
    if a != b:
        raise AssertionError(f"{name}: {a!r} and {b!r}")


def events_of(raw):
    try:
        return mne.events_from_annotations(raw, verbose="ERROR")
    except ValueError as error:
        return str(error), None


class Compare(WithFile):
    """Whether a recording from a native block is what mne reads from the file itself."""

    def execute(self):
        ours, theirs = self.value, self.read(preload=True)
        same("class", isinstance(ours, mne.io.BaseRaw), True)
        same("names", ours.ch_names, theirs.ch_names)
        same("types", ours.get_channel_types(), theirs.get_channel_types())
        for key in ("sfreq", "meas_date", "highpass", "lowpass"):
            same(key, ours.info[key], theirs.info[key])
        a, b = ours.get_data(), theirs.get_data()
        exact = a.tobytes() == b.tobytes()
        if not exact:
            # Channels of several rates: both resample, and sum in another order.
            same("format", self.path[-3:] in ("edf", "bdf"), True)
            worst = float((np.abs(a - b) / np.abs(b).max(axis=1, keepdims=True)).max())
            same("deviation", worst if worst > 1e-14 else 0, 0)
        for ours_has, theirs_has, name in (
            (ours.annotations.onset, theirs.annotations.onset, "onsets"),
            (ours.annotations.description, theirs.annotations.description, "descriptions"),
        ):
            same(name, list(ours_has), list(theirs_has))
        same("durations", bool(np.allclose(
            ours.annotations.duration, theirs.annotations.duration, rtol=0, atol=1e-9)), True)
        same("orig_time", ours.annotations.orig_time, theirs.annotations.orig_time)
        (rows, ids), (rows2, ids2) = events_of(ours), events_of(theirs)
        same("event_id", ids, ids2)
        same("events", np.asarray(rows).tolist(), np.asarray(rows2).tolist())
        if "stim" in ours.get_channel_types():
            same("find_events", *(mne.find_events(raw, verbose="ERROR").tolist() for raw in (ours, theirs)))
        ours.filter(1, 30, verbose="ERROR") if a.shape[1] > 5000 else None
        ours.copy().save("copy_raw.fif", verbose="ERROR")
        return f"{type(ours).__name__} {a.shape} {'exact' if exact else worst}", "STRING"


class Read(WithFile):
    def execute(self):
        self.out.set_value(self.read(preload=False))


class Crop(WithFile):
    """Without the first 10 s: the first sample is not sample 0."""

    def execute(self):
        self.out.set_value(self.read(preload=False).crop(10))


class FilterAndEpoch(Block):
    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.EEGDATA)
        self.out = BlockOutput("out", ParameterType.EPOCHS, 1, 100)

    def input_params(self, data):
        self.raw = data["in"]

    def execute(self):
        raw = self.raw.filter(0.1, 30)
        events, ids = mne.events_from_annotations(raw)
        self.out.set_value(mne.Epochs(raw, events, ids, -0.2, 0.5, baseline=(None, 0)))


class SameEpochs(WithFile):
    """Whether epochs from a native block are mne's own, and gives them back."""

    def execute(self):
        ours, raw = self.value, self.read(preload=True)
        events, ids = mne.events_from_annotations(raw)
        theirs = mne.Epochs(raw, events, ids, -0.2, 0.5, baseline=(None, 0), preload=True)
        same("class", type(ours), type(theirs))
        same("event_id", ours.event_id, theirs.event_id)
        same("events", ours.events.tolist(), theirs.events.tolist())
        same("drop_log", ours.drop_log, theirs.drop_log)
        same("selection", ours.selection.tolist(), theirs.selection.tolist())
        same("baseline", ours.baseline, theirs.baseline)
        same("times", ours.times.tolist(), theirs.times.tolist())
        same("length", len(ours["Stimulus/S  1"]), len(theirs["Stimulus/S  1"]))
        a, b = ours.get_data(), theirs.get_data()
        same("shape", a.shape, b.shape)
        worst = np.abs(a - b).max() / np.abs(b).max()
        same("data", bool(worst <= 1e-12), True)
        self.out.set_value(ours)
        return f"{worst:.1e}", "STRING"


class SameAverages(Block):
    """Gives averages back as they came."""

    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.EPOCHS)
        self.out = BlockOutput("out", ParameterType.EPOCHS, 1, 100)

    def input_params(self, data):
        self.averages = data["in"]

    def execute(self):
        averages = self.averages if isinstance(self.averages, list) else [self.averages]
        for evoked in averages:
            same("class", isinstance(evoked, mne.Evoked), True)
        self.out.set_value(self.averages)
        first = averages[0]
        return f"{len(averages)} of {first.data.shape}, {first.comment}, {first.nave}", "STRING"


class Vectors(Block):
    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.FEATUREVECTOR)

    def input_params(self, data):
        self.vectors = data["in"]

    def execute(self):
        same("class", isinstance(self.vectors, list), True)
        same("ids", {vector.class_id for vector in self.vectors} >= {1, 2}, True)
        norms = np.linalg.norm(self.vectors, axis=1)
        same("norms", bool(np.allclose(norms, 1)), True)
        return str(self.vectors.shape), "STRING"


class Kinds(Block):
    """A recording of channels of many kinds, whose first sample is number 130."""

    def __init__(self):
        self.out = BlockOutput("out", ParameterType.EEGDATA, 1, 100)

    def execute(self):
        kinds = ["eeg", "eog", "ecg", "emg", "misc", "bio", "resp", "mag", "ecog", "seeg"]
        info = mne.create_info([kind.upper() for kind in kinds], 100.0, kinds)
        data = np.random.default_rng(1).normal(size=(len(kinds), 500))
        raw = mne.io.RawArray(data, info, first_samp=130)
        raw.info["bads"] = ["EOG"]
        raw.set_annotations(mne.Annotations([1.25, 2.5], [0.5, 0], ["BAD_blink", "hello"]))
        self.out.set_value(raw)


class Large(Block):
    """What it takes to read all of a recording, beside a file that is mapped and a copy."""

    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.EEGDATA)

    def input_params(self, data):
        self.raw = data["in"]

    def execute(self):
        start = time.perf_counter()
        data = self.raw._data
        base = data
        while isinstance(base, (np.ndarray, memoryview)):
            base = base.base if isinstance(base, np.ndarray) else base.obj
        same("memory", type(base).__name__, "mmap")
        times = [data.nbytes]
        times.append(timed(data.sum))
        copy = np.ones_like(data)
        times.append(timed(lambda: np.copyto(copy, data)))
        np.save("all.npy", data)
        times.append(timed(lambda: np.load("all.npy", mmap_mode="r").sum()))
        return " ".join(map(str, [time.perf_counter() - start, *times])), "STRING"


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Plot(Block):
    def __init__(self):
        self.inp = BlockInput("in", 1, 1, ParameterType.EEGDATA)

    def input_params(self, data):
        self.raw = data["in"]

    def execute(self):
        return self.raw.plot(show=False, duration=5), "GRAPH"


string_classobject_mapping = {
    kind.__name__: kind()
    for kind in (
        Compare, Read, Crop, FilterAndEpoch, SameEpochs, SameAverages, Vectors, Kinds, Large, Plot,
    )
}
