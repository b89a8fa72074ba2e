"""The operator from end to end: emulator -> verified files -> a real S3 server."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from airflow.providers.common.compat.sdk import AirflowFailException
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.validation import JsonSchemaSTACValidator

from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import TransientError
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.task import steps
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.emulator import CATALOG_FOLDER, earthengine_connection
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_BANDS, SENTINEL2_ID, SENTINEL2_ORIGIN, formula_values

LANDSAT = "projects/demo/assets/landsat7_olinda"
LANDSAT_BANDS = ("B1", "B2", "B3", "B4", "B5", "B7")
LANDSAT_FILE = CATALOG_FOLDER / "projects/demo/assets/landsat7_olinda.tif"
# The region, and the grids in it, of the example of ee.data.getDownloadId's reference page.
REGION = [-122.0859, 37.0436, -122.0626, 37.0586]
GRIDS = {10: (581270, 4101790, 209, 170), 20: (581260, 4101800, 105, 86)}

Run = Callable[..., list[str]]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scratch files go; there are none left at the end of any test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.glob("earthengine-*")) == []


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    # Every object is compared; pictures have tests of their own.
    return {
        "image": LANDSAT, "download_params": {}, "s3_bucket": bucket, "s3_prefix": "a/b",
        "quicklook": False,
    }  # fmt: skip


@pytest.fixture
def run(fields: dict[str, Any], scratch: Path) -> Run:
    def execute(context: dict[str, Any] | None = None, **changes: Any) -> list[str]:
        operator = EarthEngineToS3Operator(task_id="download", **{**fields, **changes})
        uris: list[str] = operator.execute(context or task_context())  # type: ignore[arg-type]  # a stand-in
        return uris

    return execute


@pytest.fixture
def stored(s3: SeaweedFS, bucket: str) -> Callable[[], dict[str, bytes]]:
    """Return a function that gives everything that is in the bucket, by key."""

    def read() -> dict[str, bytes]:
        client = s3.client()
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            each["Key"]: client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            for each in listed
        }

    return read


def assert_item_matches_objects(item: bytes, objects: dict[str, bytes]) -> None:
    assets = json.loads(item)["assets"].values()
    assert {asset["href"].split("/", 3)[3]: asset["file:checksum"] for asset in assets} == {
        key: f"1220{hashlib.sha256(content).hexdigest()}" for key, content in objects.items()
    }


def expected_sentinel2(band: str) -> np.ndarray[Any, Any]:
    """The band's own pixels in the region, by the formula."""
    scale, dtype = SENTINEL2_BANDS[band]
    x, y, width, height = GRIDS[scale]
    column, row = (x - SENTINEL2_ORIGIN[0]) / scale, (SENTINEL2_ORIGIN[1] - y) / scale
    rows, columns = np.arange(height) + int(row), np.arange(width) + int(column)
    number = list(SENTINEL2_BANDS).index(band)
    return formula_values(number, dtype, rows[:, None], columns[None, :])


def test_every_band_of_the_landsat_scene_arrives_as_it_is(run: Run, bucket: str) -> None:
    uris = run()
    assert uris == [f"s3://{bucket}/a/b/landsat7_olinda.{band}.tif" for band in LANDSAT_BANDS]
    with rasterio.open(LANDSAT_FILE) as wanted:
        for index, uri in enumerate(uris, start=1):
            with open_raster(uri) as got:
                assert (got.read(1) == wanted.read(index)).all()
                assert got.transform == wanted.transform
                assert got.crs == wanted.crs


def test_bands_of_unlike_resolution_arrive_each_on_its_own_grid(run: Run) -> None:
    uris = run(
        image=SENTINEL2_ID,
        download_params={"name": "single_band", "bands": ["B3", "B11"], "region": REGION},
    )
    for band, uri in zip(("B3", "B11"), uris, strict=True):
        x, y, width, height = GRIDS[SENTINEL2_BANDS[band][0]]
        with open_raster(uri) as got:
            assert (got.transform.c, got.transform.f) == (x, y)
            assert (got.width, got.height) == (width, height)
            assert (got.read(1) == expected_sentinel2(band)).all()


def test_a_geotiff_of_several_bands_arrives_on_the_grid_that_was_asked_for(run: Run) -> None:
    x, y, width, height = GRIDS[20]
    params = {
        "bands": ["B11", "B12"],
        "crs": "EPSG:32610",
        "crs_transform": [20, 0, x, 0, -20, y],
        "dimensions": [width, height],
        "format": "GEO_TIFF",
    }
    (uri,) = run(image=SENTINEL2_ID, download_params=params)
    assert uri.endswith("/a/b/20210109T185751_20210109T185931_T10SEG.tif")
    with open_raster(uri) as got:
        for index, band in enumerate(("B11", "B12"), start=1):
            assert (got.read(index) == expected_sentinel2(band)).all()


