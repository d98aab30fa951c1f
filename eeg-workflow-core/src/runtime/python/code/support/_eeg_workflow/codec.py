"""Values as they cross between the host and this process.

Plain values (None, booleans, numbers, strings, lists, maps) are JSON: what JSON has no word for is
an object of one key, `{"float": "nan"}`, `{"integer": "…"}`, `{"map": [[key, value], …]}`. Arrays
of floats are in memory that is passed beside the message: `{"array": shape, "at": offset}`. What is
neither stays here: `{"handle": number}`.
"""

import copy
import math
import mmap
import os
import pickle
import sys

from . import channel, exchange, features, libraries, networks, scalars

#: Plain values nested deeper than this, or of more parts, stay here.
MAX_DEPTH = 50
MAX_PARTS = 1_000_000
#: Integers of more bits than this are not plain.
MAX_BITS = 13_000


class NotPlain(Exception):
    """Why a value cannot cross."""


class Encoder:
    """Makes messages of values; arrays go into one piece of memory."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.pieces = []
        self.length = 0
        self.parts = 0

    def encode(self, value, depth=0, declared=""):
        if declared and self.arrays:
            fields = to_fields(value, declared)
            if fields is not None:
                return self.fields(fields, depth)
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise NotPlain("a string with half a surrogate pair") from None
            return value
        if kind is int:
            if -(1 << 63) <= value < 1 << 63:
                return value
            if value.bit_length() > MAX_BITS:
                raise NotPlain(f"an integer of {value.bit_length()} bits")
            return {"integer": str(value)}
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        self.parts += 1
        if depth > MAX_DEPTH:
            raise NotPlain("lists nested too deep")
        if kind is list or (self.arrays and isinstance(value, (list, tuple))):
            if self.arrays and features.are_vectors(value):
                return self.encode_object(value, depth)
            self.parts += len(value)
            if self.parts > MAX_PARTS and not self.arrays:
                raise NotPlain("too many parts")
            if is_flat(value):
                return list(value)
            return [self.encode(item, depth + 1) for item in value]
        if kind is dict or (self.arrays and isinstance(value, dict)):
            if self.arrays and features.are_vectors(value):
                return self.encode_object(value, depth)
            self.parts += len(value)
            if self.parts > MAX_PARTS and not self.arrays:
                raise NotPlain("too many parts")
            pairs = value.items()
            return {"map": [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in pairs]}
        if self.arrays:
            return self.encode_object(value, depth)
        raise NotPlain(type_name(value))

    def encode_object(self, value, depth):
        scalar = scalars.plain(value)
        if scalar is not None:
            return self.encode(scalar, depth + 1)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray):
            return self.encode_array(numpy, value)
        if type(value) is memoryview and value.format == "d" and value.c_contiguous:
            return self.place(value, value.shape)
        fields = to_fields(value)
        if fields is not None:
            return self.fields(fields, depth)
        array = scalars.array(value)
        if array is None:
            raise NotPlain(type_name(value))
        return self.encode_object(array, depth)

    def fields(self, fields, depth):
        name, fields = fields
        return {"object": name, "fields": {k: self.encode(v, depth + 1) for k, v in fields.items()}}

    def encode_array(self, numpy, array):
        if array.dtype.kind not in "biuf":
            raise NotPlain(f"an array of {array.dtype}")
        if isinstance(array, numpy.ma.MaskedArray):
            # What is masked is not known.
            array = array.astype("<f8").filled(numpy.nan)
        array = numpy.ascontiguousarray(array, dtype="<f8").reshape(array.shape)
        return self.place(array, array.shape)

    def place(self, array, shape):
        at = self.length
        self.pieces.append(array)
        self.length += -(-array.nbytes // 64) * 64
        return {"array": list(shape), "at": at}

    def memory(self):
        """The descriptor of the arrays' memory; none if there are no arrays."""
        if not self.pieces:
            return None
        memory = os.memfd_create("eeg-workflow", os.MFD_CLOEXEC)
        for array in self.pieces:
            if array.nbytes:
                channel.write(memory, array)
            padding = -array.nbytes % 64
            if padding:
                channel.write(memory, bytes(padding))
        return memory


