import numpy as np
import pywt
from sklearn import preprocessing

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.ParameterType import ParameterType as Type
from .LabelledVectors import LabelledVectors


class WaveletTransform(Block):
    family = "FeatureExtraction"
    name = "WaveletTransform"
    description = ""

    def __init__(self):
        self.epochs = BlockInput("Epochs", 1, 1, Type.EPOCHS)
        self.features = BlockOutput("FeatureVector", Type.FEATUREVECTOR, 1, 100)

    def input_params(self, data):
        self.epochs.value = data["Epochs"]

    def execute(self):
        epochs = self.epochs.value
        vectors = []
        for epoch in epochs.get_data():
            rows = [pywt.wavedec(channel, "db8", level=4)[0] for channel in epoch]
            vectors.append(preprocessing.normalize(np.concatenate(rows).reshape(1, -1))[0])
        self.features.set_value(LabelledVectors(np.array(vectors), epochs.events[:, 2]))
        return "<br>Total datapoints: {} <br> No. of Features: {}".format(
            len(vectors), vectors[0].shape), "STRING"
