"""Functions that compute each pixel from the same pixel of their operands.

The type of a result is that of the widest operand; for integers, it is the smallest type that holds
every result possible with the operands' ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.computed_pixels import (
    ComputedPixels,
    Numbers,
    shared_footprint,
)
from airflow_provider.earthengine.emulator.values.images import (
    Band,
    Image,
    PixelType,
    integer_type,
    union_of,
)

BOOLEAN = PixelType("uint8", 0, 1)

Typing = Callable[[PixelType, PixelType], PixelType]
Compute = Callable[[Any, Any], Any]


def computed_band(
    name: str, operands: Sequence[Band], kind: PixelType, compute: Callable[..., Numbers]
) -> Band:
    """Return a band computed from others, on the projection of the first."""
    bands = tuple(operands)
    source = ComputedPixels(bands, kind, compute)
    return Band(name, kind, bands[0].projection, shared_footprint(bands), source)


def matched_bands(function: str, first: Image, second: Image) -> list[tuple[str, Band, Band]]:
    """Return the pairs of bands for a function of two images, and their names.

    A single band is paired with all bands of the other image; otherwise bands are paired by name
    or, if the names differ, by position. Source: the descriptions in the algorithm list.
    """
    left, right = first.bands, second.bands
    if not left or not right:
        if len(left) == len(right):
            return []
        # The real service's text, seen in a note of 2026-07.
        raise invalid_argument(
            f"{function}: If one image has no bands, the other must also have no bands. "
            f"Got {len(left)} and {len(right)}"
        )
    if len(right) == 1:
        return [(band.id, band, right[0]) for band in left]
    if len(left) == 1:
        return [(band.id, left[0], band) for band in right]
    if len(left) != len(right):
        raise invalid_argument(
            f"{function}: Image bands do not match: {len(left)} and {len(right)} bands."
        )
    by_id = {band.id: band for band in right}
    if set(by_id) == {band.id for band in left}:
        return [(band.id, band, by_id[band.id]) for band in left]
    return [(one.id, one, other) for one, other in zip(left, right, strict=True)]


def _by_corners(compute: Compute) -> Typing:
    """Return the typing of a function whose extremes are at the extremes of its operands."""

    def kind_of(left: PixelType, right: PixelType) -> PixelType:
        if not (left.is_integer and right.is_integer):
            return union_of([left, right])
        corners = [compute(int(a), int(b)) for a in left.bounds for b in right.bounds]
        return integer_type(min(corners), max(corners))

    return kind_of


def _boolean(left: PixelType, right: PixelType) -> PixelType:
    return BOOLEAN


def _quotient(left: PixelType, right: PixelType) -> PixelType:
    return PixelType("float64" if "float64" in {left.dtype, right.dtype} else "float32")


def _bits(left: PixelType, right: PixelType) -> PixelType:
    if not (left.is_integer and right.is_integer):
        raise invalid_argument("Bitwise operands must be integer only.")
    return union_of([replace(kind, minimum=None, maximum=None) for kind in (left, right)])


def _divide(left: Numbers, right: Numbers) -> Numbers:
    """Divide; by zero gives zero, as documented."""
    divisor = np.where(right == 0, 1, right)
    return np.where(right == 0, 0.0, left / divisor)


def binary(name: str, kind_of: Typing, compute: Compute, sent_by: str) -> Function:
    """Return a function of two images.

    :param kind_of: the type of the result, from those of the operands.
    """
    full_name = f"Image.{name}"

    def call(session: Session, arguments: Arguments) -> Image:
        pairs = matched_bands(full_name, arguments["image1"], arguments["image2"])
        bands = []
        for band_id, left, right in pairs:
            kind = kind_of(left.pixel_type, right.pixel_type)
            bands.append(computed_band(band_id, [left, right], kind, compute))
        return Image(tuple(bands))

    parameters = (Parameter("image1", IMAGE), Parameter("image2", IMAGE))
    return Function(full_name, parameters, IMAGE, sent_by, call)


def unary(
    name: str,
    kind_of: Callable[[PixelType], PixelType],
    compute: Callable[[Numbers], Numbers],
    sent_by: str,
    is_cast: bool = False,
) -> Function:
    """Return a function of one image; a cast keeps the image's properties."""

    def call(session: Session, arguments: Arguments) -> Image:
        image: Image = arguments["value"]
        bands = (
            computed_band(band.id, [band], kind_of(band.pixel_type), compute)
            for band in image.bands
        )
        return Image(
            tuple(replace(band, is_cast=is_cast) for band in bands),
            image.properties if is_cast else {},
        )

    return Function(f"Image.{name}", (Parameter("value", IMAGE),), IMAGE, sent_by, call)


