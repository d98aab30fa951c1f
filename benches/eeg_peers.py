"""The other side of the bench `eeg`: the same steps with MNE-Python, and training with Keras.

usage: eeg_peers.py pipeline|small|pictures|train THREADS HEADER
Prints `step NAME CPU_SECONDS WALL_SECONDS` for each step, `process CPU_SECONDS` and `peak MIB`."""
import os
import resource
import sys
import time


def step(name, work):
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    print("step", name, time.process_time() - cpu, time.perf_counter() - wall, flush=True)
    return result


def pipeline(header, threads):
    import mne
    import numpy as np
    import pywt

    mne.set_log_level("ERROR")
    raw = step("read", lambda: mne.io.read_raw_brainvision(header, preload=True))
    jobs = threads if threads > 1 else None
    step("filter", lambda: raw.filter(0.1, 30.0, fir_design="firwin", n_jobs=jobs))
    events, ids = mne.events_from_annotations(raw)
    epochs = step("epochs", lambda: mne.Epochs(
        raw, events, event_id=ids, tmin=-0.2, tmax=0.5, baseline=(None, 0), preload=True))
    step("average", epochs.average)

    def wavelet():
        vectors = []
        for epoch in epochs.get_data():
            features = np.hstack([pywt.dwt(channel, "db1")[0] for channel in epoch])
            vectors.append(features / np.linalg.norm(features))
        return np.array(vectors)

    step("wavelet", wavelet)


def pictures(header, threads):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import mne

    mne.set_log_level("ERROR")
    raw = mne.io.read_raw_brainvision(header, preload=True)

    def plot():
        figure = plt.figure(figsize=(18, 7), dpi=100)
        plt.plot(raw.times, raw.get_data().T)
        figure.savefig(os.devnull, format="png")

    step("plot", plot)
    raw.filter(0.1, 30.0, fir_design="firwin")
    events, ids = mne.events_from_annotations(raw)
    epochs = mne.Epochs(
        raw, events, event_id=ids, tmin=-0.2, tmax=0.5, baseline=(None, 0), preload=True)

    def image():
        figures = epochs.plot_image(picks="eeg", combine="mean", show=False)
        figures[0].savefig(os.devnull, format="png")

    step("epoch-image", image)


def train(header, threads):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    features = (np.random.RandomState(1).rand(402, 22464) * 0.01).astype("f4")
    classes = keras.utils.to_categorical(np.arange(402) % 2, 2)
    model = keras.Sequential([
        keras.Input((22464,)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    step("fit", lambda: model.fit(features, classes, epochs=20, batch_size=32, verbose=0))


if __name__ == "__main__":
    part, threads, header = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    {"pictures": pictures, "train": train}.get(part, pipeline)(header, threads)
    print("process", time.process_time())
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
