"""Images made by functions on the worker, with what the run knows; and images that are empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import rasterio
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider.earthengine.decorators.earthengine_to_s3 import (
    EarthEngineToS3DecoratedOperator,
)
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.emulator import CATALOG_FOLDER
from tests.support.airflow_task import task_context

LANDSAT = "projects/demo/assets/landsat7_olinda"
LANDSAT_FILE = CATALOG_FOLDER / "projects/demo/assets/landsat7_olinda.tif"

Run = Callable[..., list[str]]


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    return {"download_params": {"format": "GEO_TIFF"}, "s3_bucket": bucket, "s3_prefix": "a"}


@pytest.fixture
def run(fields: dict[str, Any]) -> Run:
    def execute(context: dict[str, Any] | None = None, **changes: Any) -> list[str]:
        operator = EarthEngineToS3Operator(task_id="download", **{**fields, **changes})
        uris: list[str] = operator.execute(context or task_context())  # type: ignore[arg-type]  # a stand-in
        return uris

    return execute


def band_of(asset_id: str, band: str) -> Any:
    import ee

    return ee.Image(asset_id).select([band])


def landsat_band(band: str, ds: str) -> Any:
    assert ds == "2026-01-01"
    return band_of(LANDSAT, band)


def no_image(**_: Any) -> int:
    return 5


def a_collection() -> Any:
    import ee

    return ee.ImageCollection(LANDSAT)


def assert_is_band(uri: str, band_index: int) -> None:
    with open_raster(uri) as got, rasterio.open(LANDSAT_FILE) as wanted:
        assert (got.read(1) == wanted.read(band_index)).all()


def test_a_function_makes_the_image_from_its_arguments_and_the_run(run: Run) -> None:
    context = {**task_context(), "ds": "2026-01-01"}
    (uri,) = run(context, image=landsat_band, image_kwargs={"band": "B4"})
    assert uri.endswith("/a/download.tif")
    assert_is_band(uri, 4)


def test_a_function_that_only_loads_an_asset_is_named_after_it(run: Run) -> None:
    def load() -> Any:
        import ee

        return ee.Image(LANDSAT)

    (uri,) = run(image=load)
    assert uri.endswith("/a/landsat7_olinda.tif")


def test_the_same_program_is_found_done_whoever_wrote_it(run: Run, emulator: Emulator) -> None:
    context = {**task_context(), "ds": "2026-01-01"}
    first = run(context, image=landsat_band, image_kwargs={"band": "B4"})
    emulator.clear_requests()
    again = run(image=band_of, image_kwargs={"asset_id": LANDSAT, "band": "B4"})
    assert again == first
    assert "value:compute" not in emulator.counts()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"image": landsat_band, "image_kwargs": {"band": "B4"}},
            "landsat_band has the parameter ds, for which this run has no value",
        ),
        ({"image": landsat_band, "image_kwargs": {"bnad": "B4"}}, "has bnad, which .* not take"),
        ({"image": no_image}, "no_image returned the constant 5; return an ee.Image"),
        ({"image": a_collection}, "a_collection returned an ImageCollection; return an ee.Image"),
        ({"image": landsat_band, "image_kwargs": "B4"}, "image_kwargs is 'B4'; write a dict"),
        ({"image": LANDSAT, "image_kwargs": {"band": "B4"}}, "image is not a function"),
    ],
)
def test_a_function_that_cannot_make_the_image_is_named(
    run: Run, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException, match=words):
        run(**changes)


def test_an_error_of_the_functions_own_passes_through(run: Run) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        run(image=broken)


def test_the_decorator_calls_its_function_with_arguments_and_the_run(
    fields: dict[str, Any],
) -> None:
    operator = EarthEngineToS3DecoratedOperator(
        task_id="download",
        python_callable=landsat_band,
        op_args=["B4"],
        **fields,
    )
    context = {**task_context(), "ds": "2026-01-01"}
    (uri,) = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
    assert_is_band(uri, 4)


# The region of the reference page's example; the collection has images in 2021 only.
EMPTY_REGION = {"region": [-122.0859, 37.0436, -122.0626, 37.0586], "scale": 20}


def empty_composite() -> Any:
    import ee

    images = ee.ImageCollection("projects/demo/assets/s2_daily")
    return images.filterDate("1999-01-01", "1999-01-02").median()


def empty_first() -> Any:
    import ee

    images = ee.ImageCollection("projects/demo/assets/s2_daily")
    return images.filterDate("1999-01-01", "1999-01-02").first()


EMPTY: list[dict[str, Any]] = [
    {"image": empty_composite, "download_params": {**EMPTY_REGION, "bands": ["B4"]}},
    {"image": empty_composite, "download_params": {**EMPTY_REGION, "format": "GEO_TIFF"}},
    {"image": empty_first, "download_params": {**EMPTY_REGION, "format": "GEO_TIFF"}},
    {"image": LANDSAT, "download_params": {"region": [0, 0, 1, 1], "bands": ["B1"]}},
    {"image": LANDSAT, "download_params": {"region": [0, 0, 0.1, 0.1], "scale": 28.5}},
    {
        "image": LANDSAT,
        "download_params": {"region": [0, 0, 0.1, 0.1], "scale": 30, "crs": "EPSG:4326"},
    },
]


@pytest.mark.parametrize("changes", EMPTY)
def test_an_image_with_nothing_in_it_fails_or_skips_the_task_as_told(
    run: Run, bucket: str, s3: Any, changes: dict[str, Any]
) -> None:
    with pytest.raises(AirflowFailException, match="EmptyImageError"):
        run(**changes)
    with pytest.raises(AirflowSkipException, match="EmptyImageError"):
        run(**changes, on_empty="skip")
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)


def test_another_mistake_is_not_skipped(run: Run) -> None:
    with pytest.raises(AirflowFailException, match="AssetNotFoundError"):
        run(image="projects/demo/assets/absent", on_empty="skip")
    with pytest.raises(AirflowFailException, match="on_empty is 'ignore'; use one of fail, skip"):
        run(image=LANDSAT, on_empty="ignore")


BAND = {
    "id": "B1", "dtype": "uint8", "crs": "EPSG:32610", "dimensions": [20, 20],
    "crs_transform": [10, 0, 580000, 0, -10, 4106000],
}  # fmt: skip


def test_assets_of_a_project_with_a_domain_are_listed_and_downloaded(
    run: Run, emulator: Emulator
) -> None:
    folder = "projects/example.com:proj/assets"
    series = {"start": "2026-01-01T06:00:00Z", "step_days": 1, "count": 1, "index": "day%d"}
    collection = {"id": f"{folder}/daily", "kind": "collection", "bands": [BAND], "series": series}
    with emulator.restored_assets():
        emulator.put_asset({"id": f"{folder}/x", "kind": "formula", "bands": [BAND]})
        emulator.put_asset(collection)
        (uri,) = run(image=f"{folder}/x")
        assert uri.endswith("/a/x.tif")
        listing = EarthEngineListImagesOperator(task_id="list", collection=f"{folder}/daily")
        (listed,) = listing.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        assert listed["image"] == f"{folder}/daily/day01"
        (uri,) = run(**listed)
        assert uri.endswith("/a/day01.tif")
        with open_raster(uri) as raster:
            assert (raster.width, raster.height) == (20, 20)
