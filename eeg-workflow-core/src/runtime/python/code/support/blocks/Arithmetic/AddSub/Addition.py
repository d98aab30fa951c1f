from ..Operation import Operation


class Addition(Operation):
    family = "AddSub"
    name = "Addition"

    def calculate(self, a, b):
        return a + b
