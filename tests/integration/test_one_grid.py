"""All rasters of a series have the same edges of pixels, whatever their regions and dates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from airflow.providers.common.compat.sdk import AirflowFailException
from rasterio.windows import from_bounds

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import read_item
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, SENTINEL2_ORIGIN, sentinel2_values

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connections")]

# Two that overlap, whose corners are on nobody's pixels.
REGIONS = [
    [-122.08593, 37.04361, -122.07261, 37.05352],
    [-122.07937, 37.04907, -122.06264, 37.05863],
]
# Every second pixel of Sentinel-2's own, so that the expected values are those of its formula.
GRID = {"crs": "EPSG:32610", "resolution": 20, "origin": [499980, 4200000]}
Pixels = npt.NDArray[Any]
Publish = Callable[..., list[str]]


@pytest.fixture
def publish(bucket: str) -> Publish:
    def execute(region: Any, context: Any = None, **fields: Any) -> list[str]:
        params = {"bands": ["B3"], "region": region, "format": "GEO_TIFF",
                  **fields.pop("params", {})}  # fmt: skip
        chosen = {"image": SENTINEL2_ID, "s3_bucket": bucket, "download_params": params, **fields}
        operator = EarthEngineToS3Operator(task_id="download", **chosen)
        uris: list[str] = operator.execute(context or task_context())  # type: ignore[arg-type]  # a stand-in
        return uris

    return execute


def shared_pixels(uris: list[str]) -> list[Pixels]:
    """Return each raster's pixels of the area that all have, cut by whole pixels or not at all."""
    opened = []
    for uri in uris:
        with open_raster(uri) as dataset:
            opened.append((dataset.bounds, dataset.transform, dataset.read(1)))
    left, bottom = (max(each[0][side] for each in opened) for side in (0, 1))
    right, top = (min(each[0][side] for each in opened) for side in (2, 3))
    assert left < right
    assert bottom < top
    cut = []
    for _, transform, pixels in opened:
        window = from_bounds(left, bottom, right, top, transform)
        whole = window.round_offsets().round_lengths()
        assert window.flatten() == pytest.approx(whole.flatten(), abs=1e-6), "half a pixel is cut"
        cut.append(pixels[whole.toslices()])
    return cut


@pytest.mark.parametrize("limits", [None, {"tile_byte_count": 6000}], ids=["whole", "in tiles"])
def test_two_regions_that_overlap_share_their_pixels(publish: Publish, limits: Any) -> None:
    uris = [
        publish(region, grid=GRID, s3_prefix=str(number), limits=limits)[0]
        for number, region in enumerate(REGIONS)
    ]
    one, other = shared_pixels(uris)
    assert one.size > 500
    np.testing.assert_array_equal(one, other)
    assert len(np.unique(one)) > 100, "all pixels are alike"


def test_the_pixels_are_those_of_the_grid(publish: Publish) -> None:
    (uri,) = publish(REGIONS[0], grid={**GRID, "resolution": 10})
    with open_raster(uri) as dataset:
        (x, y), pixels = (dataset.transform.c, dataset.transform.f), dataset.read(1)
    column, row = (x - SENTINEL2_ORIGIN[0]) / 10, (SENTINEL2_ORIGIN[1] - y) / 10
    assert (column, row) == (int(column), int(row))
    height, width = pixels.shape
    expected = sentinel2_values("B3", int(column), int(row), width, height)
    np.testing.assert_array_equal(pixels, expected)


def test_without_a_grid_the_corner_of_the_region_is_nobodys(publish: Publish) -> None:
    """What a grid is for: without one, pixels of a scale begin where Earth Engine puts them."""
    params = {"crs": "EPSG:32610", "scale": 21}
    transforms = []
    for number, region in enumerate(REGIONS):
        (uri,) = publish(region, params=params, s3_prefix=f"plain/{number}")
        with open_raster(uri) as dataset:
            transforms.append(dataset.transform)
    grid = {"crs": "EPSG:32610", "resolution": 21, "origin": [3, 4]}
    (uri,) = publish(REGIONS[0], grid=grid, s3_prefix="grid")
    with open_raster(uri) as dataset:
        steps = (dataset.transform.c - 3) / 21, (dataset.transform.f - 4) / 21
    assert steps == (int(steps[0]), int(steps[1]))
    assert all((each.c - 3) % 21 for each in transforms)


