"""A parameter of a block."""


class BlockParameter:
    def __init__(self, name, attribute_type, defaultvalue=None, description=""):
        if not (
            isinstance(name, str)
            and isinstance(attribute_type, str)
            and isinstance(description, str)
        ):
            raise TypeError("Incorrect parameter type")
        self.name = name
        self.attribute_type = attribute_type
        self.defaultvalue = defaultvalue
        self.description = description
        self.value = defaultvalue

    def set_value(self, value):
        self.value = value
