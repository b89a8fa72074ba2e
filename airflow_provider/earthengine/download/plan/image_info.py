"""Image and parameters -> :class:`ImageInfo`: bands, grids and dtypes as Earth Engine reports them.

The grid is requested, never guessed: one computation returns crs, transform and size of each band.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapely.geometry import Polygon, shape

from airflow_provider.earthengine import limits
from airflow_provider.earthengine.download.client import ValueComputer
from airflow_provider.earthengine.download.fields.image import deep_program, prepare_request
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.values import shown, shown_names
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    EmptyImageError,
    PlanError,
    RequestRejectedError,
    SourceChangedError,
)

# So few make no program too deep that is not so by itself.
_FEW_BANDS = 50
_NO_IMAGE = re.compile(r"\bis not an Image\b")
_NO_SUCH_BAND = "did not match any bands"
_NO_SUCH_CRS = "The CRS of a map projection could not be parsed"
# What Earth Engine replies for an empty collection: for its composite, and for its first image.
# Source: https://github.com/swisstopo/topo-satromo/issues/101, read 2025-08.
_EMPTY_TEXTS = (
    "no bands",
    "Parameter 'input' is required",
    "Parameter 'image' is required",
)


@dataclass(frozen=True)
class BandInfo:
    """One band, as Earth Engine describes it.

    :param id: the band's name.
    :param dtype: numpy's name of the smallest type that holds the declared values.
    :param grid: its pixels; None if the band has no bounds.
    """

    id: str
    dtype: str
    grid: PixelGrid | None

    @property
    def value_range(self) -> tuple[int, int]:
        """The smallest and the largest value of the band's integer dtype."""
        bits = int(self.dtype.lstrip("uint"))
        return (
            (0, 2**bits - 1) if self.dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )


@dataclass(frozen=True)
class ImageInfo:
    """The image with the download parameters applied, as Earth Engine describes it."""

    bands: tuple[BandInfo, ...]
    properties: Mapping[str, Any]
    version: int | None = None


def describe_image(client: ValueComputer, image: Any, params: DownloadParams) -> ImageInfo:
    """Return Earth Engine's description of the image with the download parameters applied.

    :param image: an ``ee.Image``.
    :raises DownloadParamsError: if a requested band does not exist; names the bands that do.
    :raises EmptyImageError: if the image has no bands, or no pixels in the region.
    :raises PlanError: if the program with the region is too large for a request.
    """
    import ee

    request = prepare_request(params)
    # The client accepts plain ids from its own caller, but only dicts here.
    request["bands"] = [
        {"id": band} if isinstance(band, str) else band for band in request.get("bands", [])
    ]
    # How the client applies the parameters is private to it; a second implementation here could
    # differ from it. Drop this call once the client offers it publicly.
    prepared = image._build_download_id_image(request)
    try:
        _check_payload(prepared)
        whole, downloaded = client.compute_value(ee.List([image, prepared]))
    except RecursionError:
        raise _explain_depth(image, params) from None
    except RequestRejectedError as error:
        raise explain_refusal(error) from None
    info = select_bands(read_info(downloaded), params)
    _check_overlap(read_info(whole), info)
    return info


def check_unchanged(
    client: ValueComputer, image: Any, params: DownloadParams, info: ImageInfo
) -> None:
    """Raise if the image has changed since it was described; one without a version is not checked.

    :raises SourceChangedError: if its version has changed.
    """
    if info.version is None:
        return
    now = describe_image(client, image, params)
    if now.version != info.version:
        raise SourceChangedError(
            f"The image was replaced in Earth Engine (version {info.version}, now {now.version}) "
            "during the download, so its tiles may mix both versions; run the task again.",
            version=now.version,
        )


def _explain_depth(image: Any, params: DownloadParams) -> DownloadParamsError:
    """Return what is to blame for a program of too many steps in a row: the client chains bands."""
    import ee

    try:
        ee.serializer.encode(image, for_cloud_api=True)
    except RecursionError:
        return deep_program()
    if len(params.bands) < _FEW_BANDS:
        return deep_program()
    return DownloadParamsError(
        f"bands names {len(params.bands):,} bands, more than the client can write with format "
        f"{params.file_format}; use GEO_TIFF, or fewer bands a download.",
        field="bands",
    )


def _check_payload(image: Any) -> None:
    import ee

    byte_count = len(json.dumps(ee.serializer.encode(image, for_cloud_api=True)))
    if byte_count > limits.MAX_PAYLOAD_BYTE_COUNT:
        raise PlanError(
            f"The program with its region is {byte_count:,} bytes, but a request to Earth Engine "
            f"has at most {limits.MAX_PAYLOAD_BYTE_COUNT:,}; simplify the region, or upload it as "
            "a table and pass the table's id.",
            byte_count=byte_count,
        )