def test_a_download_is_aligned_to_an_item_and_to_its_raster(
    publish: Publish, s3: SeaweedFS, bucket: str
) -> None:
    context = task_context()
    grid = {"crs": "EPSG:32610", "resolution": [21, 17], "origin": [3, 4]}
    first = publish(REGIONS[0], context, grid=grid, s3_prefix="first")
    by_item = publish(REGIONS[1], align_to=context["ti"].xcom["item"], s3_prefix="item")
    by_raster = publish(REGIONS[1], align_to=first[0], s3_prefix="raster")
    one, other, third = shared_pixels([*first, *by_item, *by_raster])
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, third)
    items = [
        read_item(s3.client(), bucket, f"{name}/{SENTINEL2_ID.rpartition('/')[2]}.tif.json")
        for name in ("item", "raster")
    ]
    assert len({each["properties"]["earthengine:fingerprint"] for each in items}) == 1
    assert items[0]["properties"]["earthengine:grid"]["crs"] == "EPSG:32610"
    region = items[0]["properties"]["earthengine:params"]["region"]
    assert region["type"] == "MultiPolygon"


def test_a_raster_that_lies_south_up_is_followed(
    publish: Publish, s3: SeaweedFS, bucket: str
) -> None:
    with rasterio.MemoryFile() as file:
        transform = rasterio.Affine(20, 0, 499980, 0, 20, 4000000)
        with file.open(driver="GTiff", width=2, height=2, count=1, dtype="uint8",
                       crs="EPSG:32610", transform=transform) as dataset:  # fmt: skip
            dataset.write(np.ones((1, 2, 2), "uint8"))
        s3.client().put_object(Bucket=bucket, Key="south.tif", Body=bytes(file.getbuffer()))
    uris = [
        publish(REGIONS[0], align_to=f"s3://{bucket}/south.tif", s3_prefix="south")[0],
        publish(REGIONS[0], grid=GRID, s3_prefix="north")[0],
    ]
    pixels = []
    for uri in uris:
        with open_raster(uri) as dataset:
            pixels.append((dataset.transform, dataset.read(1)))
    (south, upside), (north, usual) = pixels
    assert (south.e, north.e) == (20, -20)
    assert south.f == north.f - 20 * len(usual)
    # Each pixel shows the same place.
    np.testing.assert_array_equal(upside, usual[::-1])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"grid": GRID, "params": {"scale": 20}}, "has scale, and grid sets the pixels"),
        ({"grid": {**GRID, "origin": [0, "inf"]}}, "write a finite number"),
        ({"grid": GRID, "align_to": "s3://b/k.tif"}, "grid and align_to are both given"),
        ({"align_to": "s3://{bucket}/gone.tif.json"}, "gone.tif.json does not exist"),
        ({"align_to": "s3://{bucket}/gone.tif"}, "gone.tif does not exist"),
        ({"align_to": "s3://{bucket}/text.tif"}, "is not a raster"),
        ({"align_to": "s3://{bucket}/text.json"}, "which is not a STAC item"),
        ({"align_to": "s3://{bucket}/other.json", "params": {"crs": "EPSG:32610"}},
         "has the crs 'EPSG:32610', but align_to has 'EPSG:32611'"),
    ],
)  # fmt: skip
def test_what_gives_no_grid_is_refused_before_anything_is_sent(
    publish: Publish,
    emulator: Emulator,
    s3: SeaweedFS,
    bucket: str,
    fields: dict[str, Any],
    message: str,
) -> None:
    asset = {"proj:code": "EPSG:32611", "proj:transform": [20, 0, 0, 0, -20, 0]}
    item = json.dumps({"properties": {}, "assets": {"data": asset}})
    for key, body in (("text.tif", "text"), ("text.json", "text"), ("other.json", item)):
        s3.client().put_object(Bucket=bucket, Key=key, Body=body.encode())
    named = {
        key: value.format(bucket=bucket) if isinstance(value, str) else value
        for key, value in fields.items()
    }
    emulator.clear_requests()
    with pytest.raises((AirflowFailException, ValueError), match=message):
        publish(REGIONS[0], **named)
    assert emulator.counts() == {}
