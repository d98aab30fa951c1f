from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.ParameterType import ParameterType as Type


class ChannelNames(Block):
    family = "PreProcessing"
    name = "ChannelNames"
    description = ""

    def __init__(self):
        self.eeg_data = BlockInput("EEGData", 1, 1, Type.EEGDATA)

    def input_params(self, data):
        self.eeg_data.value = data["EEGData"]

    def execute(self):
        return str(self.eeg_data.value.ch_names), "STRING"
