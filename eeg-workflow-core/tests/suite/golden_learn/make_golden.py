#!/usr/bin/env python3
"""Writes golden.json: the numbers that the tests eeg_learn*.rs compare with, made by PyWavelets,
scikit-learn, MNE and Keras.

    python3 -m venv venv
    venv/bin/pip install numpy scipy PyWavelets scikit-learn mne keras jax
    venv/bin/python make_golden.py
"""
import json
import os
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import mne
import numpy as np
import pywt
import sklearn
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

warnings.simplefilter("ignore")
mne.set_log_level("error")
HERE = os.path.dirname(os.path.abspath(__file__))
out = {"versions": {m.__name__: m.__version__ for m in (keras, mne, np, pywt, sklearn)}}
random = np.random.RandomState(7)

# ---- wavelets
out["wavedec"] = []
for name in ("haar", "db1", "db2", "db3", "db4", "db5", "db8", "sym2", "sym4", "sym5", "sym8", "coif1", "coif2"):
    for n, level in ((1, 1), (2, 1), (3, 2), (5, 3), (30, 1), (41, 3), (64, 2)):
        x = random.standard_normal(n).round(4)
        out["wavedec"].append({"wavelet": name, "level": level, "x": x, "coefficients": pywt.wavedec(x, name, mode="symmetric", level=level),
                               "max_level": pywt.dwt_max_level(n, pywt.Wavelet(name).dec_len)})

# ---- mean amplitudes in time windows
out["windowed_means"] = []
for sfreq, first, n in ((250.0, -50, 176), (512.0, -102, 359), (300.03000300030004, -60, 211)):
    data = random.standard_normal((4, 2, n)).round(3) * 1e-6
    epochs = mne.EpochsArray(data, mne.create_info(2, sfreq, "eeg"), tmin=first / sfreq, baseline=None)
    windows = [(-0.1, 0.0), (0.0, 0.1), (0.1, 0.25), (0.1234, 0.3456), (0.3, 0.3)]
    means = np.stack([epochs.copy().crop(a, b).get_data().mean(-1) for a, b in windows], -1)
    out["windowed_means"].append({"sfreq": sfreq, "first": first, "data": data, "windows": [f"{a}:{b}" for a, b in windows], "means": means.reshape(4, -1)})

# ---- stratified folds
out["folds"] = []
for classes, folds in (([0] * 7 + [1] * 12, 3), (list(random.randint(0, 3, 40)), 5), ([2, 2, 0, 1, 0, 1, 2, 0, 1, 2, 1], 3)):
    for seed in (None, 42, 7):
        k = StratifiedKFold(folds, shuffle=seed is not None, random_state=seed)
        out["folds"].append({"classes": classes, "folds": folds, "seed": seed, "splits": [{"train": a, "test": b} for a, b in k.split(np.zeros(len(classes)), classes)]})

# ---- linear discriminant analysis
out["lda"] = []
for samples, features, classes, scale in ((60, 5, 2, 1.0), (45, 4, 3, 1e-6), (30, 50, 2, 1e-6), (40, 1, 2, 1.0), (48, 6, 4, 1.0)):
    y = np.arange(samples) % classes
    x = (random.standard_normal((samples, features)).round(3) + 0.7 * np.cos(y[:, None] * 2.0 + np.arange(features)).round(3)) * scale
    if features == 6:
        x[:, 3] = 0.25  # a feature that is constant
    fits = []
    for shrinkage in ("auto", 0.1, 1.0, 0.0):
        if shrinkage == 0.0 and (features > 20 or features == 6):
            continue
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(x, y)
        scores = []
        for train, test in StratifiedKFold(5).split(x, y):
            fold = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(x[train], y[train])
            p = fold.predict_proba(x[test])
            auc = roc_auc_score(y[test], p[:, 1]) if classes == 2 else roc_auc_score(y[test], p, multi_class="ovr", average="macro")
            scores.append({"accuracy": (fold.predict(x[test]) == y[test]).mean(), "auc": auc})
        fits.append({"shrinkage": shrinkage, "coef": lda.coef_, "intercept": lda.intercept_, "probabilities": lda.predict_proba(x), "folds": scores})
    out["lda"].append({"x": x, "y": y, "classes": classes, "fits": fits})