@pytest.mark.parametrize("as_text", [False, True])
def test_an_expression_is_downloaded_as_well_as_an_asset(run: Run, as_text: bool) -> None:
    load = {"functionName": "Image.load", "arguments": {"id": {"constantValue": LANDSAT}}}
    expression = {"result": "0", "values": {"0": {"functionInvocationValue": load}}}
    (uri,) = run(
        image=json.dumps(expression) if as_text else expression,
        download_params={"bands": ["B4"], "format": "GEO_TIFF"},
    )
    assert uri.endswith("/a/b/landsat7_olinda.tif")
    with open_raster(uri) as got, rasterio.open(LANDSAT_FILE) as wanted:
        assert (got.read(1) == wanted.read(4)).all()


def test_the_zip_itself_can_be_kept(run: Run, stored: Callable[[], dict[str, bytes]]) -> None:
    (uri,) = run(layout="zip", download_params={"bands": ["B1", "B2"], "name": "kept"})
    objects = stored()
    assert uri.endswith("/a/b/kept.zip")
    with zipfile.ZipFile(io.BytesIO(objects["a/b/kept.zip"])) as archive:
        assert archive.namelist() == ["kept.B1.tif", "kept.B2.tif"]
    assert_item_matches_objects(objects.pop("a/b/kept.zip.json"), objects)


def test_the_item_is_valid_and_says_what_is_stored(
    run: Run, stored: Callable[[], dict[str, bytes]]
) -> None:
    context = task_context()
    run(context, image=SENTINEL2_ID,
        download_params={"bands": ["B3", "B11"], "region": REGION, "name": "scene"})  # fmt: skip
    objects = stored()
    content = objects.pop("a/b/scene.bands.json")
    assert_item_matches_objects(content, objects)
    assert context["ti"].xcom["item"].endswith("/a/b/scene.bands.json")

    item = pystac.Item.from_dict(json.loads(content))
    # The core's schemas come with pystac; those of extensions would be fetched.
    JsonSchemaSTACValidator().validate_core(
        item.to_dict(transform_hrefs=False), pystac.STACObjectType.ITEM, "1.1.0"
    )
    assert item.id == "a~b~scene.bands"
    assert item.datetime is not None
    assert item.datetime.isoformat() == "2021-01-09T18:57:51+00:00"
    assert item.properties["airflow:dag_id"] == "a_dag"
    assert item.properties["earthengine:asset_id"] == SENTINEL2_ID
    assert item.bbox is not None
    assert item.bbox == pytest.approx(REGION, abs=0.001)
    assert list(item.assets) == ["B3", "B11"]
    for band, asset in item.assets.items():
        x, y, width, height = GRIDS[scale := SENTINEL2_BANDS[band][0]]
        projection = ProjectionExtension.ext(asset)
        assert projection.code == "EPSG:32610"
        assert projection.shape == [height, width]
        assert projection.transform == [scale, 0, x, 0, -scale, y]
        assert FileExtension.ext(asset).size == len(objects[f"a/b/scene.{band}.tif"])
        (described,) = asset.extra_fields["bands"]
        values = expected_sentinel2(band)
        assert described["statistics"]["maximum"] == values.max()
        assert described["data_type"] == "uint16"
        assert described["nodata"] == 0


def test_an_image_without_a_time_stands_for_the_runs_window(
    run: Run, stored: Callable[[], dict[str, bytes]]
) -> None:
    run(download_params={"bands": ["B1"]})
    item = json.loads(stored()["a/b/landsat7_olinda.bands.json"])
    assert item["properties"]["start_datetime"] == "2026-01-01T00:00:00Z"
    assert item["properties"]["end_datetime"] == "2026-01-02T00:00:00Z"


@pytest.mark.slow
def test_the_log_tells_the_story(fields: dict[str, Any], bucket: str) -> None:
    fields["download_params"] = {"bands": ["B1", "B2"], "name": "scene"}
    text, errors = attempt(fields).communicate()
    assert errors == ""
    story = [
        f"Plan: {LANDSAT} as ZIPPED_GEO_TIFF_PER_BAND",
        "scene.B1.tif: B1 (uint8); 349 x 352 px of 28.5 x -28.5",
        "Fetched ",
        "Verified scene.B2.tif",
        f"Published s3://{bucket}/a/b/scene.B1.tif",
        f"Published s3://{bucket}/a/b/scene.B2.tif",
        f"Published s3://{bucket}/a/b/scene.bands.json: 2 objects",
    ]
    places = [text.index(line) for line in story]
    assert places == sorted(places)


