from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.ParameterType import ParameterType as Type


class SaveModel(Block):
    family = "Classification"
    name = "SaveModel"
    description = ""

    def __init__(self):
        self.model = BlockInput("Model", 0, 1, Type.MODEL)
        self.model_out = BlockOutput("Model", Type.MODEL, 1, 100)

    def input_params(self, data):
        self.model.value = data["Model"]

    def execute(self):
        self.model_out.set_value(self.model.value)
        return self.model.value, "MODEL"
