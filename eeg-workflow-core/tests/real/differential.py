"""Makes random recordings, workflows of native blocks with random parameters, and what MNE, SciPy,
PyWavelets and scikit-learn make of the same: `differential.py FOLDER SEED COUNT`.

Each case is a folder `FOLDER/SEED+k` with the recording and `case.json`: the workflow's document and
a list of expectations, each of a block (and port) and a file of f64 with its shape, of a text, or of
an error.
"""
import json
import os
import struct
import sys
import warnings

import mne
import numpy as np
import pywt

warnings.simplefilter("ignore")
mne.set_log_level("critical")
MODULE = "EEG_Basil.zip:EEG_Basil"
NAMES = ["Fz", "Cz", "Pz", "C3", "C4", "Oz"]


class Case:
    """A workflow that grows block by block, and what is expected of it."""

    def __init__(self, folder, file, parameters):
        self.folder, self.blocks, self.edges, self.expected = folder, [], [], []
        self.reader = self.add("OfflineDataProvider", {"EEG File": f"Home/{file}", **parameters})

    def add(self, kind, values, *inputs):
        self.blocks.append({"id": len(self.blocks) + 1, "module": MODULE, "type": kind, "values": values})
        for source, port in inputs:
            self.edges.append({"id": len(self.edges) + 1, "block1": source, "connector1": [port, "output"],
                               "block2": len(self.blocks), "connector2": [port, "input"]})
        return len(self.blocks)

    def numbers(self, block, port, data, scale=0.0, exact=False):
        data = np.ascontiguousarray(data, dtype="<f8")
        name = f"{len(self.expected)}.f64"
        data.tofile(os.path.join(self.folder, name))
        self.expected.append({"block": block, "port": port, "file": name, "shape": data.shape,
                              "scale": float(scale), "exact": exact})

    def events(self, block, events):
        self.expected.append({"block": block, "events": [[int(s), int(i)] for s, _, i in events]})

    def error(self, block):
        self.expected.append({"block": block, "error": True})

    def write(self):
        case = {"document": {"blocks": self.blocks, "edges": self.edges}, "expected": self.expected}
        with open(os.path.join(self.folder, "case.json"), "w") as file:
            json.dump(case, file)


# ---- recordings

