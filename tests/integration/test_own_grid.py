"""Images without pixels of their own: refused by name unless the parameters say which are wanted.

Earth Engine gives composites and constants pixels of one degree: a region of them would become one
pixel, and the task green.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import ee
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import list_keys
from stack.seaweedfs import SeaweedFS
from tests.integration.series import COLLECTION, collection, lonlat_box
from tests.support.airflow_task import task_context

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connections")]

DEGREES = "projects/demo/assets/degrees"
SCENE = "projects/demo/assets/scene"
# Some pixels of the collection and of the scene, by a box of degrees that lies askew on them; and
# some of the globe.
REGION = lonlat_box(600_030, 4_099_920, 600_120, 4_099_980)
WIDE = [2.2, 3.2, 5.8, 6.8]
FINE = {"crs": "EPSG:32610", "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000]}

Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def assets(emulator: Emulator) -> Iterator[Emulator]:
    degrees = {"crs": "EPSG:4326", "crs_transform": [1, 0, 0, 0, 1, 0], "dimensions": [20, 15]}
    with emulator.restored_assets():
        emulator.put_asset(collection())
        for asset_id, grid in ((DEGREES, degrees), (SCENE, {**FINE, "dimensions": [40, 30]})):
            bands = [{"id": "b", "dtype": "uint16", **grid}]
            emulator.put_asset({"id": asset_id, "kind": "formula", "bands": bands})
        yield emulator


@pytest.fixture
def run(bucket: str) -> Run:
    """Return the task's XCom."""

    def execute(image: Any, **params: Any) -> dict[str, Any]:
        context = task_context()
        params = {"format": "GEO_TIFF", "name": "x", **params}
        operator = EarthEngineToS3Operator(
            task_id="download", image=image, download_params=params, s3_bucket=bucket
        )
        uris = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        return {**context["ti"].xcom, "uris": uris}

    return execute


def composite() -> ee.Image:
    image: ee.Image = ee.ImageCollection(COLLECTION).median()
    return image


def clipped_composite() -> ee.Image:
    return composite().clip(ee.Geometry.Rectangle(REGION, "EPSG:4326", False))


def constant() -> ee.Image:
    return ee.Image(7)


def scene_and_constant() -> ee.Image:
    return ee.Image(SCENE).add(0).addBands(ee.Image(7))


@pytest.mark.parametrize("image", [composite, clipped_composite, constant, scene_and_constant])
@pytest.mark.parametrize("crs", [{}, {"crs": "EPSG:4326"}, {"crs": "EPSG:32610"}], ids=str)
def test_without_a_scale_it_is_refused_by_name(
    run: Run, bucket: str, s3: SeaweedFS, image: Any, crs: dict[str, str]
) -> None:
    words = r"PlanError: Band (b|constant) has no grid of its own.*give crs and scale"
    with pytest.raises(AirflowFailException, match=words):
        run(image, region=REGION, format="ZIPPED_GEO_TIFF_PER_BAND", **crs)
    assert list_keys(s3.client(), bucket) == []


@pytest.mark.parametrize(
    ("image", "params", "shape"),
    [
        (composite, {"region": REGION, "scale": 10, "crs": "EPSG:32610"}, (6, 11)),
        (composite, {"region": REGION, "dimensions": [4, 5]}, (5, 4)),
        (composite, {**FINE, "dimensions": [20, 10]}, (10, 20)),
        (clipped_composite, {"region": REGION, "scale": 10, "crs": "EPSG:32610"}, (6, 11)),
        (constant, {**FINE, "dimensions": [20, 10]}, (10, 20)),
    ],
)
def test_with_pixels_that_are_named_it_is_downloaded(
    run: Run, image: Any, params: dict[str, Any], shape: tuple[int, int]
) -> None:
    xcom = run(image, **params)
    with open_raster(xcom["uris"][0]) as raster:
        assert raster.shape == shape
        assert raster.read(1, masked=True).any()
    assert xcom["summary"]["warnings"] == []


def degrees_and_one() -> ee.Image:
    return ee.Image(DEGREES).add(1)


def clipped_degrees() -> ee.Image:
    return ee.Image(DEGREES).add(1).clip(ee.Geometry.Rectangle(WIDE, "EPSG:4326", False))


@pytest.mark.parametrize("image", [DEGREES, degrees_and_one, clipped_degrees])
def test_an_asset_of_pixels_of_one_degree_is_downloaded_and_so_is_what_is_computed_of_it(
    run: Run, image: Any
) -> None:
    xcom = run(image, region=WIDE)
    with open_raster(xcom["uris"][0]) as raster:
        assert raster.transform[:6] == (1, 0, 2, 0, 1, 3)
        assert raster.shape == (4, 4)
        assert len(set(raster.read(1).ravel().tolist())) > 10
    assert xcom["summary"]["warnings"] == []


def test_a_crs_alone_makes_pixels_of_its_unit_and_a_warning(run: Run) -> None:
    xcom = run(SCENE, region=lonlat_box(600_010, 4_099_760, 600_390, 4_099_980), crs="EPSG:4326")
    with open_raster(xcom["uris"][0]) as raster:
        assert raster.shape == (1, 1)
    coarse, masked = xcom["summary"]["warnings"]
    assert "the result is 1 x 1 px of about 111,319 m, but the image has pixels of" in coarse
    # The centre of that pixel is not in the scene.
    assert masked == "No pixel of band b is valid; all are masked."


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"region": [2.4, 3.4, 2.5, 3.5]}, "the region of about .* is smaller than one pixel of"),
        ({"region": REGION, "scale": 1000}, "is smaller than one pixel of 1,000 m"),
        (
            {"region": [18.5, 13.5, 60, 60]},
            "the result is 2 x 2 px .* the image does not cover more",
        ),
    ],
)
def test_a_result_of_few_pixels_of_a_region_is_warned_of(
    run: Run, params: dict[str, Any], words: str
) -> None:
    image = SCENE if "scale" in params else DEGREES
    (warning,) = run(image, **params)["summary"]["warnings"]
    assert re.search(words, warning)


def test_a_plan_warns_too(bucket: str) -> None:
    context = task_context()
    EarthEngineToS3Operator(
        task_id="plan", image=DEGREES, s3_bucket=bucket, plan_only=True,
        download_params={"region": [2.4, 3.4, 2.5, 3.5], "format": "GEO_TIFF"},
    ).execute(context)  # type: ignore[arg-type]  # a stand-in  # fmt: skip
    (warning,) = context["ti"].xcom["plan"]["warnings"]
    assert "smaller than one pixel" in warning
