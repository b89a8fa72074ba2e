"""geedim, as its documentation says to use it: a tiled download into a file, then to the bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.assignment import Assignment, Piece

_EQUAL_TILE_MEBIBYTES = 32  # the most that geedim allows


def run(assignment: Assignment, variant: str) -> list[Piece]:
    """Export the image and upload the file."""
    image = _image(assignment)
    if variant == "defaults":
        path = assignment.scratch / "raster.tif"
        image.gd.toGeoTIFF(path)
        _upload(assignment, path)
        return []
    driver = "gtiff" if variant == "equal-gtiff" else "cog"
    options = {"driver": driver, **_equal_tiles(assignment)}
    with _compressed_alike(assignment, driver):
        if variant == "equal-fsspec":
            image.gd.toGeoTIFF(_open_file(assignment), overwrite=True, **options)
            return []
        path = assignment.scratch / "raster.tif"
        image.gd.toGeoTIFF(path, **options)
    _upload(assignment, path)
    return []


def rehearse(assignment: Assignment, variant: str) -> list[Piece]:
    """Fetch all tiles and keep none."""
    from geedim.tile import Tiler

    options = {} if variant == "defaults" else _equal_tiles(assignment)
    with Tiler(_image(assignment).gd, **options) as tiler:
        tiler.map_tiles(lambda _tile, _array: None)
    return []


def _image(assignment: Assignment) -> Any:
    import ee
    import geedim
    from google.auth.credentials import AnonymousCredentials

    # Both would ask the internet: for a list of deprecated assets, and for the asset's page.
    ee.deprecation.deprecated_assets = {"none": None}
    asset_id = assignment.scene.asset_id
    geedim.stac.STACClient()._cache[asset_id] = {"links": [], "summaries": {}}
    ee.Initialize(
        AnonymousCredentials(), project=assignment.project, url=assignment.earthengine_url
    )
    return ee.Image(asset_id)


def _equal_tiles(assignment: Assignment) -> dict[str, Any]:
    return {"max_tile_size": _EQUAL_TILE_MEBIBYTES, "max_requests": assignment.concurrency}


@contextlib.contextmanager
def _compressed_alike(assignment: Assignment, driver: str) -> Iterator[None]:
    """Have geedim, which only knows deflate, compress as the provider does."""
    from geedim import image as module

    compression, dtype = assignment.compression, assignment.scene.dtype
    if driver == "cog":
        level = {
            "level": compression.level,
            "predictor": "YES" if compression.has_predictor else "NO",
        }
    else:
        key = "zlevel" if compression.name == "deflate" else "zstd_level"
        level = {key: compression.level, "predictor": compression.predictor(dtype)}
        if compression.name not in {"deflate", "zstd"}:
            del level[key]
    own = module._open_raster

    def open_alike(file: Any, **profile: Any) -> Any:
        return own(file, **profile | {"compress": compression.name, **level})

    module._open_raster = open_alike
    try:
        yield
    finally:
        module._open_raster = own


def _upload(assignment: Assignment, path: Any) -> None:
    key = f"{assignment.prefix}/raster.tif"
    assignment.s3_client().upload_file(str(path), assignment.bucket, key)


def _open_file(assignment: Assignment) -> Any:
    import fsspec

    uri = f"s3://{assignment.bucket}/{assignment.prefix}/raster.tif"
    return fsspec.open(
        uri,
        "wb",
        key=assignment.s3_access_key,
        secret=assignment.s3_secret_key,
        client_kwargs={"endpoint_url": assignment.s3_url, "region_name": "us-east-1"},
    )
