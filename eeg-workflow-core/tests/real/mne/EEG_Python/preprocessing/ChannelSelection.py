from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType as Type


class ChannelSelection(Block):
    family = "PreProcessing"
    name = "ChannelSelection"
    description = ""

    def __init__(self):
        self.eeg_data = BlockInput("EEGData", 1, 1, Type.EEGDATA)
        self.channels = BlockParameter("Channels", Type.STRING_ARRAY, "", "Select channel")
        self.eeg_data_out = BlockOutput("EEGData", Type.EEGDATA, 1, 100)

    def input_params(self, data):
        self.eeg_data.set_value(data["EEGData"])
        self.channels.set_value(data["Channels"])

    def execute(self):
        raw = self.eeg_data.value
        raw.load_data()
        if self.channels.value:
            raw.pick(self.channels.value)
        self.eeg_data_out.set_value(raw)
        return str(raw.get_data().shape), "STRING"
