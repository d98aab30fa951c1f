from blocks.Block import Block
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType


class Plot(Block):
    """The graph of an expression in x, from -n to n - 1."""

    family = "Graph"
    name = "Plot"

    def __init__(self):
        self.equation = BlockParameter("function equation", ParameterType.STRING, "x")
        self.range = BlockParameter("range", ParameterType.NUMBER, 100)

    def input_params(self, data):
        self.equation.set_value(data["function equation"])
        self.range.set_value(int(float(data["range"])))

    def execute(self):
        import matplotlib.pyplot as plt

        xs = range(-self.range.value, self.range.value)
        code = compile(self.equation.value, "expression", "eval")
        plt.plot(xs, [eval(code, {"x": x}) for x in xs])
        return None, "GRAPH"
