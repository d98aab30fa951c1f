import os


def header_of(path):
    header = os.path.splitext(path)[0] + ".vhdr"
    if not os.path.exists(header):
        raise FileNotFoundError("no header beside " + os.path.basename(path))
    return header