def _cast(name: str, dtype: str) -> Function:
    def same(values: Numbers) -> Numbers:
        return values

    sent_by = "geedim for every download; callers for a type of their own"
    return unary(name, lambda _: PixelType(dtype), same, sent_by, is_cast=True)


def _magnitude(kind: PixelType) -> PixelType:
    low, high = kind.bounds
    if not kind.is_integer:
        return PixelType(kind.dtype)
    return integer_type(0 if low <= 0 <= high else min(abs(low), abs(high)), max(-low, high))


def _clamp(session: Session, arguments: Arguments) -> Image:
    image, low, high = arguments["input"], float(arguments["low"]), float(arguments["high"])
    if low > high:
        raise invalid_argument("Image.clamp: The low value must not be above the high value.")
    is_whole = low.is_integer() and high.is_integer()

    def clamp_band(band: Band) -> Band:
        kind = band.pixel_type
        if kind.is_integer:
            kind = integer_type(low, high) if is_whole else PixelType("float64")
        return computed_band(band.id, [band], kind, lambda values: np.clip(values, low, high))

    return Image(tuple(clamp_band(band) for band in image.bands), image.properties)


_ARITHMETIC = "an NDVI or another index of a DAG"
_CONDITION = "a DAG with a cloud mask, for its condition"

FUNCTIONS = (
    binary("add", _by_corners(lambda a, b: a + b), np.add, _ARITHMETIC),
    binary("subtract", _by_corners(lambda a, b: a - b), np.subtract, _ARITHMETIC),
    binary("multiply", _by_corners(lambda a, b: a * b), np.multiply, _ARITHMETIC),
    binary("divide", _quotient, _divide, _ARITHMETIC),
    binary("min", _by_corners(min), np.minimum, _ARITHMETIC),
    binary("max", _by_corners(max), np.maximum, _ARITHMETIC),
    binary("eq", _boolean, np.equal, _CONDITION),
    binary("neq", _boolean, np.not_equal, _CONDITION),
    binary("lt", _boolean, np.less, _CONDITION),
    binary("lte", _boolean, np.less_equal, _CONDITION),
    binary("gt", _boolean, np.greater, _CONDITION),
    binary("gte", _boolean, np.greater_equal, _CONDITION),
    binary("and", _boolean, np.logical_and, _CONDITION),
    binary("or", _boolean, np.logical_or, _CONDITION),
    binary("bitwiseAnd", _bits, np.bitwise_and, "a DAG with a cloud mask, for its quality bits"),
    binary("bitwiseOr", _bits, np.bitwise_or, "a DAG with a cloud mask, for its quality bits"),
    unary("not", lambda _: BOOLEAN, np.logical_not, _CONDITION),
    unary("abs", _magnitude, np.abs, _ARITHMETIC),
    Function(
        "Image.clamp",
        (Parameter("input", IMAGE), Parameter("low", "Float"), Parameter("high", "Float")),
        IMAGE,
        _ARITHMETIC,
        _clamp,
    ),
    *(
        _cast(name, dtype)
        for dtype, names in {
            "uint8": ("toUint8", "toByte", "uint8", "byte"),
            "int8": ("toInt8", "int8"),
            "uint16": ("toUint16", "uint16"),
            "int16": ("toInt16", "toShort", "int16", "short"),
            "uint32": ("toUint32", "uint32"),
            "int32": ("toInt32", "toInt", "int32", "int"),
            "float32": ("toFloat", "float"),
            "float64": ("toDouble", "double"),
        }.items()
        for name in names
    ),
)
