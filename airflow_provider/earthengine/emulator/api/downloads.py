"""The download behind an id, and its body, computed each time it is fetched."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.emulator.expressions.functions.image import select_bands
from airflow_provider.earthengine.emulator.faults.wrong_rasters import (
    damaged_members,
    other_type,
    shifted,
    widened,
)
from airflow_provider.earthengine.emulator.formats.geotiff import DEFLATE_LEVEL, write_geotiff
from airflow_provider.earthengine.emulator.formats.kept_files import KeptFiles
from airflow_provider.earthengine.emulator.formats.pictures import PICTURE_FORMATS, write_picture
from airflow_provider.earthengine.emulator.formats.zip_files import write_zip
from airflow_provider.earthengine.emulator.limits import check_request_size
from airflow_provider.earthengine.emulator.replies import (
    ApiError,
    bad_field,
    invalid_argument,
    unsupported,
)
from airflow_provider.earthengine.emulator.values.grids import Box, Footprint, PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, Image
from airflow_provider.earthengine.emulator.values.pixels import Pixels

GEO_TIFF = "GEO_TIFF"
ZIPPED = "ZIPPED_GEO_TIFF"
ZIPPED_PER_BAND = "ZIPPED_GEO_TIFF_PER_BAND"
NPY = "NPY"
SERVED_FORMATS = (GEO_TIFF, ZIPPED, ZIPPED_PER_BAND, NPY, *PICTURE_FORMATS)
# Source: https://developers.google.com/earth-engine/reference/rest/v1/ImageFileFormat (2025-08).
KNOWN_FORMATS = (
    *SERVED_FORMATS,
    "IMAGE_FILE_FORMAT_UNSPECIFIED",
    "TF_RECORD_IMAGE",
    "MULTI_BAND_IMAGE_TILE",
)


@dataclass(frozen=True, eq=False)
class Part:
    """One output file: the bands on one grid.

    :param name: the zip member's name; unused without a zip.
    """

    name: str
    grid: PixelGrid
    bands: tuple[Band, ...]


@dataclass(frozen=True, eq=False)
class Download:
    """One planned download.

    :param digest: of the request that it answers; empty if it answers something else.
    :param assets: the ids of the assets that it reads.
    """

    file_format: str
    parts: tuple[Part, ...]
    digest: str = ""
    assets: tuple[str, ...] = ()

    @property
    def pixel_count(self) -> int:
        """The number of pixels of each band, in the largest part."""
        return max(part.grid.width * part.grid.height for part in self.parts)


@dataclass(frozen=True, eq=False)
class Body:
    """The body of a download, and the values of its headers."""

    content: bytes
    media_type: str
    filename: str


def plan_download(
    image: Image,
    file_format: object,
    band_ids: Sequence[str],
    prefix: str | None = None,
    grid: PixelGrid | None = None,
) -> Download:
    """Return what to compute; refuse it here if it can never be computed.

    :param band_ids: the bands in the requested order; empty for all.
    :param prefix: the first part of zip members' names; None for the image's.
    :param grid: the requested pixels; None for the image's own.
    """
    checked = _check_format(file_format)
    bands = select_bands(image, list(band_ids)) if band_ids else image.bands
    if not bands:
        raise invalid_argument("The image has no bands.")
    if checked in PICTURE_FORMATS:
        _check_picture(bands, checked)
    base = prefix or (image.id.rsplit("/", 1)[-1] if image.id else "download")
    if "/" in base or "\\" in base:
        raise unsupported(f"the separator in filenamePrefix {base[:60]!r}")
    if checked == ZIPPED_PER_BAND:
        parts = tuple(
            Part(f"{base}.{band.id}.tif", grid or _common_grid((band,)), (band,)) for band in bands
        )
    else:
        parts = (Part(f"{base}.tif", grid or _common_grid(bands), bands),)
    check_request_size([(part.grid, part.bands) for part in parts])
    return Download(checked, parts)


def _check_picture(bands: Sequence[Band], file_format: str) -> None:
    if len(bands) not in {1, 3}:
        raise invalid_argument(f"{file_format} images must have 1 or 3 bands, not {len(bands)}.")
    if any(band.pixel_type.dtype != "uint8" for band in bands):
        raise unsupported(f"{file_format} of other bands than bytes")


def _check_format(file_format: object) -> str:
    """Return the format, checked.

    Source of the text: the real service's answer to ``GEO_JSON``, seen in 2026-07.
    """
    if not isinstance(file_format, str) or file_format not in KNOWN_FORMATS:
        shown = f'"{file_format}"' if isinstance(file_format, str) else repr(file_format)
        raise bad_field(
            "file_format",
            "Invalid value at 'file_format' "
            f"(type.googleapis.com/google.earthengine.v1.ImageFileFormat), {shown}",
        )
    if file_format not in SERVED_FORMATS:
        raise unsupported(f"the file format {file_format}")
    return file_format


def _common_grid(bands: Sequence[Band]) -> PixelGrid:
    """Return the grid around all bands, which must share their projection."""
    projection = bands[0].projection
    if any(band.projection != projection for band in bands):
        raise unsupported(
            "bands of different projections in one file: set a scale, a crs_transform or a "
            "format with a file per band"
        )
    boxes = [_box(band) for band in bands]
    union = boxes[0]
    for box in boxes[1:]:
        union = union.union(box)
    corner = projection.offset(union.left, union.top)
    return PixelGrid(corner, union.width, union.height)


def _box(band: Band) -> Box:
    footprint: Footprint | None = band.footprint
    box = footprint.box_in(band.projection) if footprint is not None else None
    if box is None:
        raise _unbounded(band)
    return box.snapped()


def _unbounded(band: Band) -> ApiError:
    return invalid_argument(f"The band '{band.id}' is unbounded: a region must be specified.")


def possible_damages(download: Download) -> frozenset[str]:
    """Return the damages that are possible in this download."""
    possible = {"dtype", "grid_size"}
    if download.file_format not in {NPY, *PICTURE_FORMATS}:
        possible.add("grid_shift")
    if download.file_format in PICTURE_FORMATS:
        possible.remove("dtype")
    if sum(len(part.bands) for part in download.parts) > 1:
        possible.add("bands")
    if download.file_format in {ZIPPED, ZIPPED_PER_BAND}:
        possible |= {"zip_extra", "zip_missing", "zip_absolute", "zip_parent"}
    return frozenset(possible)


def damaged(download: Download, damage: str) -> Download:
    """Return a download of something other than what was requested."""
    parts = download.parts
    match damage:
        case "dtype":
            parts = tuple(replace(p, bands=tuple(map(other_type, p.bands))) for p in parts)
        case "grid_shift":
            parts = tuple(replace(part, grid=shifted(part.grid)) for part in parts)
        case "grid_size":
            parts = tuple(replace(part, grid=widened(part.grid)) for part in parts)
        case "bands":
            parts = tuple(replace(part, bands=part.bands[::-1]) for part in parts[::-1])
    return replace(download, parts=parts, digest="")


@dataclass(frozen=True)
class Encoding:
    """How bodies are written where the real service's way is slow or unknown.

    :param deflate_level: of GeoTIFFs; 9 gives the real service's bytes.
    :param masked_is_least: whether masked pixels in NPY are the smallest value of their type rather
        than zero: the documentation says zero, one public program expects the smallest.
    :param kept: where to keep files, so that each is written only once; None to keep none.
    """

    deflate_level: int = DEFLATE_LEVEL
    masked_is_least: bool = False
    kept: KeptFiles | None = None


def render(
    download: Download, made_at: float, encoding: Encoding, damage: str | None = None
) -> Body:
    """Compute the pixels of a download, and return them in its format.

    :param made_at: the time of the request, in seconds since 1970.
    :param damage: the damage to apply.
    """
    if damage is not None:
        download = damaged(download, damage)
    if download.file_format == NPY:
        return _attachment(_npy(download, encoding), "application/octet-stream", "npy")
    if download.file_format in PICTURE_FORMATS:
        (part,) = download.parts
        content, kind = write_picture(_rendered(part), download.file_format)
        return _attachment(content, kind, kind.removeprefix("image/"))
    tiffs = [(part.name, _tiff(download, part, encoding)) for part in download.parts]
    if download.file_format == GEO_TIFF:
        return _attachment(tiffs[0][1], "image/tiff", "tif")
    archive = write_zip(damaged_members(tiffs, damage), datetime.fromtimestamp(made_at, UTC))
    return _attachment(archive, "application/zip", "zip")


def _attachment(content: bytes, media_type: str, suffix: str) -> Body:
    return Body(content, media_type, f"{secrets.token_hex(16)}.{suffix}")


def _npy(download: Download, encoding: Encoding) -> bytes:
    part = download.parts[0]
    return _kept(download, part, encoding, lambda: _write_npy(part, encoding))


def _tiff(download: Download, part: Part, encoding: Encoding) -> bytes:
    return _kept(download, part, encoding, lambda: _write_tiff(part, encoding))


def _kept(download: Download, part: Part, encoding: Encoding, write: Callable[[], bytes]) -> bytes:
    if encoding.kept is None or not download.digest:
        return write()
    return encoding.kept.take(f"{download.digest}-{download.parts.index(part)}", write)


def _rendered(part: Part) -> list[Pixels]:
    return [band.render(part.grid) for band in part.bands]


def _write_tiff(part: Part, encoding: Encoding) -> bytes:
    """Write one file; bands of several types are stored in one that holds all of them."""
    dtype = np.result_type(*(band.pixel_type.numpy for band in part.bands))
    if dtype.kind in "iu" and dtype.itemsize == 8:
        dtype = np.dtype(np.float64)
    nodata = masked_value(dtype)
    samples = np.empty((part.grid.height, part.grid.width, len(part.bands)), dtype=dtype)
    for number, band in enumerate(part.bands):
        samples[:, :, number] = band.render(part.grid).filled(dtype, nodata)
    has_tag = dtype.kind in "iu" or all(band.is_cast for band in part.bands)
    tag = float(nodata) if has_tag else None
    transform, crs = part.grid.projection.transform, part.grid.projection.crs
    return write_geotiff(samples, transform, crs, tag, encoding.deflate_level)


def _write_npy(part: Part, encoding: Encoding) -> bytes:
    """Write a structured array with one field per band."""
    fields = [(band.id, band.pixel_type.numpy.newbyteorder("<")) for band in part.bands]
    array = np.empty((part.grid.height, part.grid.width), dtype=fields)
    for band in part.bands:
        dtype = band.pixel_type.numpy
        hidden = masked_value(dtype) if encoding.masked_is_least else dtype.type(0)
        array[band.id] = band.render(part.grid).filled(dtype, hidden)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
    # Not write_array, which copies all pixels two more times.
    return b"".join([head.getvalue(), array.reshape(-1).view(np.uint8).data])


def masked_value(dtype: npt.DTypeLike) -> Any:
    """Return the value of masked pixels in a GeoTIFF: the type's smallest."""
    resolved: np.dtype[Any] = np.dtype(dtype)
    least = -np.inf if resolved.kind == "f" else np.iinfo(resolved).min
    return np.asarray(least, dtype=resolved)[()]
