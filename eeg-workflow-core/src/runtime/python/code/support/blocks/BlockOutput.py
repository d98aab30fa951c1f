"""An output of a block."""


class BlockOutput:
    def __init__(self, name, attribute_type, min_cardinality, max_cardinality):
        if not (
            isinstance(name, str)
            and isinstance(attribute_type, str)
            and isinstance(min_cardinality, int)
            and isinstance(max_cardinality, int)
        ):
            raise TypeError("Incorrect parameter type")
        self.name = name
        self.attribute_type = attribute_type
        self.min_cardinality = min_cardinality
        self.max_cardinality = max_cardinality
        self.value = None

    def set_value(self, value):
        self.value = value
