import mne

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType as Type
from ..utils.numbers import number_or_none


class EpochExtraction(Block):
    family = "PreProcessing"
    name = "EpochExtraction"
    description = ""

    def __init__(self):
        self.eeg_data = BlockInput("EEGData", 1, 1, Type.EEGDATA)
        self.pre = BlockParameter("PreStimulus onset", Type.NUMBER, -0.2)
        self.post = BlockParameter("PostStimulus onset", Type.NUMBER, 0.5)
        self.baseline_start = BlockParameter(
            "Baseline Correction Start Time", Type.STRING, "None",
            "None means beginning of the data")
        self.baseline_end = BlockParameter(
            "Baseline Correction End Time", Type.STRING, "0", "None means end of the data")
        self.event_id = BlockParameter(
            "Event Id", Type.STRING, "None", "None means all the events")
        self.epochs = BlockOutput("Epochs", Type.EPOCHS, 1, 100)

    def input_params(self, data):
        self.eeg_data.value = data["EEGData"]
        self.pre.value = float(data["PreStimulus onset"])
        self.post.value = float(data["PostStimulus onset"])
        self.baseline_start.value = number_or_none(data["Baseline Correction Start Time"])
        self.baseline_end.value = number_or_none(data["Baseline Correction End Time"])
        self.event_id.value = number_or_none(data["Event Id"])

    def execute(self):
        raw = self.eeg_data.value
        events, event_ids = mne.events_from_annotations(raw)
        if self.event_id.value is not None:
            event_ids = {n: i for n, i in event_ids.items() if i == self.event_id.value}
        epochs = mne.Epochs(
            raw, events, event_ids, tmin=self.pre.value, tmax=self.post.value,
            baseline=(self.baseline_start.value, self.baseline_end.value))
        self.epochs.set_value(epochs)
        return str(epochs.get_data().shape), "STRING"
