"""The types that ports and parameters declare."""


class ParameterType:
    NUMBER = "NUMBER"
    NUMBER_ARRAY = "NUMBER[]"
    STRING = "STRING"
    STRING_ARRAY = "STRING[]"
    FILE = "FILE"
    FILE_LOCATION = "FILE_LOCATION"
    FILE_ARRAY = "FILE[]"
    BOOLEAN = "BOOLEAN"
    OBJECT = "OBJECT"
    EEGDATA = "EEGData"
    EPOCHS = "EPOCHS"
    FEATUREVECTOR = "FeatureVector"
    MODEL = "Model"
