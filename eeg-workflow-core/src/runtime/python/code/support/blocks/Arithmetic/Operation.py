"""What blocks with two numbers have in common."""

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.ParameterType import ParameterType


class Operation(Block):
    def __init__(self):
        self.num1 = BlockInput("num1", 1, 1, ParameterType.NUMBER)
        self.num2 = BlockInput("num2", 1, 1, ParameterType.NUMBER)
        self.output = BlockOutput("output", ParameterType.NUMBER, 1, 1)

    def input_params(self, data):
        self.num1.set_value(data["num1"])
        self.num2.set_value(data["num2"])

    def execute(self):
        self.output.set_value(self.calculate(self.num1.value, self.num2.value))
        return {"output": self.output.value}, "STRING"
