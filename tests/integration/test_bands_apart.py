"""Images of which not every band meets the region: they are not empty, and every band is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rasterio
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from pyproj import Transformer

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import remarks, task_context
from tests.support.expected import formula_values

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connections")]

ASSET = "projects/demo/assets/with_placeholder"
LEFT, TOP, SIDE = 499_980, 4_100_040, 600
ONE_DEGREE = {"crs": "EPSG:4326", "crs_transform": [1, 0, 0, 0, 1, 0], "dimensions": [1, 1]}
UTM = {"crs": "EPSG:32610", "crs_transform": [10, 0, LEFT, 0, -10, TOP], "dimensions": [SIDE, SIDE]}
# As the Sentinel-2 images of 2017 have where a band is missing: one masked pixel, at 0, 0 degrees.
PLACEHOLDER = {
    "id": "MSK", "dtype": "uint16", **ONE_DEGREE,
    "masked": [{"left": 0, "top": 0, "width": 1, "height": 1}],
}  # fmt: skip
DATA = {"id": "B4", "dtype": "uint16", **UTM}
REGION = [-122.995, 37.02, -122.985, 37.03]
SCALED = {"region": REGION, "scale": 10, "crs": "EPSG:32610", "format": "GEO_TIFF"}
APART = "Band MSK has no pixels in the region; it is fully masked."

Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def assets(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        emulator.put_asset({"id": ASSET, "kind": "formula", "bands": [DATA, PLACEHOLDER]})
        yield emulator


@pytest.fixture
def run(bucket: str) -> Run:
    """Return the task's XCom."""

    def execute(params: dict[str, Any], **fields: Any) -> dict[str, Any]:
        context = task_context()
        operator = EarthEngineToS3Operator(
            task_id="download", s3_bucket=bucket,
            **{"image": ASSET, "download_params": {**params, "name": "scene"}, **fields},
        )  # fmt: skip
        uris = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        return {**context["ti"].xcom, "uris": uris}

    return execute


def values_of_data(raster: rasterio.DatasetReader) -> Any:
    """Return what the band B4 holds at the raster's pixels, by its formula."""
    a, b, c, d, e, f = raster.transform[:6]
    assert (a, b, d, e) == (10, 0, 0, -10)
    columns = round((c - LEFT) / 10) + np.arange(raster.width)
    rows = round((TOP - f) / 10) + np.arange(raster.height)
    return formula_values(0, "uint16", rows[:, None], columns[None, :])


@pytest.mark.parametrize("on_empty", ["fail", "skip", "mark"])
def test_an_image_of_which_one_band_meets_the_region_is_delivered_with_all_bands(
    run: Run, bucket: str, s3: SeaweedFS, on_empty: str
) -> None:
    xcom = run(SCALED, on_empty=on_empty)
    with open_raster(xcom["uris"][0]) as raster:
        assert raster.count == 2
        assert (raster.read(1) == values_of_data(raster)).all()
        assert not raster.read(2).any()
        assert min(raster.shape) > 80
    assert list_keys(s3.client(), bucket) == ["scene.tif", "scene.tif.json"]
    item = read_item(s3.client(), bucket, "scene.tif.json")
    assert item["properties"]["earthengine:warnings"] == [APART]
    valid = [band["statistics"]["valid_percent"] for band in item["assets"]["data"]["bands"]]
    assert valid == [100, 0]
    assert remarks(xcom) == {"warnings": [APART], "all_masked": []}


@pytest.mark.parametrize(
    ("layout", "bands"), [("cog", None), ("as_served", ["MSK", "B4"]), ("zip", None)]
)
def test_without_a_scale_each_band_has_its_file_and_the_one_apart_is_masked(
    run: Run, bucket: str, s3: SeaweedFS, layout: str, bands: list[str] | None
) -> None:
    params = {"region": REGION, **({"bands": bands} if bands else {})}
    xcom = run(params, layout=layout)
    names = bands or ["B4", "MSK"]
    if layout == "zip":
        item = read_item(s3.client(), bucket, "scene.zip.json")
        asset = item["assets"]["data"]
        assert [band["name"] for band in asset["bands"]] == names
    else:
        item = read_item(s3.client(), bucket, "scene.bands.json")
        files = dict(zip(names, xcom["uris"], strict=True))
        with open_raster(files["B4"]) as raster:
            assert (raster.read(1) == values_of_data(raster)).all()
            assert min(raster.shape) > 80
        with open_raster(files["MSK"]) as raster:
            # The pixel that the band would have there, if it went on: one of a degree.
            assert raster.transform[:6] == (1, 0, -123, 0, 1, 37)
            assert raster.read(1).tolist() == [[raster.nodata]]
    masked = "No pixel of band MSK is valid; all are masked."
    assert item["properties"]["earthengine:warnings"] == [APART, masked]
    assert item["properties"]["earthengine:all_masked"] == ["scene.MSK.tif"]
    assert xcom["summary"]["all_masked"] == ["scene.MSK.tif"]


