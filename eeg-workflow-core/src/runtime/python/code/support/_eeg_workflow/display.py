"""What a block shows: its result as something that the host can keep."""

import io
import os
import shutil
import sys
import tempfile

from . import channel


def shown(result):
    """The kind, what belongs to it, and a descriptor, if there is one."""
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], str)):
        return None, None
    value, kind = result
    if kind == "STRING":
        text = value if isinstance(value, str) else str(value)
        return {"kind": "text", "text": text.encode("utf-8", "backslashreplace").decode()}, None
    if kind == "GRAPH":
        return {"kind": "graph", "name": "figure.png"}, _figure(value)
    if kind == "MODEL":
        name, descriptor = _model(value)
        return {"kind": "file", "name": name}, descriptor
    return None, None


def _figure(figure):
    if figure is None:
        import matplotlib.pyplot

        figure = matplotlib.pyplot.gcf()
    if isinstance(figure, (list, tuple)) and figure and hasattr(figure[0], "savefig"):
        # mne gives a list where it drew several; the first stands for them.
        figure = figure[0]
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return channel.memory_file(picture.getbuffer())


def _model(model):
    """Saves the model in a folder of its own, and gives the name and the content of the file."""
    folder = tempfile.mkdtemp()
    try:
        # Keras tells the format by the ending and refuses names without one.
        of_keras = any(
            kind.__module__.split(".")[0] in ("keras", "tensorflow", "tf_keras")
            for kind in type(model).__mro__
        )
        path = os.path.join(folder, "model.keras" if of_keras else "model")
        model.save(path)
        made = os.listdir(folder)
        if not made:
            raise FileNotFoundError("model.save(path) wrote no file")
        if len(made) > 1 or os.path.isdir(os.path.join(folder, made[0])):
            archive = shutil.make_archive(os.path.join(tempfile.mkdtemp(), "model"), "zip", folder)
            name, path = "model.zip", archive
        else:
            name, path = made[0], os.path.join(folder, made[0])
        return name, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def close_figures():
    """Closes what was drawn, so that nothing grows from block to block."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        try:
            pyplot.close("all")
        except Exception:
            pass
