"""Is this body what was asked for? :class:`RasterFacts`, or an error that says what differs.

The body is whole already. Members of a zip that were not asked for, and explicit asks that are not
met (crs, crs_transform, dimensions, bands), fail. Predictions (the grid that Earth Engine chose,
the dtype) are compared and told as warnings. Nothing is changed here, except that zips are unpacked
into scratch.
"""

from __future__ import annotations

import math
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import DatasetReader

from airflow_provider.earthengine.download.grid import PixelGrid
from airflow_provider.earthengine.download.integrity import (
    open_geotiff,
    open_npy,
    open_zip,
    reading_errors_as_truncated,
)
from airflow_provider.earthengine.download.params import (
    NPY,
    ZIPPED_FORMATS,
    ZIPPED_GEO_TIFF_PER_BAND,
)
from airflow_provider.earthengine.download.plan import Download, GridAsk, RasterPlan
from airflow_provider.earthengine.exceptions import RasterMismatchError


@dataclass(frozen=True)
class BandStatistics:
    """What the valid pixels of a band hold; None everywhere but ``valid_percent`` if none is."""

    minimum: float | None
    maximum: float | None
    mean: float | None
    valid_percent: float


@dataclass(frozen=True)
class BandFacts:
    """One band as it was read."""

    id: str
    dtype: str
    nodata: float | None
    statistics: BandStatistics


@dataclass(frozen=True)
class RasterFacts:
    """One raster on disk, verified.

    :param path: the file, in scratch.
    :param plan: what it was checked against.
    :param grid: as read; for NPY, which has none, as predicted.
    :param warnings: predictions that did not come true, one sentence each.
    """

    path: Path
    plan: RasterPlan
    grid: PixelGrid | None
    bands: tuple[BandFacts, ...]
    warnings: tuple[str, ...]


def verify_body(body: Path, download: Download, directory: Path) -> tuple[RasterFacts, ...]:
    """Return the facts of every raster that the body holds, in the order asked for.

    :param directory: where the members of a zip are unpacked to; the caller removes it.
    :raises RasterMismatchError: when something is not what was asked for; says what.
    """
    if download.params.file_format in ZIPPED_FORMATS:
        paths = _unpack(body, download, directory)
    else:
        paths = [body]
    return tuple(
        _verify_npy(path, plan)
        if download.params.file_format == NPY
        else _verify_geotiff(path, plan, download.max_body_byte_count)
        for path, plan in zip(paths, download.rasters, strict=True)
    )


def _unpack(body: Path, download: Download, directory: Path) -> list[Path]:
    """Return one path a raster plan; every member must be one of them."""
    with open_zip(body) as archive:
        members = archive.infolist()
        _check_members(members, download)
        found = _match_members([member.filename for member in members], download)
        paths = []
        for index, name in enumerate(found):
            # The name is ours: what the archive says is never used as a path.
            path = directory / f"raster-{index}.tif"
            with archive.open(name) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            paths.append(path)
    return paths


def _check_members(members: list[zipfile.ZipInfo], download: Download) -> None:
    names = [member.filename for member in members]
    if len(names) != len(download.rasters):
        shown = [name[:80] for name in names[:10]]
        raise RasterMismatchError(
            f"The zip has {len(names)} members {shown}; {len(download.rasters)} were asked for.",
            field="members",
            wanted=len(download.rasters),
            got=len(names),
        )
    for name in names:
        pure = PurePosixPath(name)
        if pure.name != name or "\\" in name or pure.suffix != ".tif" or names.count(name) > 1:
            raise RasterMismatchError(
                f"The zip has a member named {name[:80]!r}, which is not one plain .tif name.",
                field="member",
                got=name[:80],
            )


def _match_members(names: list[str], download: Download) -> list[str]:
    if download.params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        return names
    found = []
    for plan in download.rasters:
        # Only the suffix is asked for; how Earth Engine begins the name is its own choice.
        matches = [name for name in names if name.endswith(plan.suffix)]
        exact = [name for name in matches if name.count(".") == plan.suffix.count(".")]
        if len(exact or matches) != 1:
            raise RasterMismatchError(
                f"The zip has {names[:10]}, in which no single member ends in {plan.suffix}.",
                field="bands",
                wanted=plan.suffix,
                got=names[:10],
            )
        found += exact or matches
    return found


def _verify_geotiff(path: Path, plan: RasterPlan, max_byte_count: int) -> RasterFacts:
    with (
        reading_errors_as_truncated("The GeoTIFF"),
        open_geotiff(path, max_byte_count) as dataset,
    ):
        if dataset.count != len(plan.bands):
            raise _mismatch("bands", len(plan.bands), dataset.count)
        grid = PixelGrid(
            _name_of_crs(dataset.crs),
            tuple(dataset.transform)[:6],
            dataset.width,
            dataset.height,
        )
        _check_asks(plan, grid, dataset.crs)
        bands = tuple(
            _describe_band(dataset, index, band.id, plan.nodata)
            for index, band in enumerate(plan.bands, start=1)
        )
    return RasterFacts(path, plan, grid, bands, _unmet_predictions(plan, grid, bands))


