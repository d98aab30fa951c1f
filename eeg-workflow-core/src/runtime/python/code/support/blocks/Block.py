"""The base class of all blocks."""

import os


class Block:
    """A block: its ports and parameters are attributes that `__init__` sets, in the order in
    which they are shown."""

    family = ""
    name = ""
    description = ""

    #: The folder of the user's files, with a slash at its end. A FILE value such as
    #: `Home/a/b.eeg` is `a/b.eeg` below it.
    FILE_BASE_PATH = os.environ.get("EEG_WORKFLOW_FILES", "")

    def input_params(self, data):
        """Takes the values of parameters and inputs, by their names."""

    def execute(self):
        """Does the work: sets the outputs, and returns what is shown, if anything:
        `(value, 'STRING')`, `(figure or None, 'GRAPH')` or `(model, 'MODEL')`."""
