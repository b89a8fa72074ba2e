"""Is what a contestant stored the raster? A sample of its pixels against the formula."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import rasterio
from rasterio.io import DatasetReader, MemoryFile
from rasterio.session import AWSSession
from rasterio.windows import Window

from tests.benchmarks.assignment import Assignment, Piece
from tests.benchmarks.scenes import CRS, ORIGIN, STEP, Scene
from tests.support.expected import formula_values

_SIDE = 64
_SAMPLE_COUNT = 24


class WrongRasterError(ValueError):
    """The bucket does not hold the raster; the text says what differs."""


def check_stored(assignment: Assignment, pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return facts of what was stored.

    :param pieces: where the pixels are, if the object is no raster.
    :raises WrongRasterError: it is not the raster.
    """
    key = raster_key(assignment)
    head = assignment.s3_client().head_object(Bucket=assignment.bucket, Key=key)
    facts = {"byte_count": head["ContentLength"]}
    if pieces:
        _check_pieces(assignment, pieces)
        return facts
    with remote(assignment), rasterio.open(f"/vsis3/{assignment.bucket}/{key}") as raster:
        return facts | _check_raster(raster, assignment.scene)


def raster_key(assignment: Assignment) -> str:
    """Return the key of the raster.

    :raises WrongRasterError: there is not one.
    """
    found = assignment.s3_client().list_objects_v2(
        Bucket=assignment.bucket, Prefix=f"{assignment.prefix}/"
    )
    keys = [each["Key"] for each in found.get("Contents", [])]
    rasters = [key for key in keys if key.endswith((".tif", ".bodies"))]
    if len(rasters) != 1:
        raise WrongRasterError(f"there is not one raster but {sorted(keys)}")
    return rasters[0]


def remote(assignment: Assignment, **options: str) -> rasterio.Env:
    """Return GDAL's settings to read from the bucket.

    :param options: GDAL's, besides.
    """
    scheme, _, host = assignment.s3_url.partition("://")
    session = AWSSession(
        aws_access_key_id=assignment.s3_access_key,
        aws_secret_access_key=assignment.s3_secret_key,
        region_name="us-east-1",
        endpoint_url=host,
    )
    return rasterio.Env(
        session,
        AWS_HTTPS="YES" if scheme == "https" else "NO",
        AWS_VIRTUAL_HOSTING="FALSE",
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
        CPL_VSIL_CURL_NON_CACHED=f"/vsis3/{assignment.bucket}",
        **options,
    )


def _check_raster(raster: DatasetReader, scene: Scene) -> dict[str, Any]:
    got = (raster.width, raster.height, set(raster.dtypes), raster.count, raster.crs.to_string())
    wanted = (scene.width, scene.height, {scene.dtype}, scene.band_count, CRS)
    if got != wanted:
        raise WrongRasterError(f"it is {got}, not {wanted}")
    transform = (STEP, 0, ORIGIN[0], 0, -STEP, ORIGIN[1])
    if tuple(raster.transform)[:6] != transform:
        raise WrongRasterError(f"its transform is {tuple(raster.transform)[:6]}")
    for window in _sample_windows(scene):
        check_pixels(scene, raster.read(window=window), window.col_off, window.row_off)
    structure = raster.tags(ns="IMAGE_STRUCTURE")
    return {
        "compression": structure.get("COMPRESSION", "NONE"),
        "predictor": structure.get("PREDICTOR", "1"),
        "layout": structure.get("LAYOUT", "GeoTIFF"),
        "overview_count": len(raster.overviews(1)),
    }


def _sample_windows(scene: Scene) -> Iterator[Window]:
    """Yield the four corners and some windows in between, the same for every contestant."""
    chance = random.Random(scene.asset_id)
    right, bottom = max(0, scene.width - _SIDE), max(0, scene.height - _SIDE)
    corners = [(0, 0), (right, 0), (0, bottom), (right, bottom)]
    others = [(chance.randint(0, right), chance.randint(0, bottom)) for _ in range(_SAMPLE_COUNT)]
    for left, top in corners + others:
        yield Window(left, top, min(_SIDE, scene.width), min(_SIDE, scene.height))


def _check_pieces(assignment: Assignment, pieces: Sequence[Piece]) -> None:
    client, scene = assignment.s3_client(), assignment.scene
    if sum(piece.width * piece.height for piece in pieces) != scene.width * scene.height:
        raise WrongRasterError("its pieces do not cover the raster once")
    for piece in {pieces[0], pieces[len(pieces) // 2], pieces[-1]}:
        span = f"bytes={piece.start}-{piece.start + piece.byte_count - 1}"
        reply = client.get_object(Bucket=assignment.bucket, Key=piece.key, Range=span)
        with MemoryFile(reply["Body"].read()) as memory, memory.open() as raster:
            check_pixels(scene, raster.read(), piece.left, piece.top)


def check_pixels(scene: Scene, got: np.ndarray[Any, Any], left: int, top: int) -> None:
    """Raise unless pixels of the first bands are those of the scene.

    :raises WrongRasterError: they are not.
    """
    rows = np.arange(top, top + got.shape[1])[:, np.newaxis]
    columns = np.arange(left, left + got.shape[2])[np.newaxis, :]
    for number, band in enumerate(got):
        wanted = formula_values(number, scene.dtype, rows, columns)
        if not np.array_equal(band, wanted):
            differing = int((band != wanted).sum())
            raise WrongRasterError(
                f"{differing} of {wanted.size} pixels of band {number + 1} differ at column "
                f"{left}, row {top}"
            )
