"""Feature vectors as laboratories' modules know them: a list of objects with `features` and
`class_id`."""

import array
import collections
import itertools

#: Class ids above this are event ids that nobody has labelled.
MOST_CLASSES = 1000


class FeatureVector:
    """The features of one epoch, and its class; before it is labelled, its event id."""

    def __init__(self, features, class_id=None, event_id=None):
        self.features = features
        self.class_id = class_id
        self.event_id = class_id if event_id is None else event_id

    def set_class(self, value):
        self.class_id = value

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


def are_vectors(value, declared=""):
    """Whether `to_fields` takes it for feature vectors."""
    return bool(_vectors(value)) or (_says_so(declared) and bool(_pairs(value)))


def _says_so(declared):
    return declared.lower() == "featurevector"


def to_fields(value, declared=""):
    """The fields of feature vectors in whatever form modules keep them; none if it is not one.

    They are a sequence of objects, or of dicts, with `features` and `class_id`, whoever's class
    they are; of arrays with a `class_id`; or one such object for all vectors. Where an output is
    `declared` as a FeatureVector, so are pairs of features and class, a pair of an array (vectors
    x features) and its classes, and an array by itself, whose vectors have no classes.
    """
    vectors = _vectors(value)
    if vectors is None and _says_so(declared):
        vectors = _pairs(value)
    if not vectors:
        return None
    rows = [_row(features) for features, _, _ in vectors]
    width = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(f"feature vector {number} has {len(row)} features, the first has {width}")
    data = memoryview(array.array("d", itertools.chain.from_iterable(rows))).cast("B")
    data = data.cast("d", [len(rows), width]) if width else []
    return {"data": data, **_classes(value, vectors)}


def _vectors(value):
    """Features, class and event id of each; none if they are not clearly that."""
    one = _one(value)
    if one is not None:
        features, classes, events = one
        if hasattr(classes, "__len__") and not isinstance(classes, str) and len(classes) == len(features):
            events = events if hasattr(events, "__len__") else [None] * len(classes)
            return list(zip(features, classes, events))
        # A single vector is not a list of them.
        return None
    if not _is_sequence(value) or not len(value) or _one(value[0]) is None:
        return None
    vectors = [_one(item) for item in value]
    return None if None in vectors else vectors


def _one(item):
    """Features, class and event id of an object, or of a dict."""
    if isinstance(item, dict):
        if "features" in item and "class_id" in item:
            return item["features"], item["class_id"], item.get("event_id")
        return None
    if not hasattr(item, "class_id"):
        return None
    features = getattr(item, "features", None)
    if features is None:
        # An array of a class of its own.
        features = item if hasattr(item, "ravel") else None
    return None if features is None else (features, item.class_id, getattr(item, "event_id", None))


def _pairs(value):
    """What a port that is declared so can only mean."""
    if getattr(value, "ndim", 0) == 2:
        return [(row, None, None) for row in value]
    if not _is_sequence(value) or not len(value):
        return None
    if len(value) == 2 and _is_table(value[0]) and len(value[1]) == len(value[0]):
        return [(row, number, None) for row, number in zip(*value)]
    if all(_is_sequence(item) and len(item) == 2 and _is_sequence(item[0]) for item in value):
        return [(features, number, None) for features, number in value]
    return None


def _is_sequence(value):
    if isinstance(value, (list, tuple, collections.deque)):
        return True
    return hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1


def _is_table(value):
    return getattr(value, "ndim", 0) == 2 or (
        isinstance(value, (list, tuple)) and len(value) > 0 and all(map(_is_sequence, value))
    )


def _row(features):
    """Of an array of several dimensions all elements."""
    if hasattr(features, "ravel"):
        features = features.ravel()
    elif isinstance(features, dict):
        features = features.values()
    return [float(feature) for feature in features]


def _classes(value, vectors):
    """The classes of vectors, and the events they come from."""
    given = [class_id for _, class_id, _ in vectors]
    if not any(class_id is not None for class_id in given):
        ids = [_whole(event_id) or 0 for _, _, event_id in vectors]
        return {"event_ids": ids, "classes": None, "labels": []}
    classes = [_whole(class_id) for class_id in given]
    labels = [str(label) for label in getattr(value, "labels", ())]
    names = [str(class_id) for class_id in given]
    if None in classes:
        if any(not isinstance(class_id, str) for class_id in given):
            number = classes.index(None)
            raise ValueError(f"feature vector {number} has the class_id {given[number]!r}, which is not a number")
        # Classes by their names, in the order in which they come first.
        labels = list(dict.fromkeys(names))
        classes = [labels.index(name) for name in names]
    ids = [_whole(event_id) for _, _, event_id in vectors]
    ids = [other if event is None else event for event, other in zip(ids, classes)]
    if isinstance(value, FeatureVectors) and not labels and ids == classes:
        return {"event_ids": ids, "classes": None, "labels": []}
    if min(classes) < 0 or max(classes) >= MOST_CLASSES:
        # They can be labelled yet.
        return {"event_ids": ids, "classes": None, "labels": []}
    while len(labels) <= max(classes):
        labels.append(str(len(labels)))
    return {"event_ids": ids, "classes": classes, "labels": labels}


def _whole(value):
    """The whole number that it is, also as a string; none if it is not one."""
    try:
        whole = int(value)
        return whole if isinstance(value, str) or whole == value else None
    except (TypeError, ValueError, OverflowError):
        return None
