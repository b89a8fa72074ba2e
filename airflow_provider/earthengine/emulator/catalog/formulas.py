"""Descriptions of computed bands: a formula, independent of the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from affine import Affine

from airflow_provider.earthengine.emulator.catalog.landscape import (
    OTHERS,
    SHOWN,
    LandscapeRaster,
    Scene,
    Shown,
)
from airflow_provider.earthengine.emulator.catalog.stored_pixels import NOISE_BITS, FormulaRaster
from airflow_provider.earthengine.emulator.replies import ApiError
from airflow_provider.earthengine.emulator.strict_json import Description
from airflow_provider.earthengine.emulator.values.grids import Box, Footprint
from airflow_provider.earthengine.emulator.values.images import Band, PixelType
from airflow_provider.earthengine.emulator.values.pixels import NativeRaster, StoredPixels, Window
from airflow_provider.earthengine.emulator.values.projections import Projection, parse_crs


@dataclass(frozen=True)
class FormulaBand:
    """A described band that is computed.

    :param number: its 0-based position in its asset.
    :param masked: the windows without valid pixels in any image.
    :param values: the values of the levels; empty for the formula's own values.
    :param nan: the windows that hold NaN.
    :param is_sampled: whether coarser pixels are samples rather than means.
    :param shown: what it shows of a landscape; None for the formula.
    """

    id: str
    number: int
    dtype: str
    projection: Projection
    width: int
    height: int
    noise_bits: int
    masked: tuple[Window, ...]
    values: tuple[float, ...]
    nan: tuple[Window, ...]
    is_sampled: bool
    shown: Shown | None

    def make(self, scene: Scene, masked: tuple[Window, ...] = ()) -> Band:
        """Return the band of one image.

        :param scene: its seed is 0 for a single image; the 1-based number in a collection.
        :param masked: additional windows without valid pixels, in this band's pixels.
        """
        raster = self._landscape(scene, masked) or self._formula(scene.seed, masked)
        return make_band(self.id, raster, self.projection, self.is_sampled)

    def _landscape(self, scene: Scene, masked: tuple[Window, ...]) -> LandscapeRaster | None:
        if self.shown is None:
            return None
        return LandscapeRaster(
            self.shown,
            scene,
            self.projection.transform,
            self.width,
            self.height,
            PixelType(self.dtype).numpy,
            (*self.masked, *masked),
        )

    def _formula(self, seed: int, masked: tuple[Window, ...]) -> FormulaRaster:
        return FormulaRaster(
            self.number,
            self.width,
            self.height,
            PixelType(self.dtype).numpy,
            self.noise_bits,
            (*self.masked, *masked),
            seed,
            self.values,
            self.nan,
        )


def take_is_sampled(fields: Description) -> bool:
    """Return the field ``pyramiding``: whether it is ``sample`` rather than ``mean``."""
    policy = fields.take("pyramiding", "mean")
    if policy not in {"mean", "sample"}:
        raise fields.error("pyramiding", f"must be 'mean' or 'sample', not {policy!r}")
    return bool(policy == "sample")


def make_band(band_id: str, raster: NativeRaster, projection: Projection, is_sampled: bool) -> Band:
    """Return the band of stored pixels."""
    whole = Footprint(projection, Box(0, 0, raster.width, raster.height))
    return Band(
        band_id,
        _pixel_type(raster.dtype),
        projection,
        whole,
        StoredPixels(raster, projection, is_sampled),
    )


@cache
def _pixel_type(dtype: np.dtype[np.generic]) -> PixelType:
    # Asking numpy for the name is most of the time that a long series takes.
    return PixelType(dtype.name)


def read_formula_bands(description: Description) -> tuple[FormulaBand, ...]:
    """Return the bands of a formula asset or of a collection."""
    bands: list[FormulaBand] = []
    for number, fields in enumerate(description.take_objects("bands")):
        band = _read_formula_band(fields, number)
        if band.id in {known.id for known in bands}:
            raise fields.error("id", f"the band {band.id!r} is described twice")
        fields.finish()
        bands.append(band)
    return tuple(bands)


def _read_formula_band(fields: Description, number: int) -> FormulaBand:
    band_id = fields.take_text("id")
    dtype = fields.take_text("dtype")
    if dtype not in NOISE_BITS:
        raise fields.error("dtype", f"must be one of {', '.join(NOISE_BITS)}, not {dtype!r}")
    projection = Projection(take_crs(fields), Affine(*fields.take_numbers("crs_transform", 6)))
    if projection.transform.determinant == 0:
        raise fields.error("crs_transform", "must not flatten pixels to lines")
    size = fields.take_numbers("dimensions", 2)
    if min(size) < 1 or not all(side.is_integer() for side in size):
        raise fields.error("dimensions", f"must be [width, height] in pixels, not {size!r}")
    width, height = (int(side) for side in size)
    bits = PixelType(dtype).numpy.itemsize * 8
    noise_bits = fields.take_integer("noise_bits", 1, NOISE_BITS[dtype])
    if noise_bits >= min(bits, 32):
        raise fields.error("noise_bits", f"must be less than {min(bits, 32)} for {dtype}")
    masked = tuple(read_window(item) for item in fields.take_objects("masked", []))
    values = _take_values(fields, dtype)
    nan = tuple(read_window(item) for item in fields.take_objects("nan", []))
    if nan and not dtype.startswith("float"):
        raise fields.error("nan", f"{dtype} has only numbers")
    is_sampled = take_is_sampled(fields)
    shown = _take_shown(fields, projection)
    return FormulaBand(
        band_id,
        number,
        dtype,
        projection,
        width,
        height,
        noise_bits,
        masked,
        values,
        nan,
        is_sampled,
        shown,
    )


def _take_shown(fields: Description, projection: Projection) -> Shown | None:
    """Return the fields ``landscape``, ``scale`` and ``offset``."""
    if not fields.has("landscape"):
        return None
    name = fields.take_text("landscape")
    if name not in SHOWN:
        raise fields.error("landscape", f"must be one of {', '.join(SHOWN)}, not {name!r}")
    transform = projection.transform
    if transform.b or transform.d or transform.a <= 0 or transform.e != -transform.a:
        raise fields.error("crs_transform", "a landscape needs square pixels, north up")
    scale = fields.take_positive("scale", 1 if name in OTHERS else 0.0001)
    (offset,) = fields.take_numbers("offset", 1, [0])
    return Shown(name, scale, offset)


def _take_values(fields: Description, dtype: str) -> tuple[float, ...]:
    values = fields.take("values", [])
    is_numbers = isinstance(values, list) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )
    if not is_numbers:
        raise fields.error("values", f"must be a list of numbers, not {values!r}")
    kind = PixelType(dtype)
    low, high = kind.bounds
    for value in values:
        if not low <= value <= high or (kind.is_integer and value != int(value)):
            raise fields.error("values", f"{value} is not a valid {dtype}")
    return tuple(values)


def read_window(fields: Description) -> Window:
    """Return a rectangle of pixels; the caller must have taken the other fields."""
    window = Window(
        fields.take_integer("left", 0),
        fields.take_integer("top", 0),
        fields.take_integer("width", 1),
        fields.take_integer("height", 1),
    )
    fields.finish()
    return window


def take_crs(fields: Description) -> str:
    """Return the field ``crs``, which must be a supported code."""
    crs = fields.take_text("crs")
    try:
        parse_crs(crs)
    except ApiError as error:
        raise fields.error("crs", f"{crs!r}: {error.message}") from None
    return crs
