"""How a download is stored: files as served, the zip itself, or cloud-optimised GeoTIFFs."""

from __future__ import annotations

from airflow_provider.earthengine.download.fields.params import (
    NPY,
    ZIPPED_FORMATS,
    ZIPPED_GEO_TIFF_PER_BAND,
    DownloadParams,
)
from airflow_provider.earthengine.download.fields.values import read_choice, read_number
from airflow_provider.earthengine.exceptions import DownloadParamsError

COG = "cog"
AS_SERVED = "as_served"
ZIP = "zip"
LAYOUTS = (COG, AS_SERVED, ZIP)

DEFLATE, ZSTD, LZW, NONE = "deflate", "zstd", "lzw", "none"
COMPRESSIONS = (DEFLATE, ZSTD, NONE)

ITEM_SUFFIXES = _ZIP_ITEM, _NPY_ITEM, _BANDS_ITEM, _TIF_ITEM = (
    ".zip.json",
    ".npy.json",
    ".bands.json",
    ".tif.json",
)
"""How the keys of items end, after the base name."""


def read_layout(value: object, params: DownloadParams) -> str:
    """Return the layout, checked against the format; the default supports downloads of any size.

    :raises DownloadParamsError: if the layout is unknown or does not go with the format.
    """
    if value is None:
        return AS_SERVED if params.file_format == NPY else COG
    layout = read_choice("layout", value, LAYOUTS)
    if layout == COG and params.file_format == NPY:
        raise DownloadParamsError(
            "layout is 'cog', but format NPY is an array, not a GeoTIFF; leave layout out, or use "
            "another format.",
            field="layout",
        )
    if layout == ZIP and params.file_format not in ZIPPED_FORMATS:
        raise DownloadParamsError(
            f"layout is 'zip', but Earth Engine does not zip format {params.file_format}; use "
            f"one of {', '.join(sorted(ZIPPED_FORMATS))}.",
            field="layout",
        )
    return layout


def check_cog(layout: object) -> None:
    """Raise unless a layout can be put together from sections.

    :raises DownloadParamsError: if it cannot.
    """
    if layout != COG:
        raise DownloadParamsError(
            f"layout is {layout!r}, but only layout 'cog' can be fetched in sections; use it, or "
            "EarthEngineToS3Operator.",
            field="layout",
        )


def item_suffix(params: DownloadParams, layout: str) -> str:
    """Return the suffix of the item's key; known before anything is planned."""
    if layout == ZIP:
        return _ZIP_ITEM
    if params.file_format == NPY:
        return _NPY_ITEM
    return _BANDS_ITEM if params.file_format == ZIPPED_GEO_TIFF_PER_BAND else _TIF_ITEM


def read_nodata(value: object, layout: str) -> float | None:
    """Return the value for masked pixels; None: Earth Engine's own.

    :raises DownloadParamsError: if it is not a number, or the layout is "zip".
    """
    if value is None:
        return None
    if layout == ZIP:
        raise DownloadParamsError(
            "nodata is given, but layout 'zip' stores Earth Engine's zip unchanged; use layout "
            "'as_served'.",
            field="nodata",
        )
    return read_number("nodata", value)


def read_compression(value: object, layout: str) -> str:
    """Return how COGs are compressed.

    :raises DownloadParamsError: if the compression is unknown, or the layout is not "cog".
    """
    if value is None:
        return DEFLATE
    if isinstance(value, str) and value == LZW:
        raise DownloadParamsError(
            f"compression is {LZW!r}, which is no longer written; use one of "
            f"{', '.join(COMPRESSIONS)}.",
            field="compression",
        )
    compression = read_choice("compression", value, COMPRESSIONS)
    if layout != COG:
        raise DownloadParamsError(
            f"compression is {compression!r}, but layout {layout!r} stores what Earth Engine sent; "
            "leave compression out, or use layout 'cog'.",
            field="compression",
        )
    return compression