def test_a_second_run_asks_earth_engine_nothing(run: Run, emulator: Emulator) -> None:
    first = run()
    emulator.clear_requests()
    context = task_context(run_id="another")
    assert run(context) == first
    assert emulator.counts() == {}
    assert context["ti"].xcom["item"].endswith("landsat7_olinda.bands.json")


def test_a_first_run_asks_for_one_value_one_id_and_one_body(run: Run, emulator: Emulator) -> None:
    run()
    counts = emulator.counts()
    computed = {name: counts.get(name) for name in (
        "value:compute", "thumbnails.create", "thumbnails.getPixels")}  # fmt: skip
    assert computed == {
        "value:compute": 1, "thumbnails.create": 1, "thumbnails.getPixels": 1,
    }  # fmt: skip


@pytest.mark.parametrize("if_exists", ["replace_changed", "replace"])
def test_a_changed_parameter_replaces_the_download(
    run: Run, stored: Callable[[], dict[str, bytes]], if_exists: str
) -> None:
    run(download_params={"bands": ["B1", "B2"]})
    run(download_params={"bands": ["B1"], "scale": 57}, if_exists=if_exists)
    objects = stored()
    assert sorted(objects) == ["a/b/landsat7_olinda.B1.tif", "a/b/landsat7_olinda.bands.json"]
    assert_item_matches_objects(objects.pop("a/b/landsat7_olinda.bands.json"), objects)


def test_a_changed_parameter_is_refused_when_the_old_download_has_to_stay(
    run: Run, stored: Callable[[], dict[str, bytes]]
) -> None:
    run(download_params={"bands": ["B1"]})
    before = stored()
    with pytest.raises(AirflowFailException, match=r"ObjectExistsError.*another download"):
        run(download_params={"bands": ["B1"], "scale": 57}, if_exists="fail")
    assert stored() == before


@pytest.mark.slow
def test_replace_fetches_once_a_run(run: Run, emulator: Emulator) -> None:
    run(if_exists="replace")
    emulator.clear_requests()
    run(if_exists="replace")
    assert emulator.counts() == {}
    run(task_context(run_id="another"), if_exists="replace")
    assert emulator.counts()["thumbnails.getPixels"] == 1
    emulator.clear_requests()
    run(task_context(run_id="another", clear_number=1), if_exists="replace")
    assert emulator.counts()["thumbnails.getPixels"] == 1


def test_two_downloads_that_collide_are_told_how_to_keep_apart(run: Run) -> None:
    # Both want the key a/b/x.B1.tif: one as band B1 of x, the other as the download x.B1.
    run(download_params={"bands": ["B1"], "name": "x"})
    params = {"bands": ["B2"], "name": "x.B1", "format": "GEO_TIFF"}
    with pytest.raises(AirflowFailException, match="use another name or s3_prefix"):
        run(download_params=params, if_exists="replace")


BAD = [
    ({"download_params": {"scael": 20}}, "DownloadParamsError.*did you mean 'scale'"),
    ({"download_params": {"id": LANDSAT}}, "DownloadParamsError.*deprecated key 'id'"),
    ({"download_params": {"scale": None}}, "DownloadParamsError.*scale=None"),
    ({"download_params": {"format": "JPEG"}}, "DownloadParamsError.*use one of GEO_TIFF"),
    ({"download_params": {"bands": ["B9"]}}, "DownloadParamsError.*B1.*B7"),
    (
        {"download_params": {"bands": ["B9"], "format": "GEO_TIFF"}},
        "DownloadParamsError.*names B9.*it has B1, B2",
    ),
    ({"layout": "tiff"}, "DownloadParamsError.*use one of cog, as_served, zip"),
    ({"layout": "zip", "compression": "zstd"}, "DownloadParamsError.*stores what Earth Engine"),
    ({"compression": "lossy"}, "DownloadParamsError.*use one of deflate, zstd, none"),
    ({"compression": "lzw"}, "DownloadParamsError.*no longer written; use one of deflate, zstd"),
    ({"limits": {"max_request": 1}}, "DownloadParamsError.*did you mean max_requests"),
    ({"if_exists": "overwrite"}, "DownloadParamsError.*use one of fail"),
    ({"s3_prefix": "../up"}, "DownloadParamsError.*s3_prefix"),
    ({"s3_bucket": ""}, "DownloadParamsError.*s3_bucket"),
    ({"image": "projects/demo/assets/absent"}, "AssetNotFoundError.*does not exist"),
    ({"image": "projects/demo/assets/private"}, "AssetNotFoundError.*no access to it"),
    ({"image": {"result": "0", "values": {"0": {"constantValue": 5}}}}, "DownloadParamsError"),
    (
        {
            "image": {
                "result": "0",
                "values": {
                    "0": {
                        "functionInvocationValue": {
                            "functionName": "ImageCollection.load",
                            "arguments": {"id": {"constantValue": "projects/demo/assets/s2_daily"}},
                        }
                    }
                },
            }
        },
        "DownloadParamsError.*expression of an ImageCollection; pass one of an image",
    ),
    ({"image": {"result": "0", "values": {"0": {"valueReference": "1"}}}}, "DownloadParamsError"),
    (
        {"image": SENTINEL2_ID, "download_params": {"bands": ["B3"]}, "layout": "as_served"},
        r"PlanError.*361,681,200 bytes.*at most 50,331,648; use layout='cog', which",
    ),
    (
        {"image": SENTINEL2_ID, "download_params": {"bands": ["B3"], "region": [0, 0, 1, 1]}},
        "EmptyImageError: The region does not intersect the image",
    ),
    ({"download_params": {"crs": "EPSG:102009", "scale": 30, "bands": ["B1"]}}, "CRS"),
    ({"s3_bucket": "no-such-bucket"}, "BucketNotFoundError.*no-such-bucket does not exist"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "words"), BAD)
