"""What the benchmarks accept as the right raster in the bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from stack.seaweedfs import SeaweedFS
from tests.benchmarks.assignment import Assignment, Compression, Piece
from tests.benchmarks.floors import Tile, plan_tiles
from tests.benchmarks.reading_back import WrongRasterError, check_stored
from tests.benchmarks.scenes import CELLS, CRS, ORIGIN, STEP, Scene
from tests.support.expected import formula_values

SCENE = Scene(2, "uint16", 512 * 300 * 4)


def assignment(s3: SeaweedFS, bucket: str, folder: Path) -> Assignment:
    return Assignment(
        scene=SCENE,
        layout="cog",
        earthengine_url="",
        project="demo",
        s3_url=s3.endpoint_url,
        s3_access_key=s3.access_key,
        s3_secret_key=s3.secret_key,
        bucket=bucket,
        prefix="bench",
        scratch=folder,
        concurrency=1,
        compression=Compression("zstd", 1, has_predictor=True),
    )


def store(told: Assignment, name: str, *, row: int = 0, **profile: Any) -> Path:
    """Store the scene, or what is wrong with it."""
    rows = np.arange(row, row + SCENE.height)[:, np.newaxis]
    columns = np.arange(SCENE.width)[np.newaxis, :]
    path = told.scratch / name
    wanted = {
        "driver": "GTiff",
        "count": SCENE.band_count,
        "width": SCENE.width,
        "height": SCENE.height,
        "dtype": SCENE.dtype,
        "crs": CRS,
        "transform": rasterio.Affine(STEP, 0, ORIGIN[0], 0, -STEP, ORIGIN[1]),
    }
    with rasterio.open(path, "w", **wanted | profile) as raster:
        for band in range(SCENE.band_count):
            raster.write(formula_values(band, SCENE.dtype, rows, columns), band + 1)
    told.s3_client().upload_file(str(path), told.bucket, f"{told.prefix}/{name}")
    return path


@pytest.mark.slow
def test_the_right_raster_is_described(s3: SeaweedFS, bucket: str, tmp_path: Path) -> None:
    told = assignment(s3, bucket, tmp_path)
    path = store(told, "raster.tif", compress="deflate")
    facts = check_stored(told, [])
    assert facts["byte_count"] == path.stat().st_size
    assert (facts["compression"], facts["overview_count"]) == ("DEFLATE", 0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"row": 1}, "pixels of band 1 differ at column 0, row 0"),
        ({"crs": "EPSG:32611"}, "not (512, 300"),
        ({"transform": rasterio.Affine(STEP, 0, 0, 0, -STEP, 0)}, "its transform is"),
    ],
)
def test_a_raster_that_is_not_the_scene_is_refused(
    s3: SeaweedFS, bucket: str, tmp_path: Path, wrong: dict[str, Any], says: str
) -> None:
    told = assignment(s3, bucket, tmp_path)
    store(told, "raster.tif", **wrong)
    with pytest.raises(WrongRasterError) as caught:
        check_stored(told, [])
    assert says in str(caught.value)


def test_a_bucket_without_the_raster_is_refused(s3: SeaweedFS, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(WrongRasterError, match="not one raster"):
        check_stored(assignment(s3, bucket, tmp_path), [])


def test_pieces_of_an_object_are_read_where_they_say_they_are(
    s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    told = assignment(s3, bucket, tmp_path)
    body = store(told, "whole.tif").read_bytes()
    client = told.s3_client()
    client.delete_object(Bucket=bucket, Key="bench/whole.tif")
    client.put_object(Bucket=bucket, Key="bench/raster.bodies", Body=b"head" + body)
    right = Piece("bench/raster.bodies", 4, len(body), 0, 0, SCENE.width, SCENE.height)
    assert check_stored(told, [right])["byte_count"] == len(body) + 4
    shifted = Piece("bench/raster.bodies", 4, len(body), 1, 0, SCENE.width, SCENE.height)
    with pytest.raises(WrongRasterError, match="differ at column 1"):
        check_stored(told, [shifted])


@pytest.mark.parametrize("scene", [SCENE, *dict.fromkeys(cell.scene for cell in CELLS)])
def test_the_floor_s_tiles_cover_the_scene_once_within_earth_engine_s_limits(scene: Scene) -> None:
    tiles = plan_tiles(scene)
    assert sum(tile.width * tile.height for tile in tiles) == scene.width * scene.height
    assert len({(tile.left, tile.top) for tile in tiles}) == len(tiles)
    for tile in tiles:
        assert tile.left + tile.width <= scene.width
        assert tile.top + tile.height <= scene.height
        assert accounted(tile, scene) <= 48 << 20
        assert max(tile.width, tile.height) <= 10_000
        # Parts of one object, of which S3 wants 5 MiB; noise hardly gets smaller.
        assert len(tiles) == 1 or accounted(tile, scene) > 10 << 20


def accounted(tile: Tile, scene: Scene) -> int:
    """Return what Earth Engine counts: each sample and a mask byte."""
    return tile.width * tile.height * scene.band_count * (scene.bytes_per_sample + 1)