def test_the_file_of_the_band_that_meets_is_what_it_is_alone(run: Run) -> None:
    both = run({"region": REGION}, s3_prefix="both")
    alone = run({"region": REGION, "bands": ["B4"]}, s3_prefix="alone")
    with open_raster(both["uris"][0]) as one, open_raster(alone["uris"][0]) as other:
        assert one.transform == other.transform
        assert (one.read() == other.read()).all()


@pytest.mark.parametrize("layout", ["cog", "as_served"])
def test_in_one_file_without_a_scale_the_band_apart_has_the_others_pixels(
    run: Run, assets: Emulator, layout: str
) -> None:
    corner = {**PLACEHOLDER, "crs": "EPSG:32610", "crs_transform": UTM["crs_transform"]}
    assets.put_asset({"id": ASSET, "kind": "formula", "bands": [DATA, corner]})
    params = {"region": REGION, "format": "GEO_TIFF"}
    xcom = run(params, layout=layout, on_empty="mark")
    with open_raster(xcom["uris"][0]) as raster:
        assert (raster.read(1) == values_of_data(raster)).all()
        assert not raster.read(2).any()
    assert xcom["summary"]["warnings"] == [APART]


def test_a_nodata_value_fills_the_band_apart(run: Run) -> None:
    scaled = run(SCALED, nodata=7, s3_prefix="scaled")
    with open_raster(scaled["uris"][0]) as raster:
        assert (raster.read(2) == 7).all()
        assert (raster.read(1) == values_of_data(raster)).all()
    _, masked = run({"region": REGION}, nodata=7, s3_prefix="alone")["uris"]
    with open_raster(masked) as raster:
        assert raster.read(1).tolist() == [[7]]


def test_in_tiles_the_band_apart_is_masked_too(run: Run) -> None:
    whole = run(SCALED, s3_prefix="whole")
    tiles = run(SCALED, limits={"tile_byte_count": 65_536}, s3_prefix="tiles")
    with open_raster(whole["uris"][0]) as one, open_raster(tiles["uris"][0]) as other:
        assert (one.read() == other.read()).all()


def test_where_no_band_meets_there_is_nothing(run: Run, bucket: str, s3: SeaweedFS) -> None:
    elsewhere = {**SCALED, "region": [-121.5, 37.02, -121.49, 37.03]}
    with pytest.raises(
        AirflowSkipException, match="EmptyImageError: The region does not intersect"
    ):
        run(elsewhere, on_empty="mark")
    assert list_keys(s3.client(), bucket) == ["scene.empty.json"]
    with pytest.raises(
        AirflowFailException, match="EmptyImageError: The region does not intersect"
    ):
        run({"region": elsewhere["region"]}, on_empty="fail")


EUROPE = {
    "crs": "EPSG:3035",
    "crs_transform": [1000, 0, 900_000, 0, -1000, 5_500_000],
    "dimensions": [6500, 4600],
}
GLOBE = {
    "crs": "EPSG:4326",
    "crs_transform": [0.25, 0, -180, 0, -0.25, 84],
    "dimensions": [1440, 560],
    "format": "GEO_TIFF",
}


def test_an_image_of_a_continent_is_downloaded_on_a_grid_of_the_globe(
    run: Run, assets: Emulator
) -> None:
    assets.put_asset(
        {"id": ASSET, "kind": "formula", "bands": [{"id": "b", "dtype": "uint8", **EUROPE}]}
    )
    (uri,) = run(GLOBE, on_empty="mark", nodata=-1)["uris"]
    with open_raster(uri) as raster:
        is_valid = raster.read(1) != -1
    # The pixels whose centres lie in the image, by another library than the one that is asked.
    longitudes, latitudes = np.meshgrid(
        -180 + 0.25 * (np.arange(1440) + 0.5), 84 - 0.25 * (np.arange(560) + 0.5)
    )
    to_europe = Transformer.from_crs("EPSG:4326", "EPSG:3035", always_xy=True)
    x, y = to_europe.transform(longitudes, latitudes)
    inside = (x >= 900_000) & (x < 7_400_000) & (y > 900_000) & (y <= 5_500_000)
    assert inside.sum() > 10_000
    assert (is_valid == inside).mean() > 0.999