def test_a_mistake_fails_the_task_without_retries_and_stores_nothing(
    run: Run, stored: Callable[[], dict[str, bytes]], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException, match=words):
        run(**changes)
    assert stored() == {}


def test_wrong_s3_keys_fail_the_task_before_anything_is_computed(
    run: Run, s3: SeaweedFS, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(s3.airflow_connection) | {"password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match=r"AccessDeniedError.*keys are wrong"):
        run()
    assert emulator.counts() == {}


def test_keys_that_may_only_read_fail_the_task(
    run: Run, s3: SeaweedFS, stored: Callable[[], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.reader_airflow_connection)
    with pytest.raises(AirflowFailException, match=r"AccessDeniedError.*lack permission"):
        run()
    assert stored() == {}


def test_a_foreign_object_stays_and_fails_the_task(
    run: Run, s3: SeaweedFS, bucket: str, stored: Callable[[], dict[str, bytes]]
) -> None:
    s3.client().put_object(Bucket=bucket, Key="a/b/landsat7_olinda.B2.tif", Body=b"mine")
    with pytest.raises(AirflowFailException, match=r"ObjectExistsError.*or remove it"):
        run(if_exists="replace")
    assert stored() == {"a/b/landsat7_olinda.B2.tif": b"mine"}


def test_a_foreign_project_fails_the_task(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = earthengine_connection(emulator.url, "somebody-elses")
    monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
    with pytest.raises(AirflowFailException, match="AccessDeniedError"):
        run()


def test_an_endpoint_that_is_down_passes_through_to_airflows_retries(
    run: Run, stored: Callable[[], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = earthengine_connection("http://127.0.0.1:9", "demo")
    monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
    monkeypatch.setattr(steps, "RetryPolicy", lambda **_: RetryPolicy(sleep=lambda _: None))
    with pytest.raises(TransientError):
        run()
    assert stored() == {}


ATTEMPT = [sys.executable, "-m", "tests.support.download_attempt"]


def attempt(fields: dict[str, Any], *kill: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*ATTEMPT, json.dumps(fields), *kill],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "number", "visible"),
    [
        ("UploadPart", "4", 0),
        pytest.param("CompleteMultipartUpload", "3", 2, marks=pytest.mark.slow),
        pytest.param("PutObject", "1", 6, marks=pytest.mark.slow),
    ],
)
def test_an_attempt_killed_while_publishing_is_completed_by_the_next(
    run: Run,
    fields: dict[str, Any], stored: Callable[[], dict[str, bytes]],
    operation: str, number: str, visible: int,
) -> None:  # fmt: skip
    killed = attempt(fields, operation, number)
    _, errors = killed.communicate()
    assert killed.returncode == -9, errors
    objects = stored()
    assert len(objects) == visible
    assert not any(key.endswith(".json") for key in objects)

    assert len(run()) == 6
    objects = stored()
    assert_item_matches_objects(objects.pop("a/b/landsat7_olinda.bands.json"), objects)
    assert len(objects) == 6


@pytest.mark.slow
def test_two_attempts_at_once_end_in_one_item_that_matches_the_objects(
    fields: dict[str, Any], stored: Callable[[], dict[str, bytes]]
) -> None:
    attempts = [attempt(fields) for _ in range(2)]
    for each in attempts:
        output, errors = each.communicate()
        assert each.returncode == 0, errors
        assert len(json.loads(output.splitlines()[-1])) == 6
    objects = stored()
    assert_item_matches_objects(objects.pop("a/b/landsat7_olinda.bands.json"), objects)
    assert len(objects) == 6
