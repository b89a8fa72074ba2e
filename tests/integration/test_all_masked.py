"""Rasters without a valid pixel: said in log, item and XCom, and what ``on_empty`` makes of them.

What is valid is never called empty, though its values be those of masked pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ee
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider.earthengine.emulator.faults.armed import Status
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import list_keys, read_item
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import remarks, task_context

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("connections")]

ASSET = "projects/demo/assets/half"
TYPES = ("uint8", "int16", "uint32", "float32", "float64")
GRID = {"crs": "EPSG:32610", "crs_transform": [10, 0, 600_000, 0, -10, 4_100_000]}
# The upper half is masked, in every band.
LOWER, UPPER = 4_099_800, 4_100_000
WINDOW = {"crs": "EPSG:32610", "dimensions": [30, 20]}
MASKED = {**WINDOW, "crs_transform": [10, 0, 600_000, 0, -10, UPPER]}
VALID = {**WINDOW, "crs_transform": [10, 0, 600_000, 0, -10, LOWER]}

Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def assets(emulator: Emulator) -> Iterator[Emulator]:
    mask = [{"left": 0, "top": 0, "width": 30, "height": 20}]
    bands = [
        {"id": dtype, "dtype": dtype, **GRID, "dimensions": [30, 40], "masked": mask}
        for dtype in TYPES
    ]
    with emulator.restored_assets():
        emulator.put_asset({"id": ASSET, "kind": "formula", "bands": bands})
        yield emulator


@pytest.fixture
def run(bucket: str) -> Run:
    """Return the task's XCom."""

    def execute(params: dict[str, Any], **fields: Any) -> dict[str, Any]:
        context = task_context()
        operator = EarthEngineToS3Operator(
            task_id="download", s3_bucket=bucket,
            **{"image": ASSET, "download_params": {"name": "x", **params}, **fields},
        )  # fmt: skip
        uris = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        return {**context["ti"].xcom, "uris": uris}

    return execute


def test_a_raster_without_a_valid_pixel_is_said_in_log_item_and_xcom(
    run: Run, bucket: str, s3: SeaweedFS, caplog: pytest.LogCaptureFixture
) -> None:
    xcom = run(MASKED)
    sentences = [f"No pixel of band {band} is valid; all are masked." for band in TYPES]
    names = [f"x.{band}.tif" for band in TYPES]
    assert remarks(xcom) == {"warnings": sentences, "all_masked": names}
    properties = read_item(s3.client(), bucket, "x.bands.json")["properties"]
    assert properties["earthengine:warnings"] == sentences
    assert properties["earthengine:all_masked"] == names
    assert all(
        f"{name}: {said}" in caplog.text for name, said in zip(names, sentences, strict=True)
    )


@pytest.mark.parametrize("file_format", ["GEO_TIFF", "NPY"])
@pytest.mark.parametrize("band", ["uint8", "float32"])
def test_so_is_a_file_of_any_format(run: Run, file_format: str, band: str) -> None:
    xcom = run({**MASKED, "bands": [band], "format": file_format})
    assert remarks(xcom) == {
        "warnings": [f"No pixel of band {band} is valid; all are masked."],
        "all_masked": ["x.npy" if file_format == "NPY" else "x.tif"],
    }


@pytest.mark.parametrize("params", [{}, {"format": "NPY", "bands": ["uint8", "float32"]}])
def test_a_raster_with_valid_pixels_is_not_called_masked(
    run: Run, assets: Emulator, params: dict[str, Any]
) -> None:
    assets.clear_requests()
    xcom = run({**VALID, **params})
    assert remarks(xcom) == {"warnings": [], "all_masked": []}
    # That it is not masked is seen in what came; it is not asked.
    assert assets.counts()["value:compute"] == 1


def zeros(**_: Any) -> ee.Image:
    """Return valid zeros of a class of none, as a map of floods has on a dry day."""
    return ee.Image(ASSET).select(["uint8"]).multiply(0).toUint8()


def least(**_: Any) -> ee.Image:
    return ee.Image(ASSET).select(["int16"]).multiply(0).subtract(32768).toInt16()


@pytest.mark.parametrize("file_format", ["GEO_TIFF", "NPY"])
@pytest.mark.parametrize("image", [zeros, least])
def test_valid_pixels_of_the_value_of_masked_ones_are_not_called_empty(
    run: Run, bucket: str, s3: SeaweedFS, image: Any, file_format: str
) -> None:
    params = {**VALID, "format": file_format}
    xcom = run(params, image=image, on_empty={"all_masked": "skip"})
    assert xcom["summary"]["all_masked"] == []
    (warning,) = xcom["summary"]["warnings"]
    assert "have the value of masked pixels, but some are valid; nodata" in warning
    # The same, masked: only the mask differs.
    with pytest.raises(AirflowSkipException, match="AllMaskedError"):
        run({**MASKED, "format": file_format}, image=image, on_empty={"all_masked": "skip"},
            s3_prefix="masked")  # fmt: skip