def explain_refusal(
    error: RequestRejectedError,
) -> RequestRejectedError | DownloadParamsError | EmptyImageError:
    """Return the error that explains why Earth Engine refused to describe the image."""
    if any(text in error.server_text for text in _EMPTY_TEXTS):
        return EmptyImageError(
            "The image does not exist or has no bands; check whether it is computed from an empty "
            "collection.",
            server_text=error.server_text,
        )
    if _NO_SUCH_BAND in error.server_text:
        return DownloadParamsError(
            "bands names a band that the image does not have.",
            server_text=error.server_text,
            field="bands",
        )
    if _NO_IMAGE.search(error.server_text):
        return DownloadParamsError(
            "image loads an asset that is no image; of a collection, list the images with "
            "EarthEngineListImagesOperator, or make one image of them, for example by .mosaic().",
            server_text=error.server_text,
            field="image",
        )
    if _NO_SUCH_CRS in error.server_text:
        return DownloadParamsError(
            "Earth Engine does not know this crs, of download_params or of the region's GeoJSON; "
            "write one such as 'EPSG:32610'.",
            server_text=error.server_text,
            field="crs",
        )
    return error


def read_info(value: Any) -> ImageInfo:
    """Return the image info in a description.

    :param value: the result of ``ee.Image.getInfo()``.
    :raises EmptyImageError: if the image has no bands.
    :raises DownloadParamsError: if it describes anything but an image.
    """
    if not isinstance(value, Mapping) or value.get("type") != "Image":
        raise DownloadParamsError(
            f"image is an expression whose value is {shown(value)}, not an image.", field="image"
        )
    if not value.get("bands"):
        raise EmptyImageError(
            "The image has no bands; check whether it is computed from an empty collection."
        )
    return ImageInfo(
        bands=tuple(_read_band(band) for band in value["bands"]),
        properties=value.get("properties") or {},
        version=value.get("version"),
    )


def _read_band(band: Mapping[str, Any]) -> BandInfo:
    grid = None
    if band.get("dimensions"):
        a, b, c, d, e, f = (float(term) for term in band["crs_transform"])
        # A clipped band keeps its image's transform; its origin is the offset of its own corner.
        column, row = band.get("origin") or (0, 0)
        transform = (a, b, a * column + b * row + c, d, e, d * column + e * row + f)
        width, height = (int(side) for side in band["dimensions"])
        grid = PixelGrid(str(band.get("crs") or band.get("crs_wkt")), transform, width, height)
    return BandInfo(str(band["id"]), _dtype_of(band.get("data_type") or {}), grid)


def _dtype_of(data_type: Mapping[str, Any]) -> str:
    precision = data_type.get("precision")
    if precision != "int":
        return "float32" if precision == "float" else "float64"
    low, high = data_type.get("min"), data_type.get("max")
    if low is None or high is None:
        return "float64"  # 64-bit integers arrive as doubles.
    return smallest_dtype(int(low), int(high))


def smallest_dtype(low: int, high: int) -> str:
    """Return numpy's smallest type that holds both; integers above 32 bits arrive as doubles."""
    for bits in (8, 16, 32):
        if low >= 0 and high < 2**bits:
            return f"uint{bits}"
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return f"int{bits}"
    return "float64"


def select_bands(info: ImageInfo, params: DownloadParams) -> ImageInfo:
    """Return the requested bands, in the requested order.

    :raises DownloadParamsError: if a requested band does not exist; names the bands that do.
    """
    if not params.bands:
        return info
    known = {band.id: band for band in info.bands}
    missing = [band_id for band_id in params.band_ids if band_id not in known]
    if missing:
        raise DownloadParamsError(
            f"bands names {shown_names(missing)}, which the image does not have; it has "
            f"{shown_names(known)}.",
            field="bands",
        )
    return ImageInfo(
        tuple(known[band_id] for band_id in params.band_ids), info.properties, info.version
    )


def _check_overlap(whole: ImageInfo, info: ImageInfo) -> None:
    """Raise if the requested pixels do not intersect the image."""
    extents = {band.id: band.grid for band in whole.bands}
    for band in info.bands:
        extent = extents.get(band.id)
        if band.grid and band.grid.width > 0 < band.grid.height and not _meet(band.grid, extent):
            raise EmptyImageError(
                f"The region does not intersect the image: band {band.id} has {extent}, requested "
                f"are {band.grid}; if the region is written as latitude, longitude, swap them."
            )


def _meet(grid: PixelGrid, extent: PixelGrid | None) -> bool:
    if extent is None:
        return True
    same = {"type": "Polygon", "coordinates": [grid.outline()]}
    outline = same if grid.crs == extent.crs else grid.outline_in(extent.crs)
    if outline is None:
        return True  # It cannot be decided here, so leave it to Earth Engine.
    return bool(shape(outline).intersects(Polygon(extent.outline())))
