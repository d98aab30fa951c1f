import numpy as np

from blocks.Block import Block
from blocks.BlockInput import BlockInput
from blocks.BlockOutput import BlockOutput
from blocks.BlockParameter import BlockParameter
from blocks.ParameterType import ParameterType as Type
from .LabelledVectors import LabelledVectors


class FeatureLabeling(Block):
    family = "FeatureExtraction"
    name = "FeatureLabeling"
    description = ""

    def __init__(self):
        self.features = BlockInput("FeatureVector", 1, 1, Type.EPOCHS)
        self.labels = BlockParameter(
            "Labels", Type.STRING_ARRAY, "",
            "All comma separated event ids are considered as one class."
            "<br>Event id will not be considered if not added")
        self.labelled = BlockOutput("FeatureVector", Type.FEATUREVECTOR, 1, 100)

    def input_params(self, data):
        self.features.value = data["FeatureVector"]
        self.labels.value = data["Labels"]

    def execute(self):
        class_of = {}
        for number, entry in enumerate(self.labels.value):
            for event_id in entry.split(","):
                class_of[int(event_id)] = number
        given = self.features.value
        kept = np.array([event_id in class_of for event_id in given.ids])
        classes = np.array([class_of[event_id] for event_id in given.ids[kept]])
        self.labelled.set_value(LabelledVectors(given.vectors[kept], given.ids[kept], classes))
        return class_of, "STRING"
