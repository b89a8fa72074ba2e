"""A region's files are read by the task, wherever they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.emulator import CATALOG_FOLDER
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID

LANDSAT = "projects/demo/assets/landsat7_olinda"
WEST, SOUTH, EAST, NORTH = -34.89, -7.98, -34.87, -7.96
RING = [[WEST, NORTH], [WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "properties": {}, "geometry": POLYGON}

Run = Callable[[Any], Any]


@pytest.fixture
def run(connections: object, bucket: str) -> Run:
    def read_region_of(region: Any) -> Any:
        operator = EarthEngineToS3Operator(
            task_id="download",
            image=LANDSAT,
            download_params={"region": region, "bands": ["B1"], "format": "GEO_TIFF", "scale": 57},
            s3_bucket=bucket,
            if_exists="replace",
        )
        (uri,) = operator.execute(task_context(run_id=repr(region)))  # type: ignore[arg-type]  # a stand-in
        with open_raster(uri) as raster:
            return raster.transform, raster.read(1).tolist()

    return read_region_of


def test_every_form_of_a_region_means_the_same_pixels(
    run: Run, s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    wanted = run([WEST, SOUTH, EAST, NORTH])
    collection = {"type": "FeatureCollection", "features": [FEATURE]}
    for form in (RING[:-1], POLYGON, FEATURE, collection, json.dumps(POLYGON)):
        assert run(form) == wanted
    s3.client().put_object(
        Bucket=bucket, Key="areas/one.geojson", Body=json.dumps(FEATURE).encode()
    )
    assert run(f"s3://{bucket}/areas/one.geojson") == wanted
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps(collection))
    assert run(str(path)) == wanted


def test_a_table_is_the_region_of_its_features(
    connections: object, bucket: str, emulator: Emulator
) -> None:
    table = "projects/demo/assets/regions"
    features = json.loads((CATALOG_FOLDER / f"{table}.geojson").read_text())
    pixels = []
    for name, region in (("table", table), ("features", features)):
        params = {"name": name, "region": region, "bands": ["B11"], "format": "GEO_TIFF"}
        operator = EarthEngineToS3Operator(
            task_id="download", image=SENTINEL2_ID, download_params=params, s3_bucket=bucket
        )
        (uri,) = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        with open_raster(uri) as raster:
            pixels.append((raster.transform, raster.read(1)))
    (transform, of_table), (other_transform, of_features) = pixels
    assert transform == other_transform
    assert (of_table == of_features).all()
    assert 0 < (of_table > 0).mean() < 1  # what is outside the two fields is masked


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("s3://{bucket}/absent.geojson", "s3://.*/absent.geojson does not exist"),
        ("s3://no-such-bucket/x.geojson", "BucketNotFoundError"),
        ("/no/such/file.geojson", "cannot be read on this worker"),
        ("projects/demo/assets/absent", "absent"),
    ],
)  # fmt: skip
def test_a_region_that_cannot_be_had_is_named(
    run: Run, bucket: str, region: Any, words: str
) -> None:
    with pytest.raises(AirflowFailException, match=words):
        run(region.format(bucket=bucket) if isinstance(region, str) else region)


def test_objects_are_written_as_the_user_says(
    connections: object, bucket: str, s3: SeaweedFS
) -> None:
    operator = EarthEngineToS3Operator(
        task_id="download",
        image=LANDSAT,
        download_params={"bands": ["B1"], "format": "GEO_TIFF"},
        s3_bucket=bucket,
        s3_extra_args={"Tagging": {"team": "a b"}, "StorageClass": "STANDARD_IA"},
    )
    operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    for key, storage_class in (("tif", "STANDARD_IA"), ("tif.json", None)):
        where = {"Bucket": bucket, "Key": f"landsat7_olinda.{key}"}
        assert s3.client().get_object_tagging(**where)["TagSet"] == [
            {"Key": "team", "Value": "a b"}
        ]
        head = s3.client().head_object(**where)
        assert head.get("StorageClass") == storage_class


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"Metadata": {"a": "b"}}, "has the key 'Metadata'; use only ServerSideEncryption"),
        ({"IfNoneMatch": "*"}, "has the key 'IfNoneMatch'"),
        ("none", "write a dict"),
    ],
)
def test_an_argument_that_may_not_be_given_is_refused(
    connections: object, bucket: str, given: Any, words: str
) -> None:
    operator = EarthEngineToS3Operator(
        task_id="download", image=LANDSAT, download_params={}, s3_bucket=bucket,
        s3_extra_args=given,
    )  # fmt: skip
    with pytest.raises(AirflowFailException, match=words):
        operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
