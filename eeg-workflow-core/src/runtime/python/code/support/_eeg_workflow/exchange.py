"""Objects of native blocks as modules know them, and back: recordings, epochs and averages as MNE's
objects, where mne can be imported; feature vectors and networks in modules of their own.

Amplitudes are volts, times seconds; an annotation's onset counts from the first sample. Samples
come as arrays over memory that is this process's own: MNE works on them as they are.
"""

import contextlib
import datetime
import sys

from . import features, networks

#: What BrainVision markers begin with, digits and spaces at their ends aside: where a recording
#: has no others, mne numbers its events by the markers' own numbers.
MARKERS = {"Stimulus/S", "Response/R", "Optic/O", "Event/", "New Segment/", "SyncStatus/Sync On"}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class EEGData:
    """What stands for a recording, epochs or an average where mne is not installed: the same
    fields as attributes."""

    def __init__(self, kind, fields):
        self.kind = kind
        self.__dict__.update(fields)

    def __repr__(self):
        return f"<{self.kind}: {', '.join(key for key in self.__dict__ if key != 'kind')}>"


def from_fields(kind, fields):
    """The object that a native block gave."""
    if kind == "FeatureVectors":
        return features.from_fields(fields)
    if kind == "Network":
        return networks.from_fields(fields)
    try:
        import mne
    except ImportError:
        return EEGData(kind, fields)
    if kind == "Recording":
        return _raw(mne, fields)
    if kind == "Epochs":
        return _epochs(mne, fields)
    if kind == "Evoked":
        return _evoked(mne, fields)
    raise ValueError(f"a {kind} has no counterpart in mne")


def to_fields(value, declared=""):
    """The kind and the fields of an object that native blocks take; none if it is no such.
    `declared` is the type that the output's port declares, if the value is all of the output."""
    if type(value) is EEGData:
        fields = dict(value.__dict__)
        return fields.pop("kind"), fields
    vectors = features.to_fields(value, declared)
    if vectors is not None:
        return "FeatureVectors", vectors
    if _is_a(value, "mne.io.base", "BaseRaw"):
        return "Recording", _raw_fields(value)
    if _is_a(value, "mne.epochs", "BaseEpochs"):
        return "Epochs", _epochs_fields(value)
    if _is_a(value, "mne.evoked", "Evoked"):
        return "Evoked", _evoked_fields(value)
    if networks.is_one(value):
        return "Network", networks.to_fields(value)
    return None


def _is_a(value, module, name):
    """Whether it is of this class; a module that nobody has imported has no objects."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


def _info(mne, fields):
    info = mne.create_info(fields["ch_names"], fields["sfreq"], fields["ch_types"], verbose="ERROR")
    # mne wants to know these, and has no public way to say them.
    with getattr(info, "_unlock", contextlib.nullcontext)():
        for name in ("highpass", "lowpass"):
            if fields.get(name) is not None:
                info[name] = float(fields[name])
    return info


def _raw(mne, fields):
    info = _info(mne, fields)
    when = fields["meas_date"]
    if when is not None:
        when = EPOCH + datetime.timedelta(microseconds=when)
        try:
            info.set_meas_date(when)
        except (ValueError, OverflowError, RuntimeError):
            # A date that mne has no room for.
            when = None
    onsets, durations, descriptions = fields["annotations"]
    raw = _raw_class(mne, fields["numbering"], descriptions)(fields["data"], info, verbose="ERROR")
    # Events of a trigger line are not among them: its own samples tell those.
    if onsets or fields["numbering"] != "trigger":
        annotations = mne.Annotations(onsets, durations, descriptions, orig_time=when)
        raw.set_annotations(annotations, emit_warning=False, verbose="ERROR")
    return raw


def _raw_class(mne, numbering, descriptions):
    """The class for which `mne.events_from_annotations` numbers events as it does for the file
    that a recording comes from: it goes by the class, and for `RawArray` by the descriptions."""
    if (numbering == "brainvision") == _are_markers(descriptions) or not descriptions:
        return mne.io.RawArray
    return __getattr__("BrainVisionArray" if numbering == "brainvision" else "OrdinalArray")


def _are_markers(descriptions):
    return all(text.rstrip("0123456789 ") in MARKERS for text in set(descriptions))


def __getattr__(name):
    """Subclasses of mne's classes, made when they are asked for (or unpickled)."""
    if name == "BrainVisionArray":
        from mne.io.brainvision.brainvision import RawBrainVision as base
    elif name == "OrdinalArray":
        from mne.io import BaseRaw as base
    else:
        raise AttributeError(name)

    def init(self, data, info, first_samp=0, verbose=None):
        from mne.io import BaseRaw

        BaseRaw.__init__(self, info, data, first_samps=(int(first_samp),), verbose=verbose)

    made = type(name, (base,), {"__init__": init, "__module__": __name__, "__doc__": "In memory."})
    return globals().setdefault(name, made)


