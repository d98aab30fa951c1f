import matplotlib.pyplot as plt
import mne

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.ParameterType import ParameterType as Type


class EpochPlot(Block):
    family = "Visualization"
    name = "EpochPlot"
    description = ""

    def __init__(self):
        self.epochs = BlockInput("Epochs", 1, 1, Type.EPOCHS)

    def input_params(self, data):
        self.epochs.value = data["Epochs"]

    def execute(self):
        epochs = self.epochs.value
        if isinstance(epochs, mne.Evoked):
            epochs.plot(show=False)
        else:
            epochs.plot_image(picks="eeg", combine="mean", show=False)
        plt.suptitle("Epochs")
        return None, "GRAPH"
