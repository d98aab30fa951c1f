from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.ParameterType import ParameterType as Type


class EEGPlot(Block):
    family = "Visualization"
    name = "EEGPlot"
    description = ""

    def __init__(self):
        self.eeg_data = BlockInput("EEGData", 1, 1, Type.EEGDATA)

    def input_params(self, data):
        self.eeg_data.value = data["EEGData"]

    def execute(self):
        raw = self.eeg_data.value
        figure = raw.plot(duration=20, show=False, block=False, scalings="auto")
        return figure, "GRAPH"
