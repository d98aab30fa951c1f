"""An input of a block."""


class BlockInput:
    def __init__(self, name, min_cardinality, max_cardinality, attribute_type):
        if not (
            isinstance(name, str)
            and isinstance(min_cardinality, int)
            and isinstance(max_cardinality, int)
            and isinstance(attribute_type, str)
        ):
            raise TypeError("Incorrect parameter type")
        self.name = name
        self.min_cardinality = min_cardinality
        self.max_cardinality = max_cardinality
        self.attribute_type = attribute_type
        self.value = None

    def set_value(self, value):
        self.value = value
