"""Earth Engine's description of an image -> :class:`ImageInfo`: bands, grids, dtypes, properties.

All that a download and its record need is read here, before any pixel is fetched. The request is
in :mod:`describe`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError, shown
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.pixel_types import smallest_dtype, value_range
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    EmptyImageError,
    PlanError,
)

# Bounds the item to a few megabytes. No longer properties are known.
_PROPERTY_LENGTH, _PROPERTIES_LENGTH = 100_000, 1_000_000
_BAND_ID_LENGTH = 1_000
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
# The default projection of computed images: pixels of one degree.
# Source: https://developers.google.com/earth-engine/guides/projections, read 2026-11.
_DEFAULT_CRS, _DEFAULT_TRANSFORM = "EPSG:4326", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class BandInfo:
    """One band, as Earth Engine describes it.

    :param id: the band's name.
    :param dtype: numpy's name of the smallest type that holds the declared values.
    :param grid: its pixels; None if the band has no bounds.
    :param is_on_default_grid: whether its projection is Earth Engine's default.
    :param is_apart: whether it certainly has no pixels in the download.
    """

    id: str
    dtype: str
    grid: PixelGrid | None
    is_on_default_grid: bool = False
    is_apart: bool = False

    @property
    def value_range(self) -> tuple[int, int]:
        """The least and the greatest value that an integer dtype holds."""
        return value_range(self.dtype)


@dataclass(frozen=True)
class ImageInfo:
    """An image, as Earth Engine describes it.

    :param properties: plain JSON data of bounded size.
    :param id: the asset that it was loaded from; None if it is computed.
    :param warnings: what the description holds and cannot be used, one sentence each.
    """

    bands: tuple[BandInfo, ...]
    properties: Mapping[str, Any]
    version: int | None = None
    id: str | None = None
    warnings: tuple[str, ...] = ()


def read_info(value: Any) -> ImageInfo:
    """Return the image info in a description.

    :param value: the result of ``ee.Image.getInfo()``.
    :raises EmptyImageError: if the image has no bands.
    :raises DownloadParamsError: if it describes anything but an image.
    :raises ForeignValueError: if it is not a description as Earth Engine gives it.
    """
    if not isinstance(value, Mapping) or value.get("type") != "Image":
        raise DownloadParamsError(
            f"image is an expression whose value is {shown(value)}, not an image.", field="image"
        )
    answer = Foreign(value, "the image")
    bands = tuple(_read_band(band) for band in answer.at("bands").items())
    if not bands:
        raise EmptyImageError(
            "The image has no bands; check whether it is computed from an empty collection."
        )
    if len({band.id for band in bands}) < len(bands):
        answer.at("bands").refuse("bands of different names")
    given, image_id = answer.at("properties"), answer.at("id")
    properties, left_out = _read_properties({} if given.is_absent else given.fields())
    version, is_none = _read_version(answer.at("version"))
    return ImageInfo(
        bands=bands,
        properties=properties,
        version=version,
        id=None if image_id.is_absent else image_id.text(),
        warnings=(*left_out, *is_none),
    )


def select_bands(info: ImageInfo, params: DownloadParams) -> ImageInfo:
    """Return the requested bands, in the requested order.

    :raises DownloadParamsError: if a requested band does not exist; names the bands that do.
    :raises PlanError: if a file cannot hold the name of a band.
    """
    known = {band.id: band for band in info.bands}
    missing = [band_id for band_id in params.band_ids if band_id not in known]
    if missing:
        raise DownloadParamsError(
            f"bands names {shown_names(missing)}, which the image does not have; it has "
            f"{shown_names(known)}.",
            field="bands",
        )
    chosen = tuple(known[band_id] for band_id in params.band_ids or known)
    for band in chosen:
        if _CONTROL_CHARACTER.search(band.id):
            raise PlanError(
                f"Band {shown(band.id)} has control characters in its name; rename it in the image."
            )
    return replace(info, bands=chosen)


def _read_band(band: Foreign) -> BandInfo:
    band_id = band.at("id").text(_BAND_ID_LENGTH)
    crs, transform = _read_projection(band)
    sides = band.at("dimensions")
    grid = None
    if not sides.is_absent and sides.items():
        if crs is None or transform is None:
            band.refuse("a band with crs and crs_transform")
        width, height = (side.whole(least=0) for side in sides.items(2))
        grid = PixelGrid(crs, _at_origin(transform, band.at("origin")), width, height)
    is_default = crs == _DEFAULT_CRS and transform == _DEFAULT_TRANSFORM
    return BandInfo(band_id, _read_dtype(band.at("data_type")), grid, is_default)


def _read_projection(band: Foreign) -> tuple[str | None, Sequence[float] | None]:
    """Return crs and crs_transform, each None if absent; a term may be NaN."""
    terms = band.at("crs_transform")
    # A crs without a code comes as WKT.
    names = [band.at(key) for key in ("crs", "crs_wkt", "wkt")]
    crs = next((name.text() for name in names if not name.is_absent), None)
    return crs, None if terms.is_absent else tuple(term.number() for term in terms.items(6))


def _at_origin(
    transform: Sequence[float], origin: Foreign
) -> tuple[float, float, float, float, float, float]:
    """Return the transform from a band's own corner.

    A clipped band keeps its image's transform; its origin is the offset of its own corner. In some
    old answers it is NaN, and so is the transform then.
    """
    a, b, c, d, e, f = transform
    column, row = (0.0, 0.0) if origin.is_absent else (n.number() for n in origin.items(2))
    return a, b, a * column + b * row + c, d, e, d * column + e * row + f


def _read_dtype(data_type: Foreign) -> str:
    if data_type.is_absent or data_type.at("precision").is_absent:
        return "float64"
    precision = data_type.at("precision").text()
    if precision != "int":
        return "float32" if precision == "float" else "float64"
    low, high = data_type.at("min"), data_type.at("max")
    if low.is_absent or high.is_absent:
        return "float64"  # 64-bit integers arrive as doubles.
    # NaN is in no range, so the result is float64.
    return smallest_dtype(_limit(low), _limit(high))


def _limit(value: Foreign) -> float:
    is_integer_as_text = isinstance(value.value, str) and value.value[-1:].isdigit()
    return value.whole() if is_integer_as_text else value.number()


def _read_properties(given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the properties that an item can hold, and a warning that names the others."""
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    room = _PROPERTIES_LENGTH
    for name, value in given.items():
        try:
            entry = Foreign({name: value}, name).plain()
            length = len(json.dumps(entry))
        except ForeignValueError:
            length = _PROPERTIES_LENGTH
        if length > min(room, _PROPERTY_LENGTH):
            left_out.append(name)
        else:
            kept |= entry
            room -= length
    if not left_out:
        return kept, ()
    names = shown_names(left_out)
    return kept, (f"The properties {names} are too long or too deeply nested to be recorded.",)


def _read_version(version: Foreign) -> tuple[int | None, tuple[str, ...]]:
    """Return the version, None if absent or unusable; and a warning if unusable."""
    try:
        return None if version.is_absent else version.whole(least=0), ()
    except ForeignValueError as error:
        return None, (f"{error}; a change of the image during the download goes unnoticed.",)
