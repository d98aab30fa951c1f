from ..Operation import Operation


class Subtraction(Operation):
    family = "AddSub"
    name = "Subtraction"

    def calculate(self, a, b):
        return a - b
