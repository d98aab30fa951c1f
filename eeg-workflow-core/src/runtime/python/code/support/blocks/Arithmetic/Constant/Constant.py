from blocks.Block import Block
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType


class Constant(Block):
    family = "Constant"
    name = "Constant"

    def __init__(self):
        self.value = BlockParameter("constant value", ParameterType.NUMBER, 10)
        self.output = BlockOutput("output", ParameterType.NUMBER, 1, 1)

    def input_params(self, data):
        self.value.set_value(data["constant value"])

    def execute(self):
        typed = self.value.value
        try:
            self.output.set_value(int(typed))
        except ValueError:
            self.output.set_value(float(typed))
        return {"output": typed}, "STRING"
