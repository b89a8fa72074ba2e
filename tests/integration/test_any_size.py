"""Downloads of more than one request: whatever the size, the pixels are those of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from airflow.providers.common.compat.sdk import AirflowFailException
from rio_cogeo.cogeo import cog_validate

from airflow_provider.earthengine.download.fetch import staged_tiles
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.access.quotas import Quotas
from airflow_provider.earthengine.emulator.faults import Cut, Damage, Flip, Latency, Status
from airflow_provider.earthengine.emulator.server import Emulator, serve
from airflow_provider.earthengine.exceptions import (
    FetchTimeoutError,
    ServiceUnavailableError,
    SourceChangedError,
)
from airflow_provider.earthengine.plan import main
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.task import steps
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.emulator import CATALOG_FOLDER, earthengine_connection
from stack.environment import PROJECT_FOLDER
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID, formula_values, sentinel2_values

pytestmark = pytest.mark.slow

Run = Callable[..., list[str]]
Pixels = npt.NDArray[Any]

REGION = [-122.0859, 37.0436, -122.0626, 37.0586]
TRIANGLE = {
    "type": "Polygon",
    "coordinates": [
        [[-122.086, 37.044], [-122.063, 37.046], [-122.071, 37.058], [-122.086, 37.044]]
    ],
}
WINDOW = {
    "bands": ["B3", "B4"],
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    "dimensions": [700, 600],
    "name": "scene",
    "format": "GEO_TIFF",
}
# 700 x 600 x 2 bands x 3 bytes: 22 tiles of at most 128 KiB, each within a block of 512 x 512.
SMALL_TILES = {"tile_byte_count": 128 << 10}


def formula_asset(
    name: str, dtype: str, transform: list[float], count: int = 2, **band: Any
) -> Any:
    bands = [
        {"id": f"b{number}", "dtype": dtype, "crs": "EPSG:32601", "crs_transform": transform,
         "dimensions": [900, 400], **band}
        for number in range(count)
    ]  # fmt: skip
    return {"id": f"projects/demo/assets/{name}", "kind": "formula", "version": 1, "bands": bands}


NORTH_UP = [10, 0, 500000, 0, -10, 4000000]
ASSETS = [
    formula_asset("south_up", "int16", [10, 0, 500000, 0, 10, 4000000]),
    formula_asset("oblong", "uint8", [20, 0, 500000, 0, -10, 4000000]),
    formula_asset("big", "int32", NORTH_UP, count=4),
    formula_asset("double", "float64", NORTH_UP),
    formula_asset("holes", "float32", NORTH_UP,
                  nan=[{"left": 2, "top": 1, "width": 30, "height": 20}],
                  masked=[{"left": 4, "top": 0, "width": 200, "height": 90}]),
]  # fmt: skip


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scratch files go; there are none left at the end of any test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.glob("earthengine-*")) == []


@pytest.fixture
def assets(emulator: Emulator) -> Iterator[Emulator]:
    with emulator.restored_assets():
        for description in ASSETS:
            emulator.put_asset(description)
        yield emulator


@pytest.fixture
def run(connections: object, bucket: str, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(steps, "RetryPolicy", impatient)

    def execute(context: dict[str, Any] | None = None, **changes: Any) -> list[str]:
        fields = {
            "image": SENTINEL2_ID, "download_params": WINDOW, "s3_bucket": bucket,
            "s3_prefix": "a", **changes,
        }  # fmt: skip
        operator = EarthEngineToS3Operator(task_id="download", **fields)
        uris: list[str] = operator.execute(context or task_context())  # type: ignore[arg-type]  # a stand-in
        return uris

    return execute


def impatient(attempts: int = 4, **fields: Any) -> RetryPolicy:
    return RetryPolicy(attempts=attempts, first_wait_seconds=0.01, **fields)


def keys(s3: SeaweedFS, bucket: str) -> list[str]:
    listed = s3.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    return [each["Key"] for each in listed if ".thumbnail." not in each["Key"]]


def read(uri: str, s3: SeaweedFS) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bytes(s3.client().get_object(Bucket=bucket, Key=key)["Body"].read())


def assert_scene(uri: str) -> None:
    width, height = WINDOW["dimensions"]
    with open_raster(uri) as got:
        assert got.descriptions == ("B3", "B4")
        for index, band in enumerate(("B3", "B4"), start=1):
            wanted = sentinel2_values(band, 0, 0, width, height)
            np.testing.assert_array_equal(got.read(index), wanted)


KINDS: dict[str, dict[str, Any]] = {
    "a grid of the user's": {"download_params": WINDOW},
    "bands of unlike types": {
        "download_params": {"bands": ["B3", "TCI_R"], "region": REGION, "scale": 10}
    },
    "a polygon alone": {"download_params": {"bands": ["B3", "B4"], "region": TRIANGLE}},
    "another projection": {
        "download_params": {"bands": ["B3"], "region": REGION, "crs": "EPSG:3857", "scale": 15}
    },
    "degrees": {
        "download_params": {"bands": ["B3"], "region": REGION, "crs": "EPSG:4326", "scale": 30}
    },
    "a coarser scale": {
        "download_params": {"bands": ["B3", "B11"], "region": REGION, "scale": 20}
    },
    "turned": {
        "download_params": {
            "bands": ["B3"], "crs": "EPSG:32610", "dimensions": [300, 200],
            "crs_transform": [8, 3, 520000, 2, -8, 4180000],
        }
    },
    "south-up": {"image": "projects/demo/assets/south_up"},
    "oblong pixels": {"image": "projects/demo/assets/oblong"},
    "above 2**24": {"image": "projects/demo/assets/big"},
    "doubles": {"image": "projects/demo/assets/double"},
    "masked and no numbers": {"image": "projects/demo/assets/holes"},
    "a value for masked pixels": {"image": "projects/demo/assets/holes", "nodata": -1},
    "a polygon and a value for what is outside": {
        "download_params": {"bands": ["B3"], "region": TRIANGLE}, "nodata": 65535
    },
}  # fmt: skip


@pytest.mark.usefixtures("assets")
@pytest.mark.parametrize("file_format", ["GEO_TIFF", "ZIPPED_GEO_TIFF_PER_BAND", "NPY"])
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_make_what_one_request_gives(
    run: Run, s3: SeaweedFS, emulator: Emulator, kind: str, file_format: str
) -> None:
    fields = {"download_params": {}, **KINDS[kind]}
    fields["download_params"] = {**fields["download_params"], "format": file_format}
    context = task_context()
    run(context, **fields, plan_only=True)
    sixth = context["ti"].xcom["plan"]["byte_count"] // 6
    whole = run(**fields, s3_prefix="whole")
    emulator.clear_requests()
    tiled = run(**fields, s3_prefix="tiled", limits={"tile_byte_count": sixth})
    assert emulator.counts()["thumbnails.getPixels"] >= 6
    assert [uri.rpartition("/")[2] for uri in tiled] == [uri.rpartition("/")[2] for uri in whole]
    for one, other in zip(whole, tiled, strict=True):
        if file_format == "NPY":
            assert read(one, s3) == read(other, s3)
            continue
        with open_raster(one) as wanted, open_raster(other) as got:
            np.testing.assert_array_equal(got.read(), wanted.read())
            for fact in ("crs", "transform", "dtypes", "descriptions"):
                assert getattr(got, fact) == getattr(wanted, fact)
            # A nodata value of NaN equals itself here.
            np.testing.assert_array_equal(got.nodatavals, wanted.nodatavals)
            assert got.tags() == wanted.tags()


@pytest.mark.usefixtures("assets")
def test_each_band_has_the_pixels_that_were_asked_for_it(run: Run, emulator: Emulator) -> None:
    bands = [{"id": "B3", "scale": 10}, {"id": "B8", "scale": 10}, {"id": "B11", "scale": 20}]
    params = {"bands": bands, "region": REGION}
    whole = run(download_params={**params, "name": "whole"})
    emulator.clear_requests()
    tiled = run(download_params={**params, "name": "tiled"}, limits={"tile_byte_count": 60_000})
    # B3 and B8 travel together, B11 has a grid of its own.
    assert emulator.counts()["thumbnails.getPixels"] == 5
    for one, other in zip(whole, tiled, strict=True):
        with open_raster(one) as wanted, open_raster(other) as got:
            np.testing.assert_array_equal(got.read(), wanted.read())
            assert got.transform == wanted.transform


def test_unlike_pixels_in_one_file_of_more_than_a_request_are_refused(run: Run) -> None:
    params = {"bands": ["B3", "B11"], "region": REGION, "format": "GEO_TIFF"}
    with pytest.raises(AirflowFailException, match=r"PlanError.*different pixel grids; set scale"):
        run(download_params=params, limits={"tile_byte_count": 40_000})


@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
@pytest.mark.parametrize("limits", [None, SMALL_TILES], ids=["one request", "tiles"])
def test_what_arrives_is_a_valid_cog(
    run: Run, s3: SeaweedFS, tmp_path: Path, compression: str, limits: Any
) -> None:
    (uri,) = run(limits=limits, compression=compression)
    assert_scene(uri)
    path = tmp_path / "it.tif"
    path.write_bytes(read(uri, s3))
    is_valid, errors, warnings = cog_validate(path, strict=True)
    assert (is_valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert dataset.overviews(1) == [2]
        assert dataset.block_shapes == [(512, 512)] * 2
        assert dataset.nodata == 0
        assert dataset.tags()["MGRS_TILE"] == "10SEG"
        assert dataset.profile.get("compress", "none") == compression
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        assert ("PREDICTOR" in structure) == (compression != "none")
    with rasterio.open(path, overview_level=0) as overview:
        # A whole number may be a class: an overview's is one that the raster has there.
        wanted = sentinel2_values("B3", 0, 0, 700, 600)
        np.testing.assert_array_equal(overview.read(1), wanted[::2, ::2])


@pytest.mark.usefixtures("assets")
def test_overviews_of_floating_point_bands_are_averages(run: Run) -> None:
    uri, _ = run(image="projects/demo/assets/double", download_params={})
    with open_raster(uri) as dataset:
        whole = dataset.read(1)
        got = dataset.read(1, out_shape=(200, 450))
    np.testing.assert_allclose(got, whole.reshape(200, 2, 450, 2).mean(axis=(1, 3)))


def test_a_request_that_takes_too_much_memory_is_cut_until_it_does_not(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(CATALOG_FOLDER, quotas=Quotas(pixels=30_000)) as small:
        connection = earthengine_connection(small.url, "demo")
        monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
        (uri,) = run()
        assert_scene(uri)
        # 700 x 600, then 350 x 300, then 175 x 150 px.
        answered = [r.status for r in small.requests if r.operation == "thumbnails.getPixels"]
        assert sorted(answered) == [200] * 16 + [400] * 5


def test_a_tile_that_is_never_computed_is_named_with_its_depth_and_the_last_words(
    run: Run, s3: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(CATALOG_FOLDER, quotas=Quotas(pixels=100)) as small:
        connection = earthengine_connection(small.url, "demo")
        monkeypatch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
        words = (
            r"ComputationTooLargeError: Earth Engine cannot compute the tile of \d+ x \d+ px at "
            r"column \d+, row \d+, even after it was cut into four 3 times.*User memory limit"
        )
        with pytest.raises(AirflowFailException, match=words):
            run()
    assert keys(s3, bucket) == []


@pytest.mark.parametrize(
    "message",
    [
        "Total request size (2520000 bytes) must be less than or equal to 1000000 bytes.",
        "Pixel grid dimensions (700x600) must be less than or equal to 256.",
    ],
)
def test_a_size_that_is_refused_is_planned_again_by_the_numbers_of_the_refusal(
    run: Run, emulator: Emulator, message: str
) -> None:
    refusal = Status(400, message=message)
    with emulator.fault("thumbnails.create", refusal):
        (uri,) = run()
    assert_scene(uri)
    # Of 2,520,000 bytes, a million each; of 700 x 600 px, 256 each way.
    assert emulator.counts()["thumbnails.getPixels"] == (4 if "size" in message else 9)


def test_a_storm_of_quota_answers_memory_answers_and_cut_bodies_ends_in_the_right_pixels(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without real waits between them, one request may well meet most of the storm.
    monkeypatch.setattr(steps, "RetryPolicy", partial(impatient, attempts=50))
    with ExitStack() as storm:
        for operation, fault, times, skip in (
            ("thumbnails.create", Status(429), 12, 3),
            ("thumbnails.create", Status(503, retry_after="0"), 2, 20),
            ("thumbnails.getPixels", Status(429, retry_after="0"), 12, 2),
            ("thumbnails.getPixels", Status(400, message="User memory limit exceeded."), 5, 20),
            ("thumbnails.getPixels", Cut(), 4, 30),
            ("thumbnails.getPixels", Flip(), 4, 40),
        ):
            storm.enter_context(emulator.fault(operation, fault, times, skip))
        (uri,) = run(limits={"tile_byte_count": 24 << 10})
    assert_scene(uri)
    assert emulator.counts()["thumbnails.getPixels"] > 100


@pytest.mark.parametrize("what", ["grid_shift", "grid_size", "bands", "dtype"])
def test_one_wrong_tile_and_nothing_is_published(
    run: Run, s3: SeaweedFS, bucket: str, emulator: Emulator, what: str
) -> None:
    """Swapped bands show in nothing but their values: where Earth Engine names none, none can."""
    with emulator.fault("thumbnails.getPixels", Damage(what), skip=7):
        if what == "bands":
            (uri,) = run(limits=SMALL_TILES, download_params={**WINDOW, "format": "GEO_TIFF"})
            with pytest.raises(AssertionError):
                assert_scene(uri)
            return
        with pytest.raises(AirflowFailException, match="RasterMismatchError"):
            run(limits=SMALL_TILES)
    assert keys(s3, bucket) == []


def test_swapped_fields_of_one_tile_are_seen(run: Run, emulator: Emulator) -> None:
    with (
        emulator.fault("thumbnails.getPixels", Damage("bands"), skip=7),
        pytest.raises(AirflowFailException, match=r"RasterMismatchError.*bands"),
    ):
        run(limits=SMALL_TILES, download_params={**WINDOW, "format": "NPY"})


def test_a_retry_fetches_only_what_is_missing(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    limits = {**SMALL_TILES, "resume": "always", "max_concurrent_requests": 1}
    with (
        emulator.fault("thumbnails.getPixels", Status(500), times=4, skip=12),
        pytest.raises(ServiceUnavailableError),
    ):
        run(limits=limits)
    staged = keys(s3, bucket)
    assert len(staged) == 12
    assert all(key.startswith("earthengine-staging/") for key in staged)
    # One was lost meanwhile, and one is damaged: neither is an error.
    s3.client().delete_object(Bucket=bucket, Key=staged[0])
    s3.client().put_object(Bucket=bucket, Key=staged[1], Body=b"MM\0*")
    emulator.clear_requests()
    (uri,) = run(limits=limits)
    assert_scene(uri)
    assert emulator.counts()["thumbnails.getPixels"] == 22 - 10
    assert keys(s3, bucket) == ["a/scene.tif", "a/scene.tif.json"]


@pytest.mark.parametrize(("slow_seconds", "are_kept"), [(10.0, False), (0.0, True)])
def test_of_many_tiles_only_those_that_took_long_are_kept(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch,
    slow_seconds: float, are_kept: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(staged_tiles, "SLOW_SECONDS", slow_seconds)
    with (
        emulator.fault("thumbnails.getPixels", Status(500), times=4, skip=3),
        pytest.raises(ServiceUnavailableError),
    ):
        run(limits={"tile_byte_count": 24 << 10, "max_concurrent_requests": 1})
    assert len(keys(s3, bucket)) == (3 if are_kept else 0)


def test_tiles_of_another_run_are_not_taken_and_are_swept(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    limits = {
        **SMALL_TILES, "resume": "always", "staging_prefix": "tiles/of",
        "max_concurrent_requests": 1,
    }  # fmt: skip
    with (
        emulator.fault("thumbnails.getPixels", Status(500), times=4, skip=5),
        pytest.raises(ServiceUnavailableError),
    ):
        run(limits=limits)
    assert any(key.startswith("tiles/of/") for key in keys(s3, bucket))
    emulator.clear_requests()
    run(task_context(run_id="another"), limits=limits)
    assert emulator.counts()["thumbnails.getPixels"] == 22
    assert keys(s3, bucket) == ["a/scene.tif", "a/scene.tif.json"]


def test_a_task_that_is_killed_at_a_tile_goes_on_from_there(
    emulator: Emulator, connections: object, s3: SeaweedFS, bucket: str
) -> None:
    fields = {
        "image": SENTINEL2_ID, "download_params": WINDOW, "s3_bucket": bucket, "s3_prefix": "a",
        "limits": {**SMALL_TILES, "resume": "always", "max_concurrent_requests": 1},
    }  # fmt: skip

    def attempt(*moment: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "tests.support.download_attempt",
            json.dumps(fields),
            *moment,
        ]
        return subprocess.run(
            command, cwd=PROJECT_FOLDER, env=dict(os.environ), capture_output=True, text=True
        )

    assert attempt("after-PutObject", "7").returncode == -signal.SIGKILL
    emulator.clear_requests()
    finished = attempt()
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert_scene(f"s3://{bucket}/a/scene.tif")
    assert emulator.counts()["thumbnails.getPixels"] == 22 - 7
    assert keys(s3, bucket) == ["a/scene.tif", "a/scene.tif.json"]


@pytest.mark.usefixtures("assets")
def test_a_source_that_is_replaced_meanwhile_is_downloaded_anew(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    fields = {
        "image": "projects/demo/assets/double",
        "download_params": {"format": "GEO_TIFF"},
        "limits": {"tile_byte_count": 800_000},
    }
    changed = {**ASSETS[3], "version": 2}
    # While the first tile waits, the asset is replaced.
    with emulator.fault("thumbnails.getPixels", Latency(1.0)) as armed:

        def replace() -> None:
            while armed.remaining:
                time.sleep(0.01)
            emulator.put_asset(changed)

        thread = threading.Thread(target=replace)
        thread.start()
        with pytest.raises(SourceChangedError, match="version 1, now 2"):
            run(**fields)
        thread.join()
    assert keys(s3, bucket) == []
    (uri,) = run(**fields)
    with open_raster(uri) as got:
        rows, columns = np.arange(400)[:, None], np.arange(900)[None, :]
        np.testing.assert_array_equal(got.read(1), formula_values(0, "float64", rows, columns))
    item = json.loads(read(f"{uri}.json", s3))
    assert item["properties"]["earthengine:asset_version"] == 2


def test_a_plan_is_told_and_nothing_else_is_done(
    run: Run, emulator: Emulator, s3: SeaweedFS, bucket: str
) -> None:
    context = task_context()
    assert run(context, limits=SMALL_TILES, plan_only="true") == []
    assert context["ti"].xcom["plan"] == {
        "requests": 22,
        "byte_count": 700 * 600 * 2 * 3,
        "raster_byte_count": 700 * 600 * 2 * 2,
        "files": [f"s3://{bucket}/a/scene.tif"],
        "item": f"s3://{bucket}/a/scene.tif.json",
        "warnings": [],
    }
    assert "thumbnails.create" not in emulator.counts()
    assert keys(s3, bucket) == []


@pytest.mark.usefixtures("connections")
def test_a_plan_is_printed_by_a_command(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        SENTINEL2_ID, "--params", json.dumps(WINDOW), "--bucket", "demo", "--limits",
        json.dumps(SMALL_TILES),
    ]  # fmt: skip
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip().splitlines()[-2:] == [
        (
            f"Plan: {SENTINEL2_ID} as GEO_TIFF, 22 requests of 2.4 MiB in total as Earth Engine "
            "counts, to s3://demo/scene.tif.json"
        ),
        (
            "  scene.tif: B3 (uint16), B4 (uint16); 700 x 600 px of 10 x -10 at (499980, 4200000) "
            "in EPSG:32610"
        ),
    ]
    assert main([*arguments, "--json"]) == 0
    assert '"requests": 22,' in capsys.readouterr().out
    assert main([SENTINEL2_ID, "--params", '{"bandz": []}']) == 1
    assert "DownloadParamsError: " in capsys.readouterr().err
    assert "thumbnails.create" not in emulator.counts()


def test_time_that_is_up_ends_the_download(run: Run, emulator: Emulator) -> None:
    limits = {**SMALL_TILES, "total_seconds": 0.5, "max_concurrent_requests": 2}
    with (
        emulator.fault("thumbnails.getPixels", Latency(0.6), times=2),
        pytest.raises(FetchTimeoutError, match=r"tiles.*not finished within limits\['total_sec"),
    ):
        run(limits=limits)


def test_every_request_is_tagged_with_its_dag_and_task(run: Run, emulator: Emulator) -> None:
    run(limits=SMALL_TILES)
    tags = {r.workload_tag for r in emulator.requests if r.operation == "thumbnails.create"}
    assert tags == {"a_dag--a_task"}


def test_what_is_not_large_is_sent_as_the_user_wrote_it(run: Run, emulator: Emulator) -> None:
    (uri,) = run()
    assert_scene(uri)
    assert emulator.counts()["thumbnails.create"] == 1
    # One value for the description, and none to look whether the source has changed.
    assert emulator.counts()["value:compute"] == 1


def test_as_served_above_a_request_says_what_takes_any_size(run: Run) -> None:
    with pytest.raises(AirflowFailException, match=r"PlanError.*layout='cog', which supports"):
        run(layout="as_served", limits=SMALL_TILES)
