"""Feature vectors as laboratories' modules know them: a list of objects with `features` and
`class_id`."""

import array
import itertools

#: Class ids above this are event ids that nobody has labelled.
MOST_CLASSES = 1000


class FeatureVector:
    """The features of one epoch, and its class; before it is labelled, its event id."""

    def __init__(self, features, class_id=None, event_id=None):
        self.features = features
        self.class_id = class_id
        self.event_id = class_id if event_id is None else event_id

    def __repr__(self):
        return f"<FeatureVector: {len(self.features)} features, class {self.class_id}>"


class FeatureVectors(list):
    """The vectors that a native block gave. To numpy they are an array, vectors x features."""

    def __init__(self, vectors=(), labels=()):
        super().__init__(vectors)
        #: The name of each class; empty as long as they are not labelled.
        self.labels = list(labels)

    @property
    def shape(self):
        return (len(self), len(self[0].features) if self else 0)

    def __array__(self, dtype=None, copy=None):
        import numpy

        rows = [vector.features for vector in self]
        return numpy.array(rows, dtype=dtype).reshape(self.shape)


def from_fields(fields):
    rows, ids = fields["data"], fields["event_ids"]
    # Without numpy an array is a view of memory, which has no rows.
    rows = rows.tolist() if isinstance(rows, memoryview) else list(rows)
    classes = ids if fields["classes"] is None else fields["classes"]
    vectors = [FeatureVector(*vector) for vector in zip(rows, classes, ids)]
    return FeatureVectors(vectors, fields["labels"])


def to_fields(value):
    """The fields of a list of feature vectors, whoever's class they are; none if it is not one."""
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if not all(hasattr(item, "features") and hasattr(item, "class_id") for item in value):
        return None
    classes = [_whole(item.class_id) for item in value]
    if None in classes:
        return None
    ids = [_whole(getattr(item, "event_id", None)) for item in value]
    ids = [other if event is None else event for event, other in zip(ids, classes)]
    labels = list(getattr(value, "labels", ()))
    if isinstance(value, FeatureVectors) and not labels and ids == classes:
        return _fields(value, ids, None, [])
    if min(classes) < 0 or max(classes) >= MOST_CLASSES:
        # They can be labelled yet.
        return _fields(value, ids, None, [])
    while len(labels) <= max(classes):
        labels.append(str(len(labels)))
    return _fields(value, ids, classes, labels)


def _fields(vectors, ids, classes, labels):
    rows = [[float(feature) for feature in _flat(vector.features)] for vector in vectors]
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise ValueError("feature vectors of different lengths")
    flat = memoryview(array.array("d", itertools.chain.from_iterable(rows))).cast("B")
    data = flat.cast("d", [len(rows), width]) if width else []
    return {"data": data, "event_ids": ids, "classes": classes, "labels": labels}


def _flat(features):
    """Of an array of several dimensions all elements."""
    return features.ravel() if hasattr(features, "ravel") else features


def _whole(value):
    """The whole number that it is; none if it is not one."""
    try:
        whole = int(value)
        return whole if whole == value else None
    except (TypeError, ValueError, OverflowError):
        return None
