from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType as Type
from blocks.EEG_Python.utils.numbers import number_or_none


class Filter(Block):
    family = "PreProcessing"
    name = "Filter"
    description = ""

    def __init__(self):
        self.eeg_data = BlockInput("EEGData", 1, 1, Type.EEGDATA)
        self.low = BlockParameter(
            "Low Cutoff Frequency", Type.NUMBER, None, "If None the data are only low-passed")
        self.high = BlockParameter(
            "High Cutoff Frequency", Type.NUMBER, None, "If None the data are only high-passed")
        self.eeg_data_out = BlockOutput("EEGData", Type.EEGDATA, 1, 100)

    def input_params(self, data):
        self.eeg_data.value = data["EEGData"]
        self.low.value = number_or_none(data["Low Cutoff Frequency"])
        self.high.value = number_or_none(data["High Cutoff Frequency"])

    def execute(self):
        raw = self.eeg_data.value
        raw.load_data()
        self.eeg_data_out.set_value(raw.copy().filter(self.low.value, self.high.value))
