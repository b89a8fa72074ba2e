"""Functions of pixels: powers, roots, logarithms, angles, rounding, remainders and shifts."""

from __future__ import annotations

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.elementwise import (
    binary,
    unary,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.computed_pixels import Numbers
from airflow_provider.earthengine.emulator.values.images import PixelType, union_of

_SENT_BY = "a DAG with an index, such as EVI, or the angles of a slope"
_BITS = "a DAG with a cloud mask, for its quality bits"


def _double(*kinds: PixelType) -> PixelType:
    return PixelType("float64")


def _float(left: PixelType, right: PixelType) -> PixelType:
    return PixelType("float64" if "float64" in {left.dtype, right.dtype} else "float32")


def _same(kind: PixelType) -> PixelType:
    return kind


def _whole(left: PixelType, right: PixelType) -> PixelType:
    if not (left.is_integer and right.is_integer):
        raise invalid_argument("Bitwise operands must be integer only.")
    return union_of([PixelType(left.dtype), PixelType(right.dtype)])


def _complement(kind: PixelType) -> PixelType:
    if not kind.is_integer:
        raise invalid_argument("Bitwise operands must be integer only.")
    return PixelType("int32" if kind.dtype != "uint32" else "float64")


def _either(left: PixelType, right: PixelType) -> PixelType:
    return union_of([PixelType(left.dtype), PixelType(right.dtype)])


def _remainder(left: Numbers, right: Numbers) -> Numbers:
    """Return the remainder with the sign of the dividend; by zero it is zero."""
    divisor = np.where(right == 0, 1, right)
    return np.where(right == 0, 0, np.fmod(left, divisor))


def _shift_left(left: Numbers, right: Numbers) -> Numbers:
    return np.asarray(left << np.clip(right, 0, 31))


def _shift_right(left: Numbers, right: Numbers) -> Numbers:
    return np.asarray(left >> np.clip(right, 0, 63))


def _round(values: Numbers) -> Numbers:
    return np.asarray(np.floor(values + 0.5))


FUNCTIONS = (
    binary("pow", _float, lambda left, right: np.power(left.astype(np.float64), right), _SENT_BY),
    binary("mod", _either, _remainder, _SENT_BY),
    binary("hypot", _double, np.hypot, _SENT_BY),
    # The first image is x, as the left number is in Number.atan2.
    binary("atan2", _double, lambda x, y: np.arctan2(y, x), _SENT_BY),
    binary("leftShift", _whole, _shift_left, _BITS),
    binary("rightShift", _whole, _shift_right, _BITS),
    binary("bitwiseXor", _whole, np.bitwise_xor, _BITS),
    unary("bitwiseNot", _complement, np.invert, _BITS),
    unary("round", _same, _round, _SENT_BY),
    unary("floor", _same, np.floor, _SENT_BY),
    unary("ceil", _same, np.ceil, _SENT_BY),
    *(
        unary(name, _double, compute, _SENT_BY)
        for name, compute in {
            "sqrt": np.sqrt,
            "exp": np.exp,
            "log": np.log,
            "log10": np.log10,
            "sin": np.sin,
            "cos": np.cos,
            "tan": np.tan,
            "asin": np.arcsin,
            "acos": np.arccos,
            "atan": np.arctan,
        }.items()
    ),
)
