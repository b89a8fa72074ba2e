"""Whatever the parameters: a right download, or an error of this package and nothing published."""

from __future__ import annotations

import io
import json
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.common.compat.sdk import AirflowFailException
from hypothesis import HealthCheck, given
from rasterio.io import MemoryFile

from airflow_provider.earthengine.exceptions import PermanentError
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.integration.drawn_params import expected_grids, is_per_band, legal, spoiled
from tests.support.airflow_task import task_context
from tests.support.drawn import examples
from tests.support.expected import SENTINEL2_ID
from tests.support.expected_grids import Grid, sentinel2_pixels

pytestmark = pytest.mark.slow

BASE = SENTINEL2_ID.rsplit("/", 1)[-1]

Download = Callable[[dict[str, Any]], dict[str, bytes] | str]

# It is a place to publish to; every example takes a prefix of its own in it.
ONE_FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def download(
    connections: object, s3: SeaweedFS, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Download:
    """Return a function that gives what was published, the item last, or the error's text.

    In both cases it has looked that nothing else is in the bucket, and nothing left in scratch.
    """
    client: Any = s3.client()
    # The operator makes a client of its own; what takes long is to make a session for each.
    session = S3Hook("aws_default").get_session()
    monkeypatch.setattr(S3Hook, "get_session", lambda *_, **__: session)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def execute(params: dict[str, Any]) -> dict[str, bytes] | str:
        prefix, context = uuid.uuid4().hex, task_context()
        refusal: AirflowFailException | None = None
        uris: list[str] = []
        try:
            operator = EarthEngineToS3Operator(
                task_id="download", image=SENTINEL2_ID, download_params=params, s3_bucket=bucket,
                s3_prefix=prefix,
            )  # fmt: skip
            uris = operator.execute(context)  # type: ignore[arg-type]  # a stand-in
        except AirflowFailException as error:
            refusal = error
        listed = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
        assert list(tmp_path.iterdir()) == []
        if refusal is not None:
            assert isinstance(refusal, PermanentError) or isinstance(
                refusal.__cause__, PermanentError
            )
            assert listed == []
            return str(refusal)
        kept = [each["Key"] for each in listed if ".thumbnail." not in each["Key"]]
        assert len(kept) == len(listed) - 1
        assert {f"s3://{bucket}/{key}" for key in kept} == {*uris, context["ti"].xcom["item"]}
        return {
            uri.removeprefix(f"s3://{bucket}/{prefix}/"): client.get_object(
                Bucket=bucket, Key=uri.removeprefix(f"s3://{bucket}/")
            )["Body"].read()
            for uri in [*uris, context["ti"].xcom["item"]]
        }

    return execute


def assert_holds(content: bytes, bands: list[str], grid: Grid) -> None:
    if content.startswith(b"\x93NUMPY"):
        array = np.load(io.BytesIO(content), allow_pickle=False)
        pixels = [array[band] for band in bands]
    else:
        with MemoryFile(content) as file, file.open() as raster:
            assert raster.crs.to_string() == grid.crs
            assert tuple(raster.transform)[:6] == pytest.approx(grid.transform, rel=1e-10)
            pixels = list(raster.read())
    for band, got in zip(bands, pixels, strict=True):
        np.testing.assert_array_equal(got, sentinel2_pixels(band, grid))


def assert_is_what_its_item_says(published: dict[str, bytes]) -> None:
    *names, item_name = published
    item = json.loads(published[item_name])
    *assets, picture = item["assets"].values()
    assert [asset["href"].rsplit("/", 1)[-1] for asset in assets] == names
    assert picture["roles"] == ["thumbnail"]
    for warning in item["properties"].get("earthengine:warnings", []):
        assert "pixel" in warning  # Of a region that is smaller than one, say.
    for name, asset in zip(names, assets, strict=True):
        if name.endswith(".tif"):
            with MemoryFile(published[name]) as file, file.open() as raster:
                assert asset["proj:shape"] == [raster.height, raster.width]
                assert raster.count == len(asset["bands"])


@examples(15, suppress_health_check=ONE_FIXTURE)
@given(params=legal)
def test_parameters_that_go_together_give_the_pixels_that_the_formula_says(
    download: Download, params: dict[str, Any]
) -> None:
    published = download(params)
    grids = expected_grids(params)
    if grids is None:
        assert isinstance(published, str) or assert_is_what_its_item_says(published) is None
        return
    assert not isinstance(published, str), published
    assert_is_what_its_item_says(published)
    rasters = list(published.values())[:-1]
    bands = [[band] for band in grids] if is_per_band(params) else [list(grids)]
    for content, band_ids in zip(rasters, bands, strict=True):
        assert_holds(content, band_ids, grids[band_ids[0]])


@examples(50, suppress_health_check=ONE_FIXTURE)
@given(params=spoiled)
def test_one_odd_value_is_refused_by_name_or_does_what_it_says(
    download: Download, params: dict[str, Any]
) -> None:
    published = download(params)
    if isinstance(published, str):
        assert len(published) < 1000
    else:
        assert_is_what_its_item_says(published)
