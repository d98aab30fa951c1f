"""Networks: native ones as models of Keras, or as objects like them where Keras cannot be imported;
and back from any object with `layers` of the kinds that native blocks have.

A network is its layers, `[units, activation, dropout after it]`, and its weights if it has any.
"""

import importlib.util
import sys

from . import plain_networks

#: The slope of leaky-relu below 0, of Keras and of native blocks.
LEAKY_SLOPE = 0.2
ACTIVATIONS = ("sigmoid", "relu", "softmax", "elu", "leaky-relu", "selu", "gelu", "tanh", "linear")
#: Initial weights that native blocks draw too.
INITIALIZERS = ("GlorotUniform", "Zeros")
KINDS = (
    "Dense", "Dropout", "Activation", "ReLU", "ELU", "LeakyReLU", "Softmax", "Flatten", "Identity",
    "InputLayer", "Input",
)


class Unknown(Exception):
    """Why native blocks cannot have this network."""


def from_fields(fields):
    keras = _keras()
    if keras is None:
        return plain_networks.Network(fields)
    weights = fields.get("weights")
    model = keras.Sequential()
    if weights is not None:
        model.add(keras.Input((weights[0].shape[0],)))
    for units, activation, dropout in fields["layers"]:
        model.add(keras.layers.Dense(units, activation=activation.replace("-", "_")))
        if dropout is not None:
            model.add(keras.layers.Dropout(dropout))
    if weights is not None:
        model.set_weights([part for pair in zip(weights, fields["biases"]) for part in pair])
        # So that it can be evaluated, as one that a block in Python has trained.
        model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
        model.class_labels, model.is_double = fields.get("labels"), fields.get("double", False)
    return model


def _keras():
    """Keras, if it can be imported."""
    if "keras" not in sys.modules and importlib.util.find_spec("keras") is None:
        return None
    try:
        import keras
    except Exception:
        # Without any of its backends.
        return None
    return keras


def is_one(value):
    """Whether it has the shape of a network."""
    if isinstance(value, type):
        return False
    try:
        layers = getattr(value, "layers", None)
    except Exception:
        # A property that needs something.
        return False
    return isinstance(layers, (list, tuple)) and any(
        hasattr(value, name) for name in ("predict", "add", "get_weights")
    )


def to_fields(model):
    """The fields of a network; raises `Unknown`, naming the layer that native blocks lack."""
    _check_order(model)
    layers = []
    weights = []
    for layer in _flat(model.layers):
        _add(layers, weights, layer)
    if not layers:
        raise Unknown("it has no Dense layer")
    fields = {"layers": [[n, name, dropout or 0.0] for n, name, dropout, _ in layers]}
    if all(part is None for part in weights):
        for layer in _flat(model.layers):
            _check_initializers(layer)
        return {**fields, "weights": None}
    if any(part is None for part in weights):
        raise Unknown("some of its layers have weights and others have none")
    labels = getattr(model, "class_labels", None)
    return {
        **fields,
        "weights": [kernel for kernel, _ in weights],
        "biases": [bias for _, bias in weights],
        "labels": None if labels is None else [str(label) for label in labels],
        "double": bool(getattr(model, "is_double", False)),
    }


def _check_order(model):
    """Whether its layers follow each other, as far as that is not seen from the layers."""
    kinds = [kind for kind in type(model).__mro__ if _is_of_keras(kind)]
    if not kinds:
        return
    name = type(model).__name__
    base = next((kind for kind in kinds if kind.__name__ in ("Sequential", "Functional")), None)
    if base is None or type(model).call is not base.call:
        raise Unknown(f"{name} computes in a way of its own, not layer by layer")
    if len(getattr(model, "inputs", None) or [0]) > 1 or len(getattr(model, "outputs", None) or [0]) > 1:
        raise Unknown(f"{name} has several inputs or outputs")


def _is_of_keras(kind):
    return kind.__module__.split(".")[0] in ("keras", "tf_keras", "tensorflow")


def _flat(layers):
    """The layers, those of networks among them too."""
    for layer in layers:
        if is_one(layer) and type(layer).__name__ in ("Sequential", "Functional", "Network"):
            _check_order(layer)
            yield from _flat(layer.layers)
        else:
            yield layer


