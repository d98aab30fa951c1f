"""The side of eeg-workflow that runs inside of the interpreter."""
