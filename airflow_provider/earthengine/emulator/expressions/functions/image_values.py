"""Functions that make or change values of pixels: places, areas, classes, types, colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.elementwise import (
    BOOLEAN,
    computed_band,
)
from airflow_provider.earthengine.emulator.expressions.functions.image import (
    DEFAULT_PROJECTION,
    select_bands,
)
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.areas import EQUAL_AREA
from airflow_provider.earthengine.emulator.values.computed_pixels import (
    ComputedPixels,
    MaskedPixels,
    Numbers,
)
from airflow_provider.earthengine.emulator.values.geojson import WGS84
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType, integer_type
from airflow_provider.earthengine.emulator.values.interpolated_pixels import (
    MODES,
    InterpolatedPixels,
)
from airflow_provider.earthengine.emulator.values.pixels import Pixels
from airflow_provider.earthengine.emulator.values.projections import map_points, transform_points

_TYPES = {
    "byte": "uint8",
    "short": "int16",
    "int": "int32",
    "float": "float32",
    "double": "float64",
    **{name: name for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32")},
}


@dataclass(frozen=True)
class _PlacePixels:
    """Something that is computed of where a pixel is."""

    compute: Callable[[PixelGrid], Numbers]

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        values = np.broadcast_to(self.compute(grid), (grid.height, grid.width))
        return Pixels(values.astype(dtype), np.isfinite(values))


def _longitudes(grid: PixelGrid) -> Numbers:
    return grid.centres_in(WGS84)[0]


def _latitudes(grid: PixelGrid) -> Numbers:
    return grid.centres_in(WGS84)[1]


def _areas(grid: PixelGrid) -> Numbers:
    """Return the area of each pixel on the ellipsoid: that of its corners, in equal area."""
    columns, rows = np.meshgrid(np.arange(grid.width + 1.0), np.arange(grid.height + 1.0))
    xs, ys = map_points(grid.projection.transform, columns, rows)
    xs, ys = transform_points(grid.projection.crs, EQUAL_AREA.crs, xs, ys)
    across_x, across_y = xs[1:, 1:] - xs[:-1, :-1], ys[1:, 1:] - ys[:-1, :-1]
    down_x, down_y = xs[1:, :-1] - xs[:-1, 1:], ys[1:, :-1] - ys[:-1, 1:]
    # Half the cross product of the diagonals is the area of any quadrilateral.
    doubled: Numbers = np.abs(across_x * down_y - across_y * down_x)
    return doubled / 2


def _placed(name: str, bands: dict[str, Callable[[PixelGrid], Numbers]]) -> Function:
    made = tuple(
        Band(band_id, PixelType("float64"), DEFAULT_PROJECTION, None, _PlacePixels(compute))
        for band_id, compute in bands.items()
    )

    def call(session: Session, arguments: Arguments) -> Image:
        return Image(made)

    sent_by = "a DAG that weighs pixels by their place or area"
    return Function(f"Image.{name}", (), IMAGE, sent_by, call)


def _remap(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    before, after = arguments["from"], arguments["to"]
    default, name = arguments["defaultValue"], arguments["bandName"]
    if len(before) != len(after):
        raise REMAP.fail(f"{len(before)} values cannot become {len(after)} values.")
    given = [*before, *after, *([] if default is None else [default])]
    if not before or not all(_is_number(value) for value in given):
        raise REMAP.fail("Values must be numbers, at least one.")
    (band, *_) = select_bands(image, [0 if name is None else name])
    # Of values that are listed twice, the last counts.
    table = dict(zip(before, after, strict=True))
    keys = np.array(sorted(table), dtype=np.float64)
    results = np.array([table[key] for key in sorted(table)], dtype=np.float64)

    def place(values: Numbers) -> tuple[Numbers, Numbers]:
        index = np.clip(np.searchsorted(keys, values), 0, len(keys) - 1)
        return index, keys[index] == values

    def change(values: Numbers) -> Numbers:
        index, is_known = place(values)
        return np.where(is_known, results[index], 0 if default is None else default)

    outputs = [*after, *([] if default is None else [default])]
    kind = PixelType("float64")
    if all(float(value).is_integer() for value in outputs):
        kind = integer_type(min(outputs), max(outputs))
    remapped = computed_band("remapped", [band], kind, change)
    if default is None:
        known = ComputedPixels((band,), BOOLEAN, lambda values: place(values)[1])
        is_known = replace(band, pixel_type=BOOLEAN, source=known)
        remapped = replace(remapped, source=MaskedPixels(remapped, is_known))
    return Image((remapped,), image.properties)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cast(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    types, order = arguments["bandTypes"], arguments["bandOrder"]
    for name, wanted in types.items():
        if wanted not in _TYPES:
            raise unsupported(f"the type {wanted!r} of Image.cast")
        if name not in image.band_ids():
            raise unsupported(f"the band '{name}' of Image.cast, which the image lacks")
    if order is not None and sorted(order) != sorted(image.band_ids()):
        raise CAST.fail(f"'bandOrder' must list all bands: [{', '.join(image.band_ids())}].")

    def cast_band(band: Band) -> Band:
        if band.id not in types:
            return band
        kind = PixelType(_TYPES[types[band.id]])
        cast = computed_band(band.id, [band], kind, lambda values: values)
        return replace(cast, is_cast=True)

    bands = {band.id: cast_band(band) for band in image.bands}
    return replace(image, bands=tuple(bands[name] for name in order or image.band_ids()))


def _resample(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    mode = arguments["mode"]
    if mode not in MODES:
        raise unsupported(f"the mode '{mode}' of Image.resample")
    bands = (
        replace(band, source=InterpolatedPixels(band, mode))
        if band.projection != DEFAULT_PROJECTION
        else _not_resampled()
        for band in image.bands
    )
    return replace(image, bands=tuple(bands))


def _not_resampled() -> Band:
    raise unsupported("Image.resample of an image without a projection of its own")


def _scale_to_unit(session: Session, arguments: Arguments) -> Image:
    image, low, high = arguments["input"], float(arguments["low"]), float(arguments["high"])
    if low == high:
        raise invalid_argument("Image.unitScale: 'low' and 'high' must differ.")

    def scale(band: Band) -> Band:
        kind = PixelType("float64")
        return computed_band(band.id, [band], kind, lambda values: (values - low) / (high - low))

    return Image(tuple(map(scale, image.bands)))


def _band_types(session: Session, arguments: Arguments) -> dict[str, Any]:
    image: Image = arguments["image"]
    return {band.id: band.pixel_type.as_json() for band in image.bands}


REMAP = Function(
    "Image.remap",
    (
        Parameter("image", IMAGE),
        Parameter("from", "List<Object>"),
        Parameter("to", "List<Object>"),
        Parameter("defaultValue", "Object", None),
        Parameter("bandName", "String", None),
    ),
    IMAGE,
    "a DAG that maps classes, such as those of a cloud mask",
    _remap,
)
CAST = Function(
    "Image.cast",
    (
        Parameter("image", IMAGE),
        Parameter("bandTypes", "Dictionary<Object>"),
        Parameter("bandOrder", "List<String>", None),
    ),
    IMAGE,
    "a DAG that chooses the types of bands",
    _cast,
)

FUNCTIONS = (
    _placed("pixelLonLat", {"longitude": _longitudes, "latitude": _latitudes}),
    _placed("pixelArea", {"area": _areas}),
    REMAP,
    CAST,
    Function(
        "Image.resample",
        (Parameter("image", IMAGE), Parameter("mode", "String", "bilinear")),
        IMAGE,
        "geedim, to resample; a DAG that reprojects smoothly",
        _resample,
    ),
    Function(
        "Image.unitScale",
        (Parameter("input", IMAGE), Parameter("low", "Float"), Parameter("high", "Float")),
        IMAGE,
        "a DAG that scales values, for a picture or a score",
        _scale_to_unit,
    ),
    Function(
        "Image.bandTypes",
        (Parameter("image", IMAGE),),
        "Dictionary<Object>",
        "a DAG that compares the types of bands",
        _band_types,
    ),
)
