"""Is this body what was requested? Returns :class:`RasterFacts`, or raises what differs.

The body is already known to be complete. Unrequested members of a zip, and missed explicit requests
(crs, crs_transform, dimensions, bands), fail. Deviations from predictions (the grid that Earth
Engine chose, the dtype) are reported as warnings. Nothing is changed here, except that zips are
unpacked into scratch.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy.typing as npt
from rasterio.io import DatasetReader

from airflow_provider.earthengine.download.fields.layout import COG
from airflow_provider.earthengine.download.fields.params import (
    NPY,
    ZIPPED_FORMATS,
    ZIPPED_GEO_TIFF_PER_BAND,
)
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.raster_plan import RasterPlan
from airflow_provider.earthengine.download.plan.requests import Download
from airflow_provider.earthengine.download.raster.facts import (
    BandFacts,
    RasterFacts,
    StatisticsGatherer,
    mismatch,
    unmet_dtypes,
)
from airflow_provider.earthengine.download.raster.integrity import (
    open_geotiff,
    open_npy,
    open_zip,
    reading_errors_as_truncated,
)
from airflow_provider.earthengine.download.raster.placement import (
    Placement,
    place_array,
    place_raster,
)
from airflow_provider.earthengine.exceptions import RasterMismatchError


def verify_body(body: Path, download: Download, directory: Path) -> tuple[RasterFacts, ...]:
    """Return the facts of every raster in the body, in the requested order.

    :param directory: where the members of a zip are unpacked to; the caller removes it.
    :raises RasterMismatchError: if something differs from the request; says what.
    """
    if download.params.file_format in ZIPPED_FORMATS:
        paths = _unpack(body, download, directory)
    else:
        paths = [body]
    return tuple(
        _verify_npy(path, plan)
        if download.params.file_format == NPY
        else _verify_geotiff(path, plan, download)
        for path, plan in zip(paths, download.rasters, strict=True)
    )


def _unpack(body: Path, download: Download, directory: Path) -> list[Path]:
    """Return one path per raster plan; every member must belong to one of them."""
    with open_zip(body) as archive:
        members = archive.infolist()
        _check_members(members, download)
        found = _match_members([member.filename for member in members], download)
        paths = []
        for index, name in enumerate(found):
            # The path is made here: names in the archive are never used as paths.
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
            f"The zip has {len(names)} members {shown}, but {len(download.rasters)} were "
            "requested.",
            field="members",
            wanted=len(download.rasters),
            got=len(names),
        )
    for name in names:
        pure = PurePosixPath(name)
        if pure.name != name or "\\" in name or pure.suffix != ".tif" or names.count(name) > 1:
            raise RasterMismatchError(
                f"The zip has a member named {name[:80]!r}, which is not a plain, unique .tif "
                "name.",
                field="member",
                got=name[:80],
            )


def _match_members(names: list[str], download: Download) -> list[str]:
    if download.params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        return names
    found = []
    for plan in download.rasters:
        # Only the suffix is requested; Earth Engine chooses how the name starts.
        matches = [name for name in names if name.endswith(plan.suffix)]
        exact = [name for name in matches if name.count(".") == plan.suffix.count(".")]
        if len(exact or matches) != 1:
            raise RasterMismatchError(
                f"The zip has {names[:10]}, of which not exactly one member ends in {plan.suffix}.",
                field="bands",
                wanted=plan.suffix,
                got=names[:10],
            )
        found += exact or matches
    return found


def _verify_geotiff(path: Path, plan: RasterPlan, download: Download) -> RasterFacts:
    with (
        reading_errors_as_truncated("The GeoTIFF", path),
        open_geotiff(path, download.max_body_byte_count) as dataset,
    ):
        if dataset.count != len(plan.bands):
            raise mismatch("bands", len(plan.bands), dataset.count)
        grid = PixelGrid("", tuple(dataset.transform)[:6], dataset.width, dataset.height)
        placed = place_raster(plan, grid, dataset.crs)
        bands = tuple(
            _describe_band(dataset, index, band.id, plan.nodata)
            for index, band in enumerate(plan.bands, start=1)
        )
    warnings = placed.warnings + unmet_dtypes(plan, bands) + _kept_faults(placed, plan, download)
    return RasterFacts(path, plan, placed.grid, bands, warnings)


def _kept_faults(placed: Placement, plan: RasterPlan, download: Download) -> tuple[str, ...]:
    """Return what is wrong in a file that is stored as served, and correct in a COG."""
    if download.layout == COG or not placed.is_misnamed:
        return ()
    fault = (
        f"Earth Engine's file misnames {plan.crs} and is stored as served; the item has the right "
        "crs, as a COG would."
    )
    return (fault,)


def _describe_band(
    dataset: DatasetReader, index: int, band_id: str, nodata: float | None
) -> BandFacts:
    if nodata is None:
        nodata = dataset.nodatavals[index - 1]
    gatherer = StatisticsGatherer(nodata)
    for _, window in dataset.block_windows(index):
        gatherer.add(dataset.read(index, window=window))
    return BandFacts(band_id, dataset.dtypes[index - 1], nodata, gatherer.statistics())


def _verify_npy(path: Path, plan: RasterPlan) -> RasterFacts:
    array = open_npy(path)
    wanted = tuple(band.id for band in plan.bands)
    if array.dtype.names != wanted:
        raise mismatch("bands", list(wanted), list(array.dtype.names or ())[:10])
    if any(array.dtype[name].kind not in "iuf" for name in wanted):
        raise mismatch("dtypes", "numbers", str(array.dtype)[:80])
    if array.ndim != 2:
        raise mismatch("dimensions", "two", array.shape)
    height, width = array.shape
    if plan.ask.dimensions and plan.ask.dimensions != (width, height):
        raise mismatch("dimensions", plan.ask.dimensions, (width, height))
    grid = plan.grid
    if grid and (grid.width, grid.height) != (width, height):
        raise mismatch("dimensions", (grid.width, grid.height), (width, height))
    bands = tuple(_describe_field(array[name], name, plan.nodata) for name in wanted)
    warnings = unmet_dtypes(plan, bands)
    if grid is None:
        return RasterFacts(path, plan, None, bands, warnings)
    placed = place_array(grid)
    return RasterFacts(path, plan, placed.grid, bands, placed.warnings + warnings)


def _describe_field(values: npt.NDArray[Any], band_id: str, nodata: float | None) -> BandFacts:
    gatherer = StatisticsGatherer(nodata)
    gatherer.add(values)
    return BandFacts(band_id, values.dtype.name, nodata, gatherer.statistics())
