from blocks.Block import Block
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType


def double(number):
    return 2 * number


class Habit(Block):
    """Runs a line as laboratories write them."""

    def __init__(self):
        self.code = BlockParameter("code", ParameterType.STRING, "")

    def input_params(self, data):
        self.code.value = data["code"]

    def execute(self):
        names = {"double": double}
        exec(self.code.value, names)
        return str(names.get("result")), "STRING"


string_classobject_mapping = {"Habit": Habit()}