def _raw_fields(raw):
    annotations = raw.annotations
    when = raw.info["meas_date"]
    if when is not None:
        when = (when - EPOCH) // datetime.timedelta(microseconds=1)
    descriptions = [str(description) for description in annotations.description]
    preloaded = getattr(raw, "_data", None) if raw.preload else None
    return {
        **_channels(raw),
        "meas_date": when,
        "annotations": [
            # Onsets count from sample 0, which need not be the first one that is there.
            [float(onset) - raw.first_time for onset in annotations.onset],
            [float(duration) for duration in annotations.duration],
            descriptions,
        ],
        "numbering": _numbering(raw, descriptions),
        "highpass": _number(raw.info["highpass"]),
        "lowpass": _number(raw.info["lowpass"]),
        "data": raw.get_data(verbose="ERROR") if preloaded is None else preloaded,
    }


def _numbering(raw, descriptions):
    """How `mne.events_from_annotations` numbers the events."""
    if _is_a(raw, "mne.io.brainvision.brainvision", "RawBrainVision"):
        return "brainvision"
    if not descriptions:
        return "ordinal"
    by_markers = _is_a(raw, "mne.io", "RawArray") or _is_a(raw, "mne.io.fiff.raw", "Raw")
    return "brainvision" if by_markers and _are_markers(descriptions) else "ordinal"


def _channels(of):
    return {
        "ch_names": [str(name) for name in of.ch_names],
        "ch_types": [str(kind) for kind in of.get_channel_types()],
        "sfreq": float(of.info["sfreq"]),
    }


def _number(value):
    return None if value is None else float(value)


def _epochs(mne, fields):
    import numpy

    events = numpy.array(fields["events"], dtype=int).reshape(-1, 3)
    event_id = dict(fields["event_id"])
    for number in {int(number) for number in events[:, 2]} - set(event_id.values()):
        event_id[str(number)] = number
    drop_log = tuple(tuple(reasons) for reasons in fields["drop_log"])
    kept = numpy.array([at for at, reasons in enumerate(drop_log) if not reasons], dtype=int)
    known = {"selection": kept, "drop_log": drop_log} if len(kept) == len(events) else {}
    epochs = mne.EpochsArray(
        fields["data"],
        _info(mne, fields),
        events=events,
        tmin=fields["first"] / fields["sfreq"],
        event_id=event_id,
        baseline=None,
        on_missing="ignore",
        proj=False,
        verbose="ERROR",
        **known,
    )
    if fields["baseline"] is not None:
        # It has been subtracted already.
        epochs.baseline = tuple(fields["baseline"])
    # The class that mne gives when epochs are cut from a recording: modules ask for it.
    epochs.__class__ = mne.Epochs
    return epochs


def _epochs_fields(epochs):
    if not epochs.preload:
        # Which epochs are good is known when they have been read.
        epochs.load_data()
    baseline = epochs.baseline
    if baseline is not None:
        start, end = baseline
        start = float(epochs.tmin if start is None else start)
        baseline = [start, float(epochs.tmax if end is None else end)]
    try:
        data = epochs.get_data(copy=False)
    except TypeError:
        # Versions that always give a copy.
        data = epochs.get_data()
    return {
        **_channels(epochs),
        "first": _first(epochs),
        "events": [[int(part) for part in event] for event in epochs.events],
        "event_id": [[str(name), int(number)] for name, number in epochs.event_id.items()],
        "baseline": baseline,
        "data": data,
    }


def _first(of):
    return round(float(of.times[0]) * float(of.info["sfreq"]))


def _evoked(mne, fields):
    return mne.EvokedArray(
        fields["data"],
        _info(mne, fields),
        tmin=fields["first"] / fields["sfreq"],
        nave=fields["nave"],
        comment=fields["comment"],
        verbose="ERROR",
    )


def _evoked_fields(evoked):
    return {
        **_channels(evoked),
        "first": _first(evoked),
        "nave": round(float(evoked.nave)),
        "comment": str(evoked.comment or ""),
        "data": evoked.data,
    }