def brainvision(folder, random):
    """A BrainVision set; gives what MNE reads of it, with the pauses as seams."""
    channels, sfreq = int(random.integers(1, 5)), float(random.choice([100, 128, 250, 500]))
    samples = int(random.integers(300, 2500))
    form = random.choice(["INT_16", "INT_32", "IEEE_FLOAT_32"])
    dtype = {"INT_16": "<i2", "INT_32": "<i4", "IEEE_FLOAT_32": "<f4"}[form]
    data = wave(random, channels + 1, samples).round(0 if form != "IEEE_FLOAT_32" else 3).astype(dtype)
    vectorized = random.random() < 0.3
    (data if vectorized else data.T).tofile(os.path.join(folder, "a.eeg"))
    units = [str(random.choice(["µV", "mV", "V", "nV", "uV", ""])) for _ in range(channels)]
    units.append(str(random.choice(["°C", "%", "µS", "µV"])))
    resolutions = [str(random.choice(["0.1", "0.5", "1", "", "0.0488281"])) for _ in units]
    lines = [f"Ch{k + 1}={name},,{resolution},{unit}" for k, (name, resolution, unit)
             in enumerate(zip(NAMES[:channels] + ["Extra"], resolutions, units))]
    interval = repr(1e6 / sfreq)
    with open(os.path.join(folder, "a.vhdr"), "w", encoding="utf-8") as file:
        file.write("Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
                   "DataFile=a.eeg\nMarkerFile=a.vmrk\nDataFormat=BINARY\n"
                   f"DataOrientation={'VECTORIZED' if vectorized else 'MULTIPLEXED'}\n"
                   f"NumberOfChannels={channels + 1}\nSamplingInterval={interval}\n[Binary Infos]\n"
                   f"BinaryFormat={form}\n[Channel Infos]\n" + "\n".join(lines) + "\n")
    places = random.choice(np.arange(1, samples), min(samples // 40, int(random.integers(2, 30))), False)
    kinds = ["Stimulus,S  1", "Stimulus,S  2", "Stimulus,S 10", "Response,R  1", "Comment,hm", "Stimulus,target"]
    markers = [f"{random.choice(kinds)},{place + 1},{random.integers(0, 3)}" for place in places]
    if random.random() < 0.3:
        markers.append(f"Bad Interval,Bad,{random.integers(1, samples)},{random.integers(1, 60)}")
    pauses = sorted(random.choice(np.arange(60, samples), int(random.integers(1, 3)), False)) if random.random() < 0.3 else []
    markers += [f"New Segment,,{place + 1},1" for place in pauses]
    with open(os.path.join(folder, "a.vmrk"), "w", encoding="utf-8") as file:
        file.write("Brain Vision Data Exchange Marker File, Version 1.0\n[Marker Infos]\nMk1=New Segment,,1,1,0\n"
                   + "".join(f"Mk{k + 2}={marker},0\n" for k, marker in enumerate(markers)))
    raw = mne.io.read_raw_brainvision(os.path.join(folder, "a.vhdr"), preload=True)
    seams(raw, pauses)
    case = Case(folder, str(random.choice(["a.vhdr", "a.eeg", "a.vmrk"])), {})
    return case, raw, numbered(raw)


def seams(raw, pauses):
    """Segments become what `concatenate_raws` puts between recordings."""
    notes = raw.annotations
    notes.delete([k for k, text in enumerate(notes.description) if text == "New Segment/"])
    start = 0
    for place in pauses:
        if place - start > 1:
            for text in ("BAD boundary", "EDGE boundary"):
                notes.append(place / raw.info["sfreq"], 0.0, text)
        start = place
    raw.set_annotations(notes)


def numbered(raw):
    try:
        return mne.events_from_annotations(raw)
    except ValueError:
        return np.empty((0, 3), int), {}


def edf(folder, random):
    """EDF, EDF+, BDF or BDF+; gives what MNE reads of it, triggers and annotations together."""
    bdf, plus = random.random() < 0.5, random.random() < 0.6
    channels, records = int(random.integers(1, 5)), int(random.integers(3, 12))
    per_record = int(random.choice([100, 128, 200]))
    width, top = (3, 8388607) if bdf else (2, 32767)
    units, signals = [], []
    data = wave(random, channels, records * per_record).round().astype(int)
    for k in range(channels):
        units.append(str(random.choice(["uV", "mV", "V", "uV"])))
        signals.append([NAMES[k], units[k], "-1000.5", "1000", str(-top - 1), str(top), data[k].reshape(records, -1)])
    other = random.random() < 0.4
    if other:
        signals.append(["SpO2", "%", "0", "100", "0", "1000", random.integers(0, 1000, (records, per_record))])
    status = random.random() < 0.5
    line = np.zeros(records * per_record, int)
    if status:
        for place in range(int(random.integers(5, 30)), len(line) - 20, int(random.integers(30, 90))):
            line[place:place + 3] = random.choice([1, 2, 7, 256])
        signals.append(["Status", "", str(-top - 1), str(top), str(-top - 1), str(top), line.reshape(records, -1)])
    if plus:
        signals.append([("BDF" if bdf else "EDF") + " Annotations", "", "-1", "1", str(-top - 1), str(top),
                        tals(random, records, width)])
    name = "a.bdf" if bdf else "a.edf"
    with open(os.path.join(folder, name), "wb") as file:
        file.write(edf_bytes(signals, records, bdf, width, plus))
    read = mne.io.read_raw_bdf if bdf else mne.io.read_raw_edf
    raw = read(os.path.join(folder, name), preload=True)
    if other:
        raw.set_channel_types({"SpO2": "misc"})
    source = str(random.choice(["both", "annotations", "triggers"])) if status else "both"
    mask = int(random.choice([255, 3])) if status and random.random() < 0.4 else None
    case = Case(folder, name, {"Events": source, "Trigger Mask": "None" if mask is None else str(mask)})
    events, ids = numbered(raw) if source != "triggers" else (np.empty((0, 3), int), {})
    if status and source != "annotations":
        found = mne.find_events(raw, "Status", shortest_event=1, mask=mask)
        if len(found):
            events, ids = together(events, ids, found)
    return case, raw, (events, ids)


def together(events, ids, found):
    """Annotations are numbered from 1 on, triggers have their own numbers."""
    taken, number, other = set(found[:, 2].tolist()), 1, {}
    for name in sorted(ids):
        while number in taken:
            number += 1
        other[ids[name]] = number
        ids = {**ids, name: number}
        number += 1
    rows = [[s, z, other[i]] for s, z, i in events] + found.tolist()
    rows.sort(key=lambda row: row[0])
    return np.array(rows), {**ids, **{str(i): i for i in sorted(taken)}}


def tals(random, records, width):
    """Annotations of each record, as its bytes."""
    texts = [b"+%d\x14\x14\0" % record for record in range(records)]
    for _ in range(int(random.integers(1, 6))):
        record = int(random.integers(0, records))
        onset, text = b"%.2f" % (record + random.integers(0, 100) / 100), random.choice([b"go", b"stop", b"BAD_x"])
        length = b"\x150.1" if text == b"BAD_x" else b""
        texts[record] += b"+" + onset + length + b"\x14" + text + b"\x14\0"
    size = 60 * 6
    return [text.ljust(size, b"\0") for text in texts]


def edf_bytes(signals, records, bdf, width, plus):
    field = lambda text, size: (text if isinstance(text, bytes) else text.encode("latin-1")).ljust(size)
    kind = ("BDF" if bdf else "EDF") + "+C" if plus else ""
    head = (b"\xffBIOSEMI" if bdf else field("0", 8)) + field("X X X X", 80) + field("Startdate 01-JAN-2020 X X X", 80)
    head += field("01.01.20", 8) + field("10.00.00", 8) + field(str(256 * (len(signals) + 1)), 8) + field(kind, 44)
    head += field(str(records), 8) + field("1", 8) + field(str(len(signals)), 4)
    counts = [len(s[6][0]) // width if isinstance(s[6][0], bytes) else len(s[6][0]) for s in signals]
    for size, place in ((16, 0), (80, None), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5), (80, None)):
        head += b"".join(field("" if place is None else s[place], size) for s in signals)
    head += b"".join(field(str(count), 8) for count in counts) + b" " * 32 * len(signals)
    body = bytearray()
    for record in range(records):
        for signal in signals:
            values = signal[6][record]
            body += values if isinstance(values, bytes) else b"".join(struct.pack("<i", v)[:width] for v in values)
    return head + bytes(body)


def wave(random, channels, samples):
    slow = np.sin(np.arange(samples) * random.uniform(0.01, 0.3, (channels, 1)))
    noise = random.standard_normal((channels, samples))
    return 200 * slow + 50 * noise + random.uniform(-500, 500, (channels, 1))


# ---- steps

def filters(case, raw, random):
    ny, scale = raw.info["sfreq"] / 2, np.abs(raw.get_data()).max()
    for _ in range(4):
        low = random.choice([None, 0.0, round(float(random.uniform(0.5, 8)), 2)])
        high = random.choice([None, round(float(random.uniform(10, ny - 1)), 2)])
        block = case.add("Filter", {"Low Cutoff Frequency": str(low), "High Cutoff Frequency": str(high)},
                         (case.reader, "EEGData"))
        filtered = raw.copy()
        if low or high:
            filtered.filter(low, high)
        case.numbers(block, "EEGData", filtered.get_data(), scale)
    frequency = round(float(random.uniform(10, ny - 10)), 1)
    block = case.add("Notch", {"Frequencies": str(frequency)}, (case.reader, "EEGData"))
    case.numbers(block, "EEGData", raw.copy().notch_filter(frequency).get_data(), scale)


def references_and_rates(case, raw, random):
    scale = np.abs(raw.get_data()).max()
    block = case.add("ReReference", {}, (case.reader, "EEGData"))
    case.numbers(block, "EEGData", raw.copy().set_eeg_reference("average").get_data(), scale)
    name = raw.ch_names[0]
    block = case.add("ReReference", {"Reference Channels": [name]}, (case.reader, "EEGData"))
    case.numbers(block, "EEGData", raw.copy().set_eeg_reference([name]).get_data(), scale)
    if "Status" not in raw.ch_names:
        rate = float(random.choice([50, 64, 200, 333]))
        block = case.add("Resample", {"Sampling Rate": str(rate)}, (case.reader, "EEGData"))
        case.numbers(block, "EEGData", raw.copy().resample(rate).get_data(), scale)
    length = int(random.choice([64, 100, 256]))
    overlap = int(random.choice([0, length // 2]))
    block = case.add("PowerSpectrum", {"Segment Length": str(length), "Overlap": str(overlap), "Show": "table"},
                     (case.reader, "EEGData"))
    try:
        spectrum = raw.compute_psd("welch", n_fft=length, n_overlap=overlap, picks="eeg")
    except ValueError:
        return  # MNE refuses what is left between bad stretches where it is shorter than the overlap
    case.numbers(block, "Spectrum", np.vstack([spectrum.freqs, spectrum.get_data()]))


def epochs(case, raw, found, random):
    (events, ids), scale = found, np.abs(raw.get_data()).max()
    for _ in range(3):
        tmin, tmax = -round(float(random.uniform(0.05, 0.3)), 2), round(float(random.uniform(0.1, 0.6)), 2)
        baseline = [(None, 0.0), (None, None), (tmin, 0.0), None][int(random.integers(0, 4))]
        wanted = None if random.random() < 0.5 or not len(events) else int(random.choice(events[:, 2]))
        reject = bool(random.random() < 0.7)
        values = {"PreStimulus onset": str(tmin), "PostStimulus onset": str(tmax),
                  "Event Id": str(wanted), "Reject BAD Annotations": str(reject).lower(),
                  "Baseline Correction": str(baseline is not None).lower()}
        if baseline:
            values["Baseline Correction Start Time"], values["Baseline Correction End Time"] = map(str, baseline)
        block = case.add("EpochExtraction", values, (case.reader, "EEGData"))
        if not len(events):
            case.error(block)
            continue
        try:
            cut = mne.Epochs(raw, events, wanted, tmin, tmax, baseline=baseline, preload=True, picks="all",
                             reject_by_annotation=reject)
        except (ValueError, RuntimeError):
            case.error(block)
            continue
        case.numbers(block, "Epochs", cut.get_data(), scale)
        case.events(block, cut.events)
        if len(cut):
            after(case, block, cut, scale, random)


def after(case, block, cut, scale, random):
    """What is made of epochs."""
    if not cut.get_channel_types(picks="eeg"):
        return
    average = case.add("EpochAveraging", {}, (block, "Epochs"))
    case.numbers(average, "Epochs", cut.average(picks="eeg").data, scale)
    limit = float(random.uniform(100, 2000))
    rejected = case.add("ArtifactRejection", {"Peak To Peak Limit": str(limit)}, (block, "Epochs"))
    kept = cut.copy().drop_bad(reject={"eeg": limit * 1e-6})
    case.events(rejected, kept.events)
    eeg = cut.copy().pick("eeg")
    order = np.argsort(eeg.events[:, 2], kind="stable")
    wavelet, level = str(random.choice(["db1", "db2", "sym4", "coif1"])), int(random.integers(1, 3))
    vectors = np.stack([np.concatenate([pywt.wavedec(channel, wavelet, mode="symmetric", level=level)[0]
                                        for channel in epoch]) for epoch in eeg.get_data()[order]])
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    features = case.add("WaveletTransform", {"Wavelet": wavelet, "Level": str(level)}, (block, "Epochs"))
    if (norms > 0).all():
        case.numbers(features, "FeatureVector", vectors / norms)
    ends = sorted(round(float(t), 3) for t in random.uniform(cut.tmin, cut.tmax, 2))
    means = eeg.copy().crop(*ends).get_data().mean(-1)[order]
    windows = case.add("WindowedMeans", {"Time Windows": [f"{ends[0]}:{ends[1]}"]}, (block, "Epochs"))
    case.numbers(windows, "FeatureVector", means, scale)


def main(folder, seed, count):
    for number in range(seed, seed + count):
        random = np.random.default_rng(number)
        place = os.path.join(folder, str(number))
        os.makedirs(place)
        case, raw, found = (brainvision if random.random() < 0.5 else edf)(place, random)
        case.numbers(case.reader, "EEGData", raw.get_data(), exact=True)
        if "eeg" in raw.get_channel_types():
            filters(case, raw, random)
            references_and_rates(case, raw, random)
        epochs(case, raw, found, random)
        case.write()


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