def test_with_a_nodata_value_zeros_are_seen_to_be_valid_and_nothing_is_asked(
    run: Run, assets: Emulator
) -> None:
    assets.clear_requests()
    xcom = run({**VALID, "format": "GEO_TIFF"}, image=zeros, nodata=255)
    assert remarks(xcom) == {"warnings": [], "all_masked": []}
    assert assets.counts()["value:compute"] == 1


def test_where_the_mask_is_not_told_nothing_is_called_empty(run: Run, assets: Emulator) -> None:
    refusal = Status(400, message="Computation timed out.")
    with assets.fault("value:compute", refusal, skip=1):
        xcom = run(
            {**MASKED, "bands": ["uint8"], "format": "GEO_TIFF"}, on_empty='{"all_masked": "fail"}'
        )
    assert xcom["summary"]["all_masked"] == []
    (warning,) = xcom["summary"]["warnings"]
    assert "it is unknown whether any is valid" in warning


def test_of_several_rasters_those_without_a_valid_pixel_are_named(run: Run) -> None:
    def image() -> ee.Image:
        half = ee.Image(ASSET)
        return half.select(["float32"]).addBands(half.select(["uint8"]).unmask(5))

    xcom = run({**MASKED}, image=image, on_empty={"all_masked": "fail"})
    assert remarks(xcom) == {
        "warnings": ["No pixel of band float32 is valid; all are masked."],
        "all_masked": ["x.float32.tif"],
    }


def test_by_default_a_masked_raster_is_published_whatever_becomes_of_no_pixels(run: Run) -> None:
    for on_empty in ("fail", "skip", "mark", {"no_pixels": "skip"}):
        assert run({**MASKED, "bands": ["uint8"]}, on_empty=on_empty)["uris"]


def test_it_fails_without_a_retry_if_the_user_asks_so(run: Run, bucket: str, s3: SeaweedFS) -> None:
    with pytest.raises(AirflowFailException, match="AllMaskedError: No pixel of x is valid"):
        run(MASKED, on_empty={"all_masked": "fail"})
    assert list_keys(s3.client(), bucket) == []


def test_tiles_that_are_all_masked_are_skipped_and_not_kept(
    run: Run, bucket: str, s3: SeaweedFS
) -> None:
    limits = {"tile_byte_count": 2_000, "resume": "always", "staging_prefix": "staged"}
    with pytest.raises(AirflowSkipException, match="AllMaskedError"):
        run({**MASKED, "bands": ["uint32"]}, on_empty={"all_masked": "skip"}, limits=limits)
    assert list_keys(s3.client(), bucket) == []
    assert s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_marker_of_masked_pixels_spares_questions_only_where_it_is_wanted(
    run: Run, bucket: str, s3: SeaweedFS, assets: Emulator
) -> None:
    params = {**MASKED, "bands": ["uint8"], "format": "GEO_TIFF"}
    with pytest.raises(AirflowSkipException, match="AllMaskedError: No pixel"):
        run(params, on_empty={"all_masked": "mark"})
    marker = read_item(s3.client(), bucket, "x.empty.json")
    assert (marker["kind"], marker["nothing"]) == ("earthengine-empty", "all_masked")
    assets.clear_requests()
    with pytest.raises(AirflowSkipException, match="the next check is due after"):
        run(params, on_empty={"all_masked": "mark"})
    assert assets.counts().get("value:compute", 0) == 0
    # Whoever wants masked pixels gets them, and the marker goes.
    assert run(params, on_empty="mark")["summary"]["all_masked"] == ["x.tif"]
    assert list_keys(s3.client(), bucket) == ["x.tif", "x.tif.json"]


def test_what_is_published_already_says_so_again(run: Run) -> None:
    params = {**MASKED, "bands": ["uint8"], "format": "GEO_TIFF"}
    assert remarks(run(params)) == remarks(run(params))
    assert run(params)["summary"]["all_masked"] == ["x.tif"]


@pytest.mark.parametrize(
    ("on_empty", "words"),
    [
        ("publish", "on_empty is 'publish'; use one of fail, skip, mark"),
        ({"all_masked": "skipp"}, r"on_empty\['all_masked'\] is 'skipp'; use one of publish, fail"),
        ({"masked": "skip"}, "on_empty has 'masked'; use no_pixels or all_masked"),
        (["skip"], "on_empty is .*use one of fail"),
    ],
)
def test_what_on_empty_cannot_mean_is_refused(run: Run, on_empty: Any, words: str) -> None:
    with pytest.raises(AirflowFailException, match=f"DownloadParamsError: {words}"):
        run(MASKED, on_empty=on_empty)
