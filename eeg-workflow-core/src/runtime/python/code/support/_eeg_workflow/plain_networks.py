"""What stands for a native network where Keras cannot be imported: objects with the attributes and
methods of its models that modules use."""

import array
import json
import math
import operator
import struct


class Network:
    """A network as `keras.Sequential` shows it: `layers`, `add`, `predict`, `save`, `summary`."""

    def __init__(self, fields=None):
        fields = fields or {"layers": []}
        weights, biases = fields.get("weights"), fields.get("biases")
        self.name = "network"
        self.layers = []
        #: The name of each class that a trained network tells apart.
        self.class_labels = fields.get("labels")
        self.is_double = bool(fields.get("double"))
        for at, (units, activation, dropout) in enumerate(fields["layers"]):
            dense = Dense(units, activation)
            if weights is not None:
                dense.set_weights([weights[at], biases[at]])
            self.add(dense)
            if dropout is not None:
                self.add(Dropout(dropout))

    def add(self, layer):
        kind = type(layer).__name__.lower()
        if getattr(layer, "name", None) is None:
            before = sum(type(other) is type(layer) for other in self.layers)
            layer.name = f"{kind}_{before}" if before else kind
        self.layers.append(layer)

    @property
    def weights(self):
        return [part for layer in self.layers for part in layer.get_weights()]

    def get_weights(self):
        return self.weights

    def count_params(self):
        return sum(math.prod(part.shape) for part in self.weights)

    def predict(self, vectors, batch_size=None, verbose=0):
        """The outputs of the last layer for features, vectors x features: an array with numpy,
        else lists."""
        rows = [list(map(float, row)) for row in vectors] if _numpy() is None else vectors
        for layer in self.layers:
            rows = layer(rows)
        return rows

    def __call__(self, vectors, training=False):
        return self.predict(vectors)

    def summary(self, print_fn=print):
        for layer in self.layers:
            print_fn(f"{layer.name} ({type(layer).__name__}) {layer.get_config()}")

    def save(self, path, **options):
        """Writes a safetensors file, which the block LoadModel reads."""
        header = {"__metadata__": self._metadata()}
        kind, code = ("F64", "d") if self.is_double else ("F32", "f")
        data = b""
        for number, layer in enumerate((l for l in self.layers if isinstance(l, Dense)), 1):
            for name, part in zip(("weights", "bias"), _parts(layer)):
                values = array.array(code, _flat(part)).tobytes()
                place = [len(data), len(data) + len(values)]
                shape = list(part.shape)
                header[f"dense_{number}/{name}"] = {"dtype": kind, "shape": shape, "data_offsets": place}
                data += values
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = str(path)
        if not path.endswith(".safetensors"):
            path += ".safetensors"
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + data)

    def _metadata(self):
        dense = [layer for layer in self.layers if isinstance(layer, Dense)]
        if not dense:
            raise ValueError("the network has no layers to save")
        inputs = _parts(dense[0])[0].shape[0]
        labels = self.class_labels or [str(unit) for unit in range(dense[-1].units)]
        return {
            "class_labels": json.dumps(list(labels)),
            "input_shape": json.dumps([None, inputs]),
            "activations": json.dumps([layer.activation for layer in dense]),
        }


class Dense:
    def __init__(self, units, activation=None, name=None):
        self.units = int(units)
        self.activation = (activation or "linear").replace("_", "-")
        self.name = name
        self._weights = []

    def get_weights(self):
        return list(self._weights)

    def set_weights(self, weights):
        self._weights = list(weights)

    def get_config(self):
        return {"name": self.name, "units": self.units, "activation": self.activation}

    def __call__(self, rows):
        kernel, bias = _parts(self)
        numpy = _numpy()
        if numpy is not None:
            sums = numpy.asarray(rows, dtype=float) @ numpy.asarray(kernel) + numpy.asarray(bias)
            return numpy.array([activate(self.activation, row) for row in sums.tolist()]).reshape(sums.shape)
        columns = list(zip(*kernel.tolist()))
        bias = bias.tolist()
        sums = ([b + sum(map(operator.mul, row, column)) for column, b in zip(columns, bias)] for row in rows)
        return [activate(self.activation, row) for row in sums]


class Dropout:
    """Drops nothing when a network is used: only training does."""

    def __init__(self, rate, name=None):
        self.rate = rate
        self.name = name

    def get_weights(self):
        return []

    def get_config(self):
        return {"name": self.name, "rate": self.rate}

    def __call__(self, rows):
        return rows


def _parts(dense):
    if not dense._weights:
        raise ValueError(f"layer {dense.name!r} has no weights: the network was not trained")
    return dense._weights


def _flat(part):
    return part.ravel() if hasattr(part, "ravel") else memoryview(part).cast("B").cast("d")


def _numpy():
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def activate(name, row):
    """What an activation function makes of a layer's sums."""
    if name == "softmax":
        largest = max(row)
        powers = [math.exp(x - largest) for x in row]
        total = math.fsum(powers)
        return [power / total for power in powers]
    return list(map(FUNCTIONS[name], row))


FUNCTIONS = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x)),
    "relu": lambda x: max(x, 0.0),
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "leaky-relu": lambda x: x if x > 0 else 0.2 * x,
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "tanh": math.tanh,
    "linear": lambda x: x,
}
