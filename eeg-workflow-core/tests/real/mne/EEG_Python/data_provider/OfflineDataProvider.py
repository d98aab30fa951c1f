import mne

from blocks.Block import Block
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType as Type
from blocks.EEG_Python.utils.paths import header_of


class OfflineDataProvider(Block):
    family = "DataProvider"
    name = "OfflineDataProvider"
    description = ""

    def __init__(self):
        self.eeg_file = BlockParameter(
            "EEG File", Type.FILE, "",
            'Select only the ".eeg" file, but folder must contain ".vhdr" and ".vmrk" files')
        self.eeg_data = BlockOutput("EEGData", Type.EEGDATA, 1, 100)

    def input_params(self, data):
        self.eeg_file.set_value(data["EEG File"])

    def execute(self):
        path = self.eeg_file.value
        path = self.FILE_BASE_PATH + path[path.index("/") + 1:]
        raw = mne.io.read_raw_brainvision(header_of(path), preload=False)
        self.eeg_data.set_value(raw)
        return str(raw.get_data().shape), "STRING"
