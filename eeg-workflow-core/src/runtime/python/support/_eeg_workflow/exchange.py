"""Recordings, epochs and averages as MNE's objects and back, where mne can be imported.

Amplitudes are volts, times seconds; an annotation's onset counts from the first sample.
"""

import datetime
import sys


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
        return fields["data"]
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


def to_fields(value):
    """The kind and the fields of an object that native blocks take; none if it is no such."""
    if type(value) is EEGData:
        fields = dict(value.__dict__)
        return fields.pop("kind"), fields
    mne = sys.modules.get("mne")
    if mne is None:
        return None
    if isinstance(value, mne.io.BaseRaw):
        return "Recording", _raw_fields(value)
    if isinstance(value, mne.BaseEpochs):
        return "Epochs", _epochs_fields(value)
    if isinstance(value, mne.Evoked):
        return "Evoked", _evoked_fields(value)
    return None


def _info(mne, fields):
    info = mne.create_info(fields["ch_names"], fields["sfreq"], fields["ch_types"], verbose="ERROR")
    return info


def _raw(mne, fields):
    raw = mne.io.RawArray(fields["data"], _info(mne, fields), verbose="ERROR")
    when = fields.get("meas_date")
    if when is not None:
        start = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        raw.set_meas_date(start + datetime.timedelta(microseconds=when))
    onsets, durations, descriptions = fields["annotations"]
    raw.set_annotations(
        mne.Annotations(onsets, durations, descriptions, orig_time=raw.info["meas_date"]),
        verbose="ERROR",
    ) if when is None else raw.set_annotations(
        mne.Annotations(onsets, durations, descriptions), verbose="ERROR"
    )
    return raw


def _raw_fields(raw):
    annotations = raw.annotations
    when = raw.info["meas_date"]
    microseconds = None
    if when is not None:
        start = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        microseconds = (when - start) // datetime.timedelta(microseconds=1)
    # Onsets of annotations count from the measurement's date where there is one.
    first = raw.first_time if annotations.orig_time is not None else 0.0
    return {
        "ch_names": list(raw.ch_names),
        "ch_types": list(raw.get_channel_types()),
        "sfreq": float(raw.info["sfreq"]),
        "meas_date": microseconds,
        "annotations": [
            [float(onset) - first for onset in annotations.onset],
            [float(duration) for duration in annotations.duration],
            [str(description) for description in annotations.description],
        ],
        "data": raw.get_data(),
    }


def _epochs(mne, fields):
    import numpy

    events = numpy.asarray(fields["events"], dtype=int).reshape(-1, 3)
    epochs = mne.EpochsArray(
        fields["data"],
        _info(mne, fields),
        events=events,
        tmin=fields["tmin"],
        event_id=fields["event_id"] or None,
        baseline=None,
        verbose="ERROR",
    )
    return epochs


def _epochs_fields(epochs):
    return {
        "ch_names": list(epochs.ch_names),
        "ch_types": list(epochs.get_channel_types()),
        "sfreq": float(epochs.info["sfreq"]),
        "tmin": float(epochs.tmin),
        "events": [[int(part) for part in event] for event in epochs.events],
        "event_id": {str(name): int(number) for name, number in epochs.event_id.items()},
        "data": epochs.get_data(copy=False),
    }


def _evoked(mne, fields):
    return mne.EvokedArray(
        fields["data"],
        _info(mne, fields),
        tmin=fields["tmin"],
        nave=fields["nave"],
        comment=fields["comment"],
        verbose="ERROR",
    )


def _evoked_fields(evoked):
    return {
        "ch_names": list(evoked.ch_names),
        "ch_types": list(evoked.get_channel_types()),
        "sfreq": float(evoked.info["sfreq"]),
        "tmin": float(evoked.tmin),
        "nave": int(evoked.nave),
        "comment": str(evoked.comment or ""),
        "data": evoked.data,
    }
