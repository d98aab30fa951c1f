from keras.layers import Dense, Dropout
from keras.models import Sequential

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType as Type


class NeuralNetworkLayer(Block):
    family = "Classification"
    name = "NeuralNetworkLayer"
    description = ""

    def __init__(self):
        self.model = BlockInput("Model", 0, 1, Type.MODEL)
        self.units = BlockParameter("Number of Units", Type.NUMBER, "", "Must be an Integer")
        self.activation = BlockParameter(
            "Activation Function", Type.STRING, "relu",
            "Either, 'sigmoid', 'relu', 'softmax', 'elu', 'leaky-relu', 'selu' or 'gelu'")
        self.dropout = BlockParameter(
            "Dropout", Type.STRING, "0", "Fraction of the input units to drop")
        self.model_out = BlockOutput("Model", Type.MODEL, 1, 100)

    def input_params(self, data):
        self.model.value = data["Model"] if "Model" in data else None
        self.units.value = int(data["Number of Units"])
        self.activation.value = data["Activation Function"]
        self.dropout.value = float(data["Dropout"])

    def execute(self):
        model = self.model.value
        if model is None:
            model = Sequential()
        model.add(Dense(self.units.value, activation=self.activation.value))
        model.add(Dropout(self.dropout.value))
        self.model_out.set_value(model)