def _describe_band(
    dataset: DatasetReader, index: int, band_id: str, nodata: float | None
) -> BandFacts:
    if nodata is None:
        nodata = dataset.nodatavals[index - 1]
    blocks = (dataset.read(index, window=window) for _, window in dataset.block_windows(index))
    return BandFacts(band_id, dataset.dtypes[index - 1], nodata, _statistics(blocks, nodata))


def _verify_npy(path: Path, plan: RasterPlan) -> RasterFacts:
    array = open_npy(path)
    wanted = tuple(band.id for band in plan.bands)
    if array.dtype.names != wanted:
        raise _mismatch("bands", list(wanted), list(array.dtype.names or ())[:10])
    if any(array.dtype[name].kind not in "iuf" for name in wanted):
        raise _mismatch("dtypes", "numbers", str(array.dtype)[:80])
    if array.ndim != 2:
        raise _mismatch("dimensions", "two", array.shape)
    height, width = array.shape
    if plan.ask.dimensions and plan.ask.dimensions != (width, height):
        raise _mismatch("dimensions", plan.ask.dimensions, (width, height))
    grid = plan.grid
    if grid and (grid.width, grid.height) != (width, height):
        raise _mismatch("dimensions", (grid.width, grid.height), (width, height))
    bands = tuple(
        BandFacts(
            band.id, array.dtype[band.id].name, plan.nodata,
            _statistics([array[band.id]], plan.nodata),
        )
        for band in plan.bands
    )  # fmt: skip
    return RasterFacts(path, plan, grid, bands, _unmet_predictions(plan, grid, bands))


def _check_asks(plan: RasterPlan, grid: PixelGrid, crs: Any) -> None:
    """Compare with what was asked in so many words."""
    asked = _crs_of(plan.ask)
    if asked and crs != asked:
        raise _mismatch("crs", plan.ask.crs, grid.crs)
    if plan.ask.crs_transform and not grid.is_on_lattice_of(plan.ask.crs_transform):
        raise _mismatch("crs_transform", list(plan.ask.crs_transform), list(grid.transform))
    if plan.ask.dimensions and plan.ask.dimensions != (grid.width, grid.height):
        raise _mismatch("dimensions", plan.ask.dimensions, (grid.width, grid.height))
    # Together they say where the first pixel is; without dimensions, the region says it.
    if plan.ask.crs_transform and plan.ask.dimensions:
        a, b, c, d, e, f = plan.ask.crs_transform
        if not grid.is_close_to(replace(grid, transform=(a, b, c, d, e, f))):
            raise _mismatch("crs_transform", list(plan.ask.crs_transform), list(grid.transform))


def _crs_of(ask: GridAsk) -> Any:
    """Return the crs that was asked for; None where PROJ does not know what Earth Engine knows."""
    try:
        return CRS.from_user_input(ask.crs) if ask.crs else None
    except CRSError:
        return None


def _unmet_predictions(
    plan: RasterPlan, grid: PixelGrid | None, bands: tuple[BandFacts, ...]
) -> tuple[str, ...]:
    warnings = []
    if plan.ask.crs and not _crs_of(plan.ask):
        warnings.append(f"Whether the crs is {plan.ask.crs} cannot be told here.")
    if plan.grid and grid and not (grid.is_close_to(plan.grid) and grid.crs == plan.grid.crs):
        warnings.append(f"The grid is {grid}; {plan.grid} was predicted.")
    for band, predicted in zip(bands, plan.bands, strict=True):
        if band.dtype != predicted.dtype:
            warnings.append(f"Band {band.id} is {band.dtype}; {predicted.dtype} was predicted.")
    return tuple(warnings)


def _mismatch(field: str, wanted: object, got: object) -> RasterMismatchError:
    return RasterMismatchError(
        f"Earth Engine sent a raster whose {field} is {got}; {wanted} was asked for.",
        field=field,
        wanted=wanted,
        got=got,
    )


def _name_of_crs(crs: Any) -> str:
    """Return "EPSG:n" where there is one, else WKT, else ""."""
    if not crs:
        return ""
    code = crs.to_epsg(confidence_threshold=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _statistics(blocks: Iterable[npt.NDArray[Any]], nodata: float | None) -> BandStatistics:
    """Return the statistics of all blocks together, one block in memory at a time."""
    total, valid, value_sum = 0, 0, 0.0
    low, high = float("inf"), float("-inf")
    for block in blocks:
        values = _valid_values(block, nodata)
        total, valid = total + block.size, valid + values.size
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            with np.errstate(over="ignore"):
                value_sum += float(values.sum(dtype="float64"))
    if not valid:
        return BandStatistics(None, None, None, 0.0)
    # The sum of huge values may be no number any more.
    mean = value_sum / valid if math.isfinite(value_sum) else None
    return BandStatistics(low, high, mean, 100.0 * valid / total)


def _valid_values(block: npt.NDArray[Any], nodata: float | None) -> npt.NDArray[Any]:
    values: np.ndarray[Any, Any] = block
    if nodata is not None:
        values = values[values != nodata]
    # Masked pixels of floating-point bands arrive as NaN or -inf, often without a nodata tag.
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values
