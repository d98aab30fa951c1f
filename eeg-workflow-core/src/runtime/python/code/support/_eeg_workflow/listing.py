"""Modules of blocks: importing them, and what their blocks declare."""

import importlib
import os
import sys
import traceback

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter


class BadModule(Exception):
    """A module that cannot be used; `details` is the traceback, if there is one."""

    def __init__(self, module, message, details="", package=None):
        super().__init__(message)
        self.module = module
        self.details = details
        #: The package that is not installed, if that is the reason.
        self.package = package


def load(root, names):
    """Imports the modules and gives their blocks: {module: {block: prototype}}. A package without
    blocks is there for those beside it."""
    modules = {name: _load(root, name) for name in names}
    if all(blocks is None for blocks in modules.values()):
        problem = f"string_classobject_mapping must be a dict of blocks; {names[0]}/__init__.py has none"
        raise BadModule(names[0], problem)
    return {name: blocks or {} for name, blocks in modules.items()}


def _load(root, name):
    try:
        module = importlib.import_module(f"blocks.{name}")
    except BaseException as error:
        raise _import_error(root, name, error) from None
    mapping = getattr(module, "string_classobject_mapping", None)
    if mapping is None:
        return None
    if not isinstance(mapping, dict):
        given = type(mapping).__name__
        problem = f"string_classobject_mapping must be a dict of blocks; {name}/__init__.py has a {given}"
        raise BadModule(name, problem)
    blocks = {}
    for key, entry in mapping.items():
        if not isinstance(key, str) or not key:
            problem = f"the key {key!r} of string_classobject_mapping is not a name"
            raise BadModule(name, problem)
        if isinstance(entry, type) and issubclass(entry, Block):
            try:
                entry = entry()
            except BaseException as error:
                raise _import_error(root, name, error) from None
        if not isinstance(entry, Block):
            problem = f'entry "{key}" of string_classobject_mapping is not a block but {_a(entry)}'
            raise BadModule(name, problem)
        blocks[key] = entry
    return blocks


def _a(entry):
    kind = type(entry)
    if isinstance(entry, type):
        return f"the class {entry.__name__}, which does not derive from blocks.Block.Block"
    return f"a {kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else f"a {kind.__name__}"


def _import_error(root, name, error):
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    details = without_folders(root, details)
    if isinstance(error, SyntaxError) and error.filename:
        where = _relative(root, error.filename)
        return BadModule(name, f"{error.msg} ({where}, line {error.lineno})", details)
    frame = _last_frame(root, error)
    place = ""
    if frame is not None:
        place = f" ({_relative(root, frame.filename)}, line {frame.lineno}: {frame.line})"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.split(".")[0]
        ours = package == "blocks" or package in sys.modules
        if not ours:
            problem = f'package "{package}" is not installed{place}'
            return BadModule(name, problem, details, package)
    text = without_folders(root, str(error))
    kind = type(error).__name__
    return BadModule(name, f"{kind}: {text}{place}" if text else f"{kind}{place}", details)


def _last_frame(root, error):
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.startswith(root + os.sep)]
    return inside[-1] if inside else None


def _relative(root, path):
    return os.path.relpath(path, root) if path.startswith(root + os.sep) else path


def without_folders(root, text):
    """A text that does not tell where the server keeps the modules, and what runs them."""
    support = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in (root, support, os.path.dirname(support)):
        text = text.replace(folder + os.sep, "")
    return text


def describe(modules):
    """What the blocks declare, for the host."""
    return [
        {"name": name, "blocks": [_block(name, key, block) for key, block in blocks.items()]}
        for name, blocks in modules.items()
    ]


def _block(module, key, block):
    def text(attribute):
        value = getattr(block, attribute, "")
        return value if isinstance(value, str) else str(value)

    fields = []
    for field in vars(block).values():
        kind = next(
            (
                kind
                for kind, its_class in (
                    ("input", BlockInput),
                    ("output", BlockOutput),
                    ("parameter", BlockParameter),
                )
                if isinstance(field, its_class)
            ),
            None,
        )
        if kind is None:
            continue
        described = {"kind": kind, "name": field.name, "type": field.attribute_type}
        if kind == "parameter":
            described["default"] = _default(field.defaultvalue)
            described["description"] = field.description
        else:
            described["min"] = field.min_cardinality
            described["max"] = field.max_cardinality
        twin = next(
            (f for f in fields if f["kind"] == kind and f["name"] == field.name), None
        )
        if twin is not None:
            raise BadModule(module, f'block "{key}" has two {kind}s named "{field.name}"')
        fields.append(described)
    return {
        "name": key,
        "family": text("family"),
        "description": text("description"),
        "fields": fields,
    }


def _default(value):
    """As the designer sends it: a string, or a list of strings."""
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return str(value)
