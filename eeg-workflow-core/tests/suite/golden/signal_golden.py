#!/usr/bin/env python3
"""Writes signal.json: what MNE-Python makes of a small recording that the tests make too.

usage: python3 -m venv venv && venv/bin/pip install -r signal_requirements.txt
       venv/bin/python signal_golden.py
"""
import json
import os

import mne
import numpy as np
import scipy

mne.set_log_level("ERROR")
SFREQ, CHANNELS, SAMPLES = 250.0, 4, 3001


def recording():
    """Whole numbers from a linear congruential generator and a saw tooth, in steps of 0.1 µV."""
    state, rows = 1, []
    for c in range(CHANNELS):
        row = []
        for t in range(SAMPLES):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            noise = (state >> 40) % 2001 - 1000
            saw = (t * (c + 3)) % 200 - 100
            row.append(float(noise + 3 * saw + 500 * c) * 1e-7)
        rows.append(row)
    info = mne.create_info(["C1", "C2", "C3", "M1"], SFREQ, ["eeg", "eeg", "eeg", "misc"])
    return mne.io.RawArray(np.array(rows), info)


def some(raw, n=40, seed=0):
    """A few samples of each channel, at both ends and between."""
    x = raw.get_data()
    inner = np.random.RandomState(seed).randint(0, x.shape[1], n)
    index = sorted({*range(6), *range(x.shape[1] - 6, x.shape[1]), *map(int, inner)})
    return {"n_samples": int(x.shape[1]), "index": index, "values": x[:, index].tolist()}


def annotated(raw, *marks):
    raw = raw.copy()
    onset, duration, text = zip(*marks)
    return raw.set_annotations(mne.Annotations(onset, duration, text))


raw = recording()
out = {"versions": {"mne": mne.__version__, "numpy": np.__version__, "scipy": scipy.__version__}}
out["notch"] = [
    {"freqs": f, **some(raw.copy().notch_filter(f))} for f in ([50.0], [50.0, 100.0], [25.0, 60.0])
]
gaps = annotated(raw, (3.0, 0.0, "EDGE boundary"), (7.0, 0.5, "BAD_ACQ_SKIP"))
out["band_with_gaps"] = {"l_freq": 2.0, "h_freq": 30.0, **some(gaps.copy().filter(2.0, 30.0))}
out["average_reference"] = some(raw.copy().set_eeg_reference("average"))
out["named_reference"] = {
    "names": ["C2", "M1"],
    **some(raw.copy().set_eeg_reference(["C2", "M1"])),
}
out["resample"] = [
    {"sfreq": f, **some(raw.copy().resample(f), 30)} for f in (125.0, 100.0, 333.3, 512.0, 500.0)
]
short = raw.copy().crop(0, 0.2)
out["resample_short"] = {"samples": int(short.n_times), "sfreq": 100.0, **some(short.resample(100.0))}

out["welch"] = []
for mark, n_fft, overlap, fmin, fmax in (
    (None, 256, 0, 0, np.inf),
    (None, 251, 100, 3.0, 60.0),
    ((4.0, 1.3, "BAD_blink"), 256, 128, 0, 50.0),
    ((0.5, 9.0, "bad"), 500, 50, 0, 30.0),
):
    one = raw if mark is None else annotated(raw, mark)
    psd = one.compute_psd("welch", n_fft=n_fft, n_overlap=overlap, fmin=fmin, fmax=fmax)
    step = 4
    out["welch"].append({
        "bad": mark, "n_fft": n_fft, "n_overlap": overlap, "fmin": fmin,
        "fmax": None if np.isinf(fmax) else fmax, "channels": psd.ch_names,
        "n_freqs": len(psd.freqs), "step": step, "freqs": psd.freqs[::step].tolist(),
        "power": psd.get_data()[:, ::step].tolist(),
    })

events = np.array([[s, 0, 1] for s in range(100, 2900, 100)])
epochs = mne.Epochs(raw, events, tmin=-0.1, tmax=0.2, baseline=None, preload=True)
out["artifacts"] = []
for reject, flat in ((2.3e-4, None), (None, 2.1e-4), (2.35e-4, 2.2e-4), (1e-5, None)):
    limits = {k: {"eeg": v} for k, v in (("reject", reject), ("flat", flat)) if v is not None}
    left = epochs.copy().drop_bad(**limits)
    log = {str(i): list(r) for i, r in enumerate(left.drop_log) if r}
    out["artifacts"].append({"reject": reject, "flat": flat, "kept": len(left), "log": log})

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "signal.json")
with open(path, "w", encoding="utf-8") as file:
    json.dump(out, file, separators=(",", ":"), allow_nan=False)
    file.write("\n")
