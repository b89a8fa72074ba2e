"""Which pixels are masked, what a COG holds in their place, and how blocks are halved without them.

Earth Engine writes -inf into the masked pixels of floating-point bands, often without a nodata tag.
Readers take it for a value, and averages spread it. COGs hold NaN instead, and so does their tag.
A -inf or NaN that is data is then indistinguishable from a mask. With a nodata value from the user,
masked pixels hold that value, and everything else stays as it is.

Source of -inf: public files and programs of 2018 to 2026, among them
https://github.com/leftfield-geospatial/geedim (geedim/image.py); the emulator's README lists them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]

_QUARTER = np.float64(0.25)


def nodata_of_cog(dtype: str, nodata: float | None) -> float | None:
    """Return the nodata tag of the COG.

    :param nodata: the tag of Earth Engine's file, or the user's value; None for none.
    """
    if np.dtype(dtype).kind != "f" or (nodata is not None and math.isfinite(nodata)):
        return nodata
    return math.nan


def as_stored(block: _Array, nodata: float | None) -> _Array:
    """Return the block as the COG holds it: with NaN for -inf, if NaN is the mask.

    :param nodata: of the COG; see :func:`nodata_of_cog`.
    """
    if nodata is None or not math.isnan(nodata) or np.isfinite(_lowest(block)):
        return block
    return np.where(np.isneginf(block), block.dtype.type(math.nan), block)


def is_valid(values: _Array, nodata: float | None) -> npt.NDArray[np.bool_]:
    """Return which pixels are data. NaN never is; -inf is, if the mask is a finite value.

    :param nodata: of Earth Engine's file or of the COG; both give the same result. None for none.
    """
    if values.dtype.kind != "f":
        return np.ones(values.shape, bool) if nodata is None else values != nodata
    with np.errstate(invalid="ignore"):  # Of signalling NaN.
        if nodata is None or not math.isfinite(nodata):
            valid: npt.NDArray[np.bool_] = values > -math.inf
        else:
            valid = ~np.isnan(values) & (values != nodata)
        return valid


def halve(block: _Array, nodata: float | None) -> _Array:
    """Return one pixel for each 2 x 2, or for what an odd edge leaves of them.

    Floating-point bands are averaged. Whole numbers can be classes or bit masks, whose averages
    mean nothing: the upper left pixel is kept.

    :param block: (rows, columns) of one band, as stored.
    :param nodata: of the COG, for averages without a valid pixel.
    """
    if block.dtype.kind != "f":
        return block[::2, ::2]
    rows, columns = block.shape
    invalid = math.nan if nodata is None else nodata
    if rows % 2 or columns % 2:
        block = np.pad(block, ((0, rows % 2), (0, columns % 2)), constant_values=invalid)
    with np.errstate(invalid="ignore"):  # Of signalling NaN.
        return _averages(block, invalid).astype(block.dtype)


def _averages(block: _Array, nodata: float) -> _Array:
    # Double precision, and quarters of the pixels, whose sum cannot overflow.
    rows = block[0::2] * _QUARTER
    rows += block[1::2] * _QUARTER
    averages: _Array = rows[:, 0::2] + rows[:, 1::2]
    is_masked = None if math.isnan(nodata) else block == block.dtype.type(nodata)
    has_masked = is_masked is not None and is_masked.any()
    if not has_masked and np.isfinite(averages).all():  # As all pixels are.
        return averages
    valid = is_valid(block, nodata)
    valid_shares = _QUARTER * _sums(valid.view(np.uint8))
    averages = _sums(np.where(valid, block, 0) * _QUARTER) / valid_shares  # 0 / 0 is NaN.
    if is_masked is not None:
        # NaN is data then, so a pixel is masked only if all of its four are.
        averages[_sums(is_masked.view(np.uint8)) == 4] = nodata
    return averages


def _sums(block: _Array) -> _Array:
    """Return the sum of each 2 x 2 pixels."""
    rows = block[0::2] + block[1::2]
    sums: _Array = rows[:, 0::2] + rows[:, 1::2]
    return sums


def _lowest(block: _Array) -> Any:
    """Return the minimum, which is NaN if any pixel is: one pass finds both kinds of mask."""
    with np.errstate(invalid="ignore"):  # Of signalling NaN.
        return block.min()
