"""Numbers and strings of any class as plain ones: native blocks calculate with what they stand for."""

import decimal
import numbers
import operator
import sys

#: Kinds of NumPy's types that hold booleans, numbers or strings.
PLAIN_KINDS = "biufU"


def plain(value):
    """The boolean, integer, float or string that an object stands for; None if it is not one."""
    try:
        return _plain(value)
    except (ArithmeticError, TypeError, ValueError):
        # Too large for a float, a signalling NaN, a class that only pretends to be a number.
        return None


def _plain(value):
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        # What an array without axes holds, which may be any object.
        return None if value.ndim else _plain(value[()])
    if numpy is not None and isinstance(value, numpy.generic):
        return _of_numpy(numpy, value)
    for kind, convert in ((str, str.__str__), (int, int.__int__), (float, float.__float__)):
        if isinstance(value, kind):
            return value if isinstance(value, bool) else convert(value)
    if isinstance(value, decimal.Decimal):
        # 40 is an integer, 40.0 and 4E+1 are floats, as they are written.
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, numbers.Integral):
        return operator.index(value)
    if isinstance(value, numbers.Rational) and value.denominator == 1:
        return operator.index(value.numerator)
    if isinstance(value, numbers.Real):
        return float(value)
    return None


def _of_numpy(numpy, value):
    if value.dtype.kind not in PLAIN_KINDS:
        return None
    item = value.item()
    # What is more exact than a float stays NumPy's own.
    return float(item) if isinstance(item, numpy.generic) else item


def array(value):
    """The NumPy array that an object of another library gives of itself; None if it gives none."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(type(value), "__array__"):
        return None
    try:
        given = numpy.asarray(value)
    except Exception:
        # Code of the library: memory of a graphics card, tensors that keep their gradients …
        return None
    return given if given.dtype.kind in PLAIN_KINDS else None
