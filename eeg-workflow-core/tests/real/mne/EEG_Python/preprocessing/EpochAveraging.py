from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.ParameterType import ParameterType as Type


class EpochAveraging(Block):
    family = "PreProcessing"
    name = "EpochAveraging"
    description = ""

    def __init__(self):
        self.epochs = BlockInput("Epochs", 1, 1, Type.EPOCHS)
        self.average = BlockOutput("Epochs", Type.EPOCHS, 1, 100)

    def input_params(self, data):
        self.epochs.value = data["Epochs"]

    def execute(self):
        self.average.set_value(self.epochs.value.average())
