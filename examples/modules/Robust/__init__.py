from statistics import median

from blocks.Block import Block
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType


class Median(Block):
    family = "Statistics"
    name = "Median"
    description = "The middle one of some numbers"

    def __init__(self):
        self.numbers = BlockParameter("numbers", ParameterType.NUMBER_ARRAY, ["1", "2", "9"])
        self.output = BlockOutput("output", ParameterType.NUMBER, 1, 100)

    def input_params(self, data):
        self.given = [float(number) for number in data["numbers"]]

    def execute(self):
        self.output.set_value(median(self.given))
        return f"the median of {len(self.given)} numbers is {self.output.value}", "STRING"


string_classobject_mapping = {Median.name: Median()}
