from ..Operation import Operation


class Multiplication(Operation):
    family = "MultiDiv"
    name = "Multiplication"

    def calculate(self, a, b):
        return a * b
