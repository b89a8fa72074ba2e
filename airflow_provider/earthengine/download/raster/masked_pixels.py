"""Which pixels are masked, and what a COG holds in their place.

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


def _lowest(block: _Array) -> Any:
    """Return the minimum, which is NaN if any pixel is: one pass finds both kinds of mask."""
    with np.errstate(invalid="ignore"):  # Of signalling NaN.
        return block.min()
