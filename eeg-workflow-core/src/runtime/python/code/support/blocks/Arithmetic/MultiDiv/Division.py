from ..Operation import Operation


class Division(Operation):
    family = "MultiDiv"
    name = "Division"

    def calculate(self, a, b):
        return a / b
