"""Each sentence of the reference page of ``ee.data.getDownloadId``, as a published download."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.common.compat.sdk import AirflowFailException
from rasterio.io import MemoryFile

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.integration.reference_page import (
    CASES,
    FEATURE,
    OWN,
    POLYGON,
    REFUSED,
    SCALED,
    TWENTY_GRID,
    TWO,
    Wanted,
)
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_BANDS, SENTINEL2_ID
from tests.support.expected_grids import scaled_grid, sentinel2_pixels

Run = Callable[..., dict[str, bytes]]


@pytest.fixture(scope="module")
def client(s3: SeaweedFS) -> Any:
    """One client for all tests here: making one takes longer than a small download."""
    return s3.client()


@pytest.fixture(scope="module")
def shelf(client: Any) -> str:
    """One bucket for all tests here, which keep apart by prefixes; it goes with its server."""
    client.create_bucket(Bucket="test-parameters")
    return "test-parameters"


@pytest.fixture
def run(connections: object, shelf: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the operator and gives what it published, by key, no item."""
    # The operator makes a client of its own; what takes long is to make a session for each.
    session = S3Hook("aws_default").get_session()
    monkeypatch.setattr(S3Hook, "get_session", lambda *_, **__: session)
    prefix = uuid.uuid4().hex

    def read(uri: str) -> bytes:
        content: bytes = client.get_object(Bucket=shelf, Key=uri.removeprefix(f"s3://{shelf}/"))[
            "Body"
        ].read()
        return content

    def execute(**fields: Any) -> dict[str, bytes]:
        operator = EarthEngineToS3Operator(
            task_id="download", s3_bucket=shelf, s3_prefix=prefix,
            **{"image": SENTINEL2_ID, **fields},
        )  # fmt: skip
        context = task_context()
        uris = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        assert_all_predictions_came_true(read(context["ti"].xcom["item"]))
        return {uri.removeprefix(f"s3://{shelf}/{prefix}/"): read(uri) for uri in uris}

    return execute


def assert_all_predictions_came_true(item: bytes) -> None:
    assert "earthengine:warnings" not in json.loads(item)["properties"]


def assert_holds(content: bytes, wanted: Wanted) -> None:
    if wanted.name.endswith(".npy"):
        array = np.load(io.BytesIO(content), allow_pickle=False)
        assert array.dtype.names == wanted.bands
        bands = [array[band] for band in wanted.bands]
    else:
        with MemoryFile(content) as file, file.open() as dataset:
            assert dataset.crs.to_string() == wanted.grid.crs
            assert tuple(dataset.transform)[:6] == pytest.approx(wanted.grid.transform, rel=1e-10)
            bands = list(dataset.read())
    for band, pixels in zip(wanted.bands, bands, strict=True):
        assert pixels.shape == (wanted.grid.height, wanted.grid.width)
        assert pixels.dtype == SENTINEL2_BANDS[band][1]
        np.testing.assert_array_equal(pixels, sentinel2_pixels(band, wanted.grid), band)


@pytest.mark.slow
@pytest.mark.parametrize(("params", "wanted"), CASES.values(), ids=CASES)
def test_a_parameter_does_what_the_reference_page_says(
    run: Run, params: dict[str, Any], wanted: list[Wanted]
) -> None:
    published = run(download_params=params)
    assert list(published) == [each.name for each in wanted]
    for each in wanted:
        assert_holds(published[each.name], each)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file_format", "names"),
    [
        ("ZIPPED_GEO_TIFF", ["scene.tif"]),
        ("ZIPPED_GEO_TIFF_PER_BAND", ["scene.B3.tif", "scene.B11.tif"]),
    ],
)
def test_a_name_begins_the_names_in_the_zip(run: Run, file_format: str, names: list[str]) -> None:
    published = run(
        layout="zip", download_params={**SCALED, "name": "scene", "format": file_format}
    )
    with zipfile.ZipFile(io.BytesIO(published["scene.zip"])) as archive:
        assert archive.namelist() == names
        for name, wanted in zip(
            names, [TWO] if len(names) == 1 else [["B3"], ["B11"]], strict=True
        ):
            assert_holds(archive.read(name), Wanted(name, TWENTY_GRID, tuple(wanted)))


def test_a_computed_image_is_named_download(run: Run) -> None:
    def compute() -> Any:
        import ee

        return ee.Image(SENTINEL2_ID).select("B3")

    assert list(run(image=compute, download_params={**SCALED, "bands": ["B3"]})) == [
        "download.B3.tif"
    ]


def test_a_region_may_be_an_object_or_a_file_of_the_worker(
    run: Run, client: Any, shelf: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__EARTHENGINE__REGION_FOLDERS", str(tmp_path))
    client.put_object(Bucket=shelf, Key="areas/a", Body=json.dumps(FEATURE).encode())
    path = tmp_path / "area"
    path.write_text(json.dumps(POLYGON))
    for region in (f"s3://{shelf}/areas/a", str(path)):
        params = {"name": Path(region).name, "bands": ["B11"], "region": region}
        ((name, content),) = run(download_params=params).items()
        assert_holds(content, Wanted(name, OWN["B11"], ("B11",)))


def test_a_region_may_be_the_id_of_a_table(run: Run) -> None:
    params = {"bands": ["B11"], "region": "projects/demo/assets/regions", "scale": 20}
    ((name, content),) = run(download_params=params).items()
    # Around both of its features; the edges of two degrees' hundredths hardly bulge.
    grid = scaled_grid(20, (-122.5, 37.28, -122.49, 37.31))
    assert_holds(content, Wanted(name, grid, ("B11",)))


@pytest.mark.parametrize(("params", "words"), REFUSED.values(), ids=REFUSED)
def test_a_parameter_that_would_be_ignored_is_refused(
    run: Run, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException, match=f"DownloadParamsError: .*{words}"):
        run(download_params=params)