def is_flat(items):
    """Whether all items are plain as they are. (Long lists are looked at in a few passes.)"""
    kinds = set(map(type, items))
    if len(kinds) != 1:
        return False
    kind = kinds.pop()
    if kind is int:
        return -(1 << 63) <= min(items) and max(items) < 1 << 63
    if kind is float:
        return all(map(math.isfinite, items))
    return kind is bool


def to_fields(value, declared=""):
    """As `exchange.to_fields`."""
    try:
        return exchange.to_fields(value, declared)
    except networks.Unknown as reason:
        raise NotPlain(str(reason)) from None


class Decoder:
    """Makes values of a message and its descriptors."""

    def __init__(self, store, descriptors, memory):
        self.store = store
        self.descriptors = descriptors
        self.map = None
        if memory is not None:
            source = descriptors[memory]
            if os.fstat(source).st_size:
                # Pages are copied when they are written to: what a block changes is its own.
                self.map = mmap.mmap(source, 0, access=mmap.ACCESS_COPY)

    def decode(self, encoded):
        if type(encoded) is list:
            return [self.decode(item) for item in encoded]
        if type(encoded) is not dict:
            return encoded
        if "map" in encoded:
            return {self.key(k): self.decode(v) for k, v in encoded["map"]}
        if "float" in encoded:
            return float(encoded["float"])
        if "integer" in encoded:
            return int(encoded["integer"])
        if "array" in encoded:
            return self.array(encoded["array"], encoded["at"])
        if "object" in encoded:
            fields = {name: self.decode(value) for name, value in encoded["fields"].items()}
            return exchange.from_fields(encoded["object"], fields)
        if "handle" in encoded:
            return self.store.take(encoded["handle"], encoded["as"])
        if "pickle" in encoded:
            return unpickle(self.descriptors[encoded["pickle"]])
        raise ValueError(f"a value of an unknown kind: {sorted(encoded)}")

    def key(self, encoded):
        key = self.decode(encoded)
        return tuple(key) if type(key) is list else key

    def array(self, shape, at):
        count = math.prod(shape)
        try:
            import numpy
        except ImportError:
            if not count:
                return memoryview(b"")
            return memoryview(self.map)[at : at + 8 * count].cast("d", shape or [1])
        if not count:
            return numpy.zeros(shape)
        return numpy.frombuffer(self.map, "<f8", count, at).reshape(shape)


class Store:
    """The values that stay in this process, by their numbers."""

    def __init__(self):
        self.values = {}
        self.last = 0

    def keep(self, value):
        self.last += 1
        self.values[self.last] = value
        return self.last

    def release(self, numbers):
        for number in numbers:
            self.values.pop(number, None)

    def take(self, number, form):
        """The value itself, for good (`itself`), or a copy of it (`copy`). What nobody else takes,
        but may share parts with what others take, is copied if it can be (`either`)."""
        if form == "itself":
            return self.values.pop(number)
        value = self.values[number]
        try:
            return copy.deepcopy(value)
        except Exception as reason:
            if form == "either":
                return value
            raise TypeError(
                f"a {type_name(value)} that others take too cannot be copied for this block: "
                f"{type(reason).__name__}: {reason}"
            ) from reason

    def pickle(self, number):
        """The descriptor of memory with the pickled value."""
        memory = os.memfd_create("eeg-workflow", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(memory, "wb", closefd=False) as file:
                pickle.dump(self.values[number], file, protocol=5)
        except BaseException:
            os.close(memory)
            raise
        return memory


def unpickle(source):
    with mmap.mmap(source, 0, prot=mmap.PROT_READ) as content:
        view = memoryview(content)
        try:
            with libraries.known():
                value = pickle.loads(view)
            libraries.arrived(value)
            return value
        finally:
            view.release()


def type_name(value):
    kind = type(value)
    module = getattr(kind, "__module__", None)
    name = getattr(kind, "__qualname__", kind.__name__)
    return name if module in (None, "builtins") else f"{module}.{name}"


def size(value):
    """About how many bytes a value holds."""
    for attribute in ("nbytes", "_size"):
        try:
            bytes_held = getattr(value, attribute, None)
            if isinstance(bytes_held, int) and not isinstance(bytes_held, bool):
                return max(0, bytes_held)
        except Exception:
            pass
    try:
        return sys.getsizeof(value)
    except Exception:
        return 0