# ---- area under the curve, with ties
y = random.randint(0, 2, 50)
out["auc"] = {"positive": [bool(v) for v in y], "scores": (random.standard_normal(50) + y).round(1)}
out["auc"]["auc"] = roc_auc_score(y, out["auc"]["scores"])

# ---- activations and optimisers of Keras, in f64
keras.config.set_floatx("float64")
x = np.array([-3.0, -2.0, -0.5, -1e-3, 0.0, 0.25, 1.5, 4.0])
names = {"sigmoid": "sigmoid", "relu": "relu", "softmax": "softmax", "elu": "elu", "leaky-relu": "leaky_relu", "selu": "selu", "gelu": "gelu", "tanh": "tanh", "linear": "linear"}
out["activations"] = {"x": x, "y": {own: np.asarray(keras.activations.get(theirs)(keras.ops.convert_to_tensor(x[None])))[0] for own, theirs in names.items()}}
out["activations"]["y"]["gelu"] = np.asarray(keras.activations.gelu(keras.ops.convert_to_tensor(x), approximate=False))
out["optimizers"] = {}
gradients = [random.standard_normal(6) * 10.0 ** (k - 3) for k in range(5)]
start = random.standard_normal(6)
for name in ("adam", "adagrad", "rmsprop", "sgd"):
    optimizer = keras.optimizers.get(name)
    variable = keras.Variable(start, dtype="float64")
    optimizer.build([variable])
    steps = []
    for g in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g)], [variable])
        steps.append(np.asarray(variable.value).copy())
    out["optimizers"][name] = steps
out["optimizer_start"], out["optimizer_gradients"] = start, gradients

# ---- a forward pass, the loss and one step of training without dropout
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, "elu"), keras.layers.Dense(3, "softmax")])
weights = [random.standard_normal(w.shape).round(3) for w in model.get_weights()]
model.set_weights(weights)
x, y = random.standard_normal((6, 4)).round(3), np.array([0, 1, 2, 2, 1, 0])
model.compile(keras.optimizers.Adam(), "categorical_crossentropy")
loss = model.evaluate(x, np.eye(3)[y], verbose=0)
predicted = model.predict(x, verbose=0)
model.train_on_batch(x, np.eye(3)[y])
out["step"] = {"weights": weights, "x": x, "y": y, "predicted": predicted, "loss": loss, "after": model.get_weights()}

# ---- one step behind a dropout of everything, in which only the last bias changes
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, "tanh"), keras.layers.Dropout(1), keras.layers.Dense(3, "softmax")])
model.set_weights(weights)
model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
model.train_on_batch(x, np.eye(3)[y])
out["dropout_1"] = {"after": model.get_weights()}

# ---- accuracy over several seeds, in f32 as Keras computes
keras.config.set_floatx("float32")
n, p = 240, 30
y = np.arange(n) % 3
x = (random.standard_normal((n, p)) + 0.42 * np.cos(y[:, None] * 2.1 + np.arange(p))).round(2)
out["training"] = {"x": x, "y": y, "train": 160, "epochs": 15, "units": 16, "dropout": 0.2, "accuracy": {}}
for name in ("adam", "adagrad", "rmsprop"):
    found = []
    for seed in range(10):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.layers.Input((p,)), keras.layers.Dense(16, "relu"), keras.layers.Dropout(0.2), keras.layers.Dense(3, "softmax")])
        rate = 0.05 if name == "adagrad" else 0.01
        model.compile({"adam": keras.optimizers.Adam, "adagrad": keras.optimizers.Adagrad, "rmsprop": keras.optimizers.RMSprop}[name](rate), "categorical_crossentropy", metrics=["accuracy"])
        model.fit(x[:160], np.eye(3)[y[:160]], epochs=15, batch_size=32, verbose=0)
        found.append(model.evaluate(x[160:], np.eye(3)[y[160:]], verbose=0)[1])
    out["training"]["accuracy"][name] = found
    print(name, np.mean(found), np.std(found))


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    return value.item() if isinstance(value, np.generic) else value


with open(os.path.join(HERE, "golden.json"), "w") as file:
    json.dump(plain(out), file, separators=(",", ":"))
    file.write("\n")