def _add(layers, weights, layer):
    """Adds a layer: `[units, activation, dropout, whether an activation may still follow]`."""
    kind = type(layer).__name__
    # A layer of a module's own can have any name.
    if any(map(_is_of_keras, type(layer).__mro__)) and not _is_of_keras(type(layer)):
        raise Unknown(f"its layer {_name(layer)} is of the module's own class {kind}")
    if kind not in KINDS:
        raise Unknown(f"its layer {_name(layer)} is of the kind {kind}; native blocks have {', '.join(KINDS)}")
    if kind == "InputLayer" or kind == "Input":
        shape = getattr(layer, "batch_shape", None) or getattr(layer, "shape", None) or (None, None)
        if len(shape) > 2:
            raise Unknown(f"its layer {_name(layer)} takes {len(shape) - 1} dimensions, not features")
    elif kind == "Flatten" or kind == "Identity":
        pass
    elif kind == "Dense":
        _check_dense(layer)
        activation = _activation(layer, getattr(layer, "activation", None))
        layers.append([int(layer.units), activation, None, activation == "linear"])
        weights.append(_weights(layer))
    elif not layers:
        raise Unknown(f"its layer {_name(layer)} ({kind}) stands before the first Dense layer")
    elif kind == "Dropout":
        before = layers[-1][2] or 0.0
        layers[-1][2] = 1.0 - (1.0 - before) * (1.0 - float(layer.rate))
    else:
        activation = _of_layer(layer, kind)
        if not layers[-1][3] or layers[-1][2]:
            raise Unknown(f"its layer {_name(layer)} ({kind}) does not follow a Dense layer directly")
        layers[-1][1], layers[-1][3] = activation, False


def _of_layer(layer, kind):
    """The activation that a layer is."""
    if kind == "Activation":
        return _activation(layer, layer.activation)
    if kind == "ReLU" and not any((
        getattr(layer, "max_value", None), getattr(layer, "negative_slope", 0), getattr(layer, "threshold", 0)
    )):
        return "relu"
    if kind == "Softmax":
        return "softmax"
    if kind == "ELU" and float(getattr(layer, "alpha", 1.0)) == 1.0:
        return "elu"
    if kind == "LeakyReLU" and abs(float(getattr(layer, "negative_slope", 0.3)) - LEAKY_SLOPE) < 1e-6:
        return "leaky-relu"
    raise Unknown(f"its layer {_name(layer)} ({kind}) has another slope or limit than native blocks have")


def _activation(layer, activation):
    if activation is None:
        return "linear"
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)
    name = str(name).replace("_", "-")
    of_keras = isinstance(activation, str) or _is_of_keras_or_plain(activation)
    if name not in ACTIVATIONS or not of_keras:
        raise Unknown(f"its layer {_name(layer)} has the activation {name}; native blocks have {', '.join(ACTIVATIONS)}")
    return name


def _is_of_keras_or_plain(function):
    return str(getattr(function, "__module__", "")).split(".")[0] in ("keras", "tf_keras", "tensorflow", "_eeg_workflow")


def _check_dense(layer):
    if getattr(layer, "use_bias", True) is False:
        raise Unknown(f"its layer {_name(layer)} (Dense) has no bias")
    for name in ("kernel_regularizer", "bias_regularizer", "activity_regularizer",
                 "kernel_constraint", "bias_constraint"):
        if getattr(layer, name, None) is not None:
            raise Unknown(f"its layer {_name(layer)} (Dense) has a {name}, which native blocks do not have")


def _check_initializers(layer):
    for name in ("kernel_initializer", "bias_initializer"):
        initializer = getattr(layer, name, None)
        kind = type(initializer).__name__
        if initializer is not None and not isinstance(initializer, str) and kind not in INITIALIZERS:
            raise Unknown(
                f"its layer {_name(layer)} is to begin with weights by {kind}, which native blocks do not "
                "draw; a network that begins with an Input layer brings its weights along"
            )


def _weights(layer):
    """Kernel and bias; none if it has none yet."""
    found = list(layer.get_weights()) if hasattr(layer, "get_weights") else []
    return tuple(found) if len(found) == 2 else None


def _name(layer):
    return repr(str(getattr(layer, "name", type(layer).__name__)))
