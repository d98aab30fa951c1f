import mne

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.ParameterType import ParameterType as Type


class EventAndIds(Block):
    family = "PreProcessing"
    name = "EventAndIds"
    description = "Dictionary of 'Name' : 'Id' pair"

    def __init__(self):
        self.eeg_data = BlockInput("EEGData", 1, 1, Type.EEGDATA)

    def input_params(self, data):
        self.eeg_data.value = data["EEGData"]

    def execute(self):
        events, event_ids = mne.events_from_annotations(self.eeg_data.value)
        print(len(events), "events")
        return {str(name): int(number) for name, number in event_ids.items()}, "STRING"
