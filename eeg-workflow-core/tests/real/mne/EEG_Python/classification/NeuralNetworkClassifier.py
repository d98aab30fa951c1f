import keras
from sklearn.model_selection import train_test_split

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType as Type


class NeuralNetworkClassifier(Block):
    family = "Classification"
    name = "NeuralNetworkClassifier"
    description = ""

    def __init__(self):
        self.model = BlockInput("Model", 0, 1, Type.MODEL)
        self.features = BlockInput("FeatureVector", 0, 1, Type.FEATUREVECTOR)
        self.optimizer = BlockParameter(
            "Optimizer", Type.STRING, "adam", "Either, 'adam', 'adagrad', 'rmsprop'")
        self.test_size = BlockParameter(
            "Test Size", Type.NUMBER, "0.33", "Test Train Split. Ratio of test size")
        self.epochs = BlockParameter("Number of Epochs", Type.NUMBER, "100")
        self.classes = BlockParameter(
            "Number of Classes", Type.NUMBER, "", "Number of Classification classes")
        self.model_out = BlockOutput("Model", Type.MODEL, 1, 100)

    def input_params(self, data):
        self.model.value = data["Model"]
        self.features.value = data["FeatureVector"]
        self.optimizer.value = data["Optimizer"]
        self.test_size.value = float(data["Test Size"])
        self.epochs.value = int(data["Number of Epochs"])
        self.classes.value = int(data["Number of Classes"])

    def execute(self):
        model, features = self.model.value, self.features.value
        y = keras.utils.to_categorical(features.classes, self.classes.value)
        x_train, x_test, y_train, y_test = train_test_split(
            features.vectors, y, test_size=self.test_size.value, random_state=0)
        model.compile(
            loss="categorical_crossentropy", optimizer=self.optimizer.value, metrics=["accuracy"])
        history = model.fit(
            x_train, y_train, epochs=self.epochs.value, validation_data=(x_test, y_test))
        self.model_out.set_value(model)
        return (
            "<br>Training Accuracy: {}<br>Validation Accuracy: {}<br>No. of Training Samples: {}"
            .format(history.history["accuracy"][-1], history.history["val_accuracy"][-1],
                    len(x_train)), "STRING")
