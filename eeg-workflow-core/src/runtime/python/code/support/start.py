"""Runs blocks of one archive for the host that started it.

Started as `python -I -S -B start.py` in a sandbox, with the channel to the host as standard
input. Until `confine` has run, nothing but this folder's files and the standard library is
imported.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _eeg_workflow import channel as channels
from _eeg_workflow import confine


def main():
    configuration = channels.first_message()
    # It closes all descriptors but the standard ones.
    confine.confine(configuration["confine"])
    channel = channels.Channel()
    channel.end_with_host()
    # For `blocks`, here and in the processes that blocks start.
    os.environ["EEG_WORKFLOW_MODULES"] = configuration["root"]
    os.environ["EEG_WORKFLOW_FILES"] = configuration["files"] + "/"
    import site

    site.main()
    # Interpreters that libraries start (multiprocessing, joblib) would be told of `-I -S` too,
    # and find no packages.
    import subprocess

    subprocess._args_from_interpreter_flags = lambda: ["-B"]
    from _eeg_workflow import runner

    runner.Runner(channel, configuration).serve()


if __name__ == "__main__":
    main()
