class LabelledVectors:
    """Feature vectors with the event id of each."""

    def __init__(self, vectors, ids, classes=None):
        self.vectors = vectors
        self.ids = ids
        self.classes = classes
