"""The blocks of features and networks as the Python system has them."""

import keras
import numpy as np
import pywt
from keras.layers import Dense, Dropout
from keras.models import Sequential
from sklearn.model_selection import train_test_split

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType


class Vector:
    def __init__(self, features, class_id):
        self.features = features
        self.class_id = class_id

    def set_class(self, value):
        self.class_id = value


class WaveletTransform(Block):
    name = "WaveletTransform"

    def __init__(self):
        self.epochs = BlockInput("Epochs", 1, 1, ParameterType.EPOCHS)
        self.vectors = BlockOutput("FeatureVector", ParameterType.FEATUREVECTOR, 1, 100)

    def input_params(self, data):
        self.epochs.set_value(data["Epochs"])

    def execute(self):
        epochs = self.epochs.value
        vectors = []
        for name, number in epochs.event_id.items():
            for epoch in epochs[name].get_data():
                features = np.hstack([pywt.dwt(channel, "db1")[0] for channel in epoch])
                vectors.append(Vector(features / np.linalg.norm(features), number))
        self.vectors.set_value(vectors)
        return f"{len(vectors)} x {len(vectors[0].features)}", "STRING"


class FeatureLabeling(Block):
    name = "FeatureLabeling"

    def __init__(self):
        self.vectors = BlockInput("FeatureVector", 1, 1, ParameterType.EPOCHS)
        self.labels = BlockParameter("Labels", ParameterType.STRING_ARRAY, "")
        self.labelled = BlockOutput("FeatureVector", ParameterType.FEATUREVECTOR, 1, 100)

    def input_params(self, data):
        self.vectors.set_value(data["FeatureVector"])
        self.labels.set_value(data["Labels"])

    def execute(self):
        classes = {}
        for number, label in enumerate(self.labels.value):
            for event_id in label.split(","):
                classes[int(event_id)] = number
        kept = []
        for vector in self.vectors.value:
            if vector.class_id in classes:
                vector.set_class(classes[vector.class_id])
                kept.append(vector)
        self.labelled.set_value(kept)
        return classes, "STRING"


class NeuralNetworkLayer(Block):
    name = "NeuralNetworkLayer"

    def __init__(self):
        self.model = BlockInput("Model", 0, 1, ParameterType.MODEL)
        self.units = BlockParameter("Number of Units", ParameterType.NUMBER, "")
        self.activation = BlockParameter("Activation Function", ParameterType.STRING, "relu")
        self.dropout = BlockParameter("Dropout", ParameterType.STRING, "0")
        self.model_out = BlockOutput("Model", ParameterType.MODEL, 1, 100)

    def input_params(self, data):
        self.model.set_value(data.get("Model"))
        self.units.set_value(int(data["Number of Units"]))
        self.activation.set_value(data["Activation Function"])
        self.dropout.set_value(float(data["Dropout"]))

    def execute(self):
        model = Sequential() if self.model.value is None else self.model.value
        model.add(Dense(self.units.value, activation=self.activation.value))
        model.add(Dropout(self.dropout.value))
        self.model_out.set_value(model)


class NeuralNetworkClassifier(Block):
    name = "NeuralNetworkClassifier"

    def __init__(self):
        self.model = BlockInput("Model", 0, 1, ParameterType.MODEL)
        self.vectors = BlockInput("FeatureVector", 0, 1, ParameterType.FEATUREVECTOR)
        self.epochs = BlockParameter("Number of Epochs", ParameterType.NUMBER, "100")
        self.classes = BlockParameter("Number of Classes", ParameterType.NUMBER, "")
        self.model_out = BlockOutput("Model", ParameterType.MODEL, 1, 100)

    def input_params(self, data):
        self.model.set_value(data["Model"])
        self.vectors.set_value(data["FeatureVector"])
        self.epochs.set_value(int(data["Number of Epochs"]))
        self.classes.set_value(int(data["Number of Classes"]))

    def execute(self):
        model = self.model.value
        model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
        x = np.array([vector.features for vector in self.vectors.value])
        y = np.array([vector.class_id for vector in self.vectors.value])
        parts = train_test_split(x, y, test_size=0.33, random_state=42)
        classes = self.classes.value
        y_train, y_test = (keras.utils.to_categorical(part, classes) for part in parts[2:])
        history = model.fit(
            parts[0], y_train, epochs=self.epochs.value, validation_data=(parts[1], y_test), verbose=0
        )
        self.model_out.set_value(model)
        accuracy = history.history["accuracy"][-1]
        return f"Training Accuracy: {accuracy}\nNo. of Training Samples: {len(y_train)}\n", "STRING"


class SaveModel(Block):
    name = "SaveModel"

    def __init__(self):
        self.model = BlockInput("Model", 0, 1, ParameterType.MODEL)
        self.model_out = BlockOutput("Model", ParameterType.MODEL, 1, 100)

    def input_params(self, data):
        self.model.set_value(data["Model"])

    def execute(self):
        self.model_out.set_value(self.model.value)
        return self.model.value, "MODEL"


string_classobject_mapping = {
    kind.name: kind()
    for kind in (
        WaveletTransform, FeatureLabeling, NeuralNetworkLayer, NeuralNetworkClassifier, SaveModel,
    )
}
