"""What is downloaded: an asset id or a serialised expression, and what Earth Engine says of it.

Reading the field is plain text work; only :meth:`ImageSource.to_ee` and :func:`describe_image`
import ``ee``, and the session they work in is made elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider.earthengine.download.grid import PixelGrid
from airflow_provider.earthengine.download.params import DownloadParams
from airflow_provider.earthengine.download.values import read_json, shown
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    PlanError,
    RequestRejectedError,
)

_ASSET_ID = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*")
_NO_SUCH_BAND = "did not match any bands"


class ValueComputer(Protocol):
    """What describing an image asks of an Earth Engine session."""

    def compute_value(self, value: Any) -> Any:
        """Return the value of an ``ee`` object as plain JSON data."""


@dataclass(frozen=True)
class ImageSource:
    """An image by its program.

    :param expression: the program, in the form of ``ee.Image.serialize()``, parsed.
    :param asset_id: the asset, if the program only loads one.
    """

    expression: Mapping[str, Any]
    asset_id: str | None = None

    @property
    def name(self) -> str:
        """The last part of the asset's id, or "download" for a computed image."""
        return self.asset_id.rsplit("/", 1)[-1] if self.asset_id else "download"

    def to_ee(self) -> Any:
        """Return the ``ee.Image``; needs an initialised session."""
        import ee

        if self.asset_id:
            return ee.Image(self.asset_id)
        try:
            value = ee.deserializer.decode(self.expression)
        except (ee.EEException, KeyError, TypeError, ValueError, RecursionError) as error:
            raise DownloadParamsError(
                f"image is an expression that does not decode ({type(error).__name__}: {error}); "
                "write what ee.Image.serialize() gives.",
                field="image",
            ) from None
        if not isinstance(value, ee.ComputedObject) or isinstance(
            value, ee.ImageCollection | ee.FeatureCollection | ee.Geometry
        ):
            raise DownloadParamsError(
                f"image is an expression of {_kind(value)}; write one of an image.", field="image"
            )
        return ee.Image(value)


@dataclass(frozen=True)
class BandInfo:
    """One band, as Earth Engine describes it.

    :param id: the band's name.
    :param dtype: numpy's name of the smallest type that holds the declared values.
    :param grid: its pixels; None where the band has no bounds.
    """

    id: str
    dtype: str
    grid: PixelGrid | None


@dataclass(frozen=True)
class ImageInfo:
    """The image with the download parameters applied, as Earth Engine describes it."""

    bands: tuple[BandInfo, ...]
    properties: Mapping[str, Any]
    version: int | None = None


def read_image(value: Any) -> ImageSource:
    """Return the image that an operator's field means.

    :param value: an asset id, or what ``ee.Image.serialize()`` gives, as JSON text or parsed.
    :raises DownloadParamsError: when it is neither.
    """
    value = read_json("image", value)
    if isinstance(value, Mapping):
        return _read_expression(value)
    if isinstance(value, str) and _ASSET_ID.fullmatch(value.strip()):
        asset_id = value.strip()
        return ImageSource(_load_expression(asset_id), asset_id)
    raise DownloadParamsError(
        f"image is {shown(value)}; write an asset id such as 'USGS/SRTMGL1_003', or what "
        "ee.Image.serialize() gives.",
        field="image",
    )


def describe_image(client: ValueComputer, image: Any, params: DownloadParams) -> ImageInfo:
    """Return what Earth Engine says of the image with the download parameters applied.

    :param image: an ``ee.Image``.
    :raises DownloadParamsError: for a band that the image does not have; names those it has.
    :raises PlanError: for an image that has no bands.
    """
    request = params.to_request()
    if params.bands:
        request["bands"] = [band.to_dict() for band in params.bands]
    # The client keeps to itself how it applies the parameters; doing it again here would be a
    # second opinion about the grid. When the client offers it publicly, this call can go.
    prepared = image._build_download_id_image(request)
    try:
        value = client.compute_value(prepared)
    except RequestRejectedError as error:
        if _NO_SUCH_BAND in error.server_text:
            raise DownloadParamsError(
                "bands names a band that the image does not have.",
                server_text=error.server_text,
                field="bands",
            ) from None
        raise
    return _select_bands(_read_info(value), params)


def _read_expression(value: Mapping[str, Any]) -> ImageSource:
    values = value.get("values")
    if not isinstance(values, Mapping) or value.get("result") not in values:
        raise DownloadParamsError(
            f"image is a dict without a result among its values: {shown(dict(value))}; write "
            "what ee.Image.serialize() gives.",
            field="image",
        )
    return ImageSource(value)


def _load_expression(asset_id: str) -> dict[str, Any]:
    """Return the program that ``ee.Image(asset_id)`` serialises to, without importing ``ee``."""
    load = {"functionName": "Image.load", "arguments": {"id": {"constantValue": asset_id}}}
    return {"result": "0", "values": {"0": {"functionInvocationValue": load}}}


def _kind(value: Any) -> str:
    return f"a {value.name()}" if hasattr(value, "name") else f"the constant {shown(value)}"


def _read_info(value: Any) -> ImageInfo:
    if not isinstance(value, Mapping) or value.get("type") != "Image":
        raise DownloadParamsError(
            f"image is an expression whose value is {shown(value)}, not an image.", field="image"
        )
    if not value.get("bands"):
        raise PlanError("The image has no bands: is it computed from an empty collection?")
    return ImageInfo(
        bands=tuple(_read_band(band) for band in value["bands"]),
        properties=value.get("properties") or {},
        version=value.get("version"),
    )


def _read_band(band: Mapping[str, Any]) -> BandInfo:
    grid = None
    if band.get("dimensions"):
        a, b, c, d, e, f = (float(term) for term in band["crs_transform"])
        # A clipped band keeps its image's transform and says where in it its own corner is.
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
    for bits in (8, 16, 32):
        if low >= 0 and high < 2**bits:
            return f"uint{bits}"
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return f"int{bits}"
    return "float64"


def _select_bands(info: ImageInfo, params: DownloadParams) -> ImageInfo:
    if not params.bands:
        return info
    known = {band.id: band for band in info.bands}
    missing = [band_id for band_id in params.band_ids if band_id not in known]
    if missing:
        raise DownloadParamsError(
            f"bands names {', '.join(missing)}, which the image does not have; it has "
            f"{', '.join(known)}.",
            field="bands",
        )
    return ImageInfo(
        tuple(known[band_id] for band_id in params.band_ids), info.properties, info.version
    )
