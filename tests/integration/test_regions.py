"""A region's files are read by the task, wherever they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from rasterio.warp import transform

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.airflow import FailedRunError
from stack.emulator import CATALOG_FOLDER
from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID

pytestmark = pytest.mark.slow

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
    run: Run, s3: SeaweedFS, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = run([WEST, SOUTH, EAST, NORTH])
    collection = {"type": "FeatureCollection", "features": [FEATURE]}
    for form in (RING[:-1], POLYGON, FEATURE, collection, json.dumps(POLYGON)):
        assert run(form) == wanted
    s3.client().put_object(
        Bucket=bucket, Key="areas/one.geojson", Body=json.dumps(FEATURE).encode()
    )
    assert run(f"s3://{bucket}/areas/one.geojson") == wanted
    monkeypatch.setenv("AIRFLOW__EARTHENGINE__REGION_FOLDERS", f"/srv/none, {tmp_path}")
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps(collection))
    assert run(str(path)) == run("./area.geojson") == wanted


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
        ("/no/such/file.geojson", "is not inside a folder that region files may be read from"),
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
    with pytest.raises(DownloadParamsError, match=words):
        EarthEngineToS3Operator(
            task_id="download", image=LANDSAT, download_params={}, s3_bucket=bucket,
            s3_extra_args=given,
        )  # fmt: skip


def corners(crs: str, west: float, south: float, east: float, north: float) -> Any:
    """Return a GeoJSON polygon with these corners, in this crs."""
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    crs_member = {"type": "name", "properties": {"name": crs}}
    return {"type": "Polygon", "coordinates": [ring], "crs": crs_member}


def test_a_region_is_in_the_crs_that_its_geojson_names(run: Run) -> None:
    # In Landsat's own crs, from five metres within one pixel to five metres within another.
    west, north, size = 289973.25, 9118423.75, 20 * 57
    region = corners("EPSG:31985", west + 5, north - size + 5, west + size - 5, north - 5)
    grid, pixels = run(region)
    assert (grid.c, grid.f) == (pytest.approx(west, abs=0.01), pytest.approx(north, abs=0.01))
    assert (len(pixels), len(pixels[0])) == (20, 20)


def test_a_region_of_an_older_datum_is_not_taken_for_one_of_wgs_84(
    connections: object, bucket: str
) -> None:
    place = (-122.08, 37.04, -122.07, 37.05)
    corner = {}
    for crs in ("EPSG:4326", "EPSG:4267"):
        operator = EarthEngineToS3Operator(
            task_id="download", image=SENTINEL2_ID, s3_bucket=bucket,
            download_params={
                "name": crs.replace(":", "_"), "region": corners(crs, *place), "bands": ["B3"],
                "format": "GEO_TIFF", "scale": 10,
            },
        )  # fmt: skip
        (uri,) = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        with open_raster(uri) as raster:
            corner[crs] = raster.transform.c, raster.transform.f
    (east, plain_east) = (
        transform_points(crs, "EPSG:32610", (place[0], place[3]))[0][0]
        for crs in ("EPSG:4267", "EPSG:4326")
    )
    assert abs(east - plain_east) > 60  # some 90 m west of where WGS 84 has it
    # The box of a rectangle that lies askew begins within a few pixels of its corner.
    moved = corner["EPSG:4267"][0] - corner["EPSG:4326"][0]
    assert moved == pytest.approx(east - plain_east, abs=10)


def transform_points(source: str, target: str, *points: tuple[float, float]) -> Any:
    return list(zip(*transform(source, target, *zip(*points, strict=True)), strict=True))


FIJI = {
    "id": "projects/demo/assets/fiji",
    "kind": "formula",
    "bands": [
        {"id": "B1", "dtype": "uint16", "crs": "EPSG:32701", "dimensions": [400, 400],
         "crs_transform": [100, 0, 160000, 0, -100, 8140000]},
    ],
}  # fmt: skip


def test_a_box_across_180_degrees_is_the_pixels_on_both_sides_of_it(
    connections: object, bucket: str, emulator: Emulator
) -> None:
    """The line of 180 degrees is at about x = 180,000 m of UTM zone 1."""
    boxes = {"crossing": [179.95, -17, -179.95, -16.9], "counted": [179.95, -17, 180.05, -16.9]}
    found = {}
    with emulator.restored_assets():
        emulator.put_asset(FIJI)
        for name, region in boxes.items():
            params = {"name": name, "region": region, "format": "GEO_TIFF", "scale": 100}
            operator = EarthEngineToS3Operator(
                task_id="download", image=FIJI["id"], download_params=params, s3_bucket=bucket
            )
            (uri,) = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
            with open_raster(uri) as raster:
                found[name] = raster.transform, raster.read(1)
    (grid, pixels), (other_grid, other_pixels) = found["crossing"], found["counted"]
    corners_of_box = [(179.95, -17), (179.95, -16.9), (-179.95, -17), (-179.95, -16.9)]
    xs, ys = zip(*transform_points("EPSG:4326", "EPSG:32701", *corners_of_box), strict=True)
    assert (grid.c, grid.f) == (min(xs) // 100 * 100, -(-max(ys) // 100) * 100)
    height = (grid.f - min(ys) // 100 * 100) / 100
    width = (-(-max(xs) // 100) * 100 - grid.c) / 100
    assert pixels.shape == (height, width)
    assert other_grid == grid
    assert (other_pixels == pixels).all()
    assert len(pixels) < 200 > len(pixels[0])  # and not the belt round the globe


def test_features_without_a_geometry_and_parts_that_touch_are_one_region(run: Run) -> None:
    middle = (WEST + EAST) / 2
    halves = [
        [[WEST, SOUTH], [middle, SOUTH], [middle, NORTH], [WEST, NORTH], [WEST, SOUTH]],
        [[middle, SOUTH], [EAST, SOUTH], [EAST, NORTH], [middle, NORTH], [middle, SOUTH]],
    ]
    touching = {"type": "MultiPolygon", "coordinates": [[half] for half in halves]}
    nothing = {"type": "Feature", "properties": {}, "geometry": None}
    wanted = run([WEST, SOUTH, EAST, NORTH])
    assert run(touching) == wanted
    assert run({"type": "FeatureCollection", "features": [nothing, FEATURE, nothing]}) == wanted


def test_a_region_file_is_read_of_the_dags_bundle_without_configuration(
    run: Run, tmp_path: Path, connections: object, bucket: str
) -> None:
    (tmp_path / "area.geojson").write_text(json.dumps(FEATURE))
    params = {"region": "area.geojson", "bands": ["B1"], "format": "GEO_TIFF", "scale": 57}
    operator = EarthEngineToS3Operator(
        task_id="download", image=LANDSAT, download_params=params, s3_bucket=bucket
    )
    context: Any = task_context()
    context["ti"].bundle_instance = Bundle(tmp_path)
    (uri,) = operator.execute(context)
    with open_raster(uri) as raster:
        assert (raster.transform, raster.read(1).tolist()) == run([WEST, SOUTH, EAST, NORTH])


@dataclass
class Bundle:
    """What Airflow says of where a DAG comes from."""

    path: Path


@pytest.mark.parametrize("size", [0, 10_485_761])
def test_an_object_that_holds_no_region_is_refused_and_nothing_of_it_is_shown(
    run: Run, s3: SeaweedFS, bucket: str, size: int
) -> None:
    body = b'{"password": "SECRET"}'.ljust(size)
    s3.client().put_object(Bucket=bucket, Key="a.json", Body=body)
    words = (
        "more than the 10,485,760 bytes" if size else "cannot be used: region is GeoJSON of type"
    )
    with pytest.raises(AirflowFailException, match=words) as caught:
        run(f"s3://{bucket}/a.json")
    assert "SECRET" not in str(caught.value)


_DAG = """
from airflow.sdk import DAG
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

with DAG("beside", schedule=None, params={{"region": "areas/area.geojson"}}):
    EarthEngineToS3Operator(
        task_id="download", image="projects/demo/assets/landsat7_olinda", s3_bucket="{bucket}",
        download_params={{"region": "{{{{ params.region }}}}", "bands": ["B1"], "scale": 57,
                         "format": "GEO_TIFF"}},
    )
"""


def test_a_run_reads_a_region_file_beside_its_dag_and_no_other(
    make_airflow: MakeAirflow, s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    dags = tmp_path / "dags"
    (dags / "areas").mkdir(parents=True)
    (dags / "areas" / "area.geojson").write_text(json.dumps(FEATURE))
    (tmp_path / "secret.geojson").write_text(json.dumps(FEATURE))
    (dags / "beside.py").write_text(_DAG.format(bucket=bucket))
    airflow = make_airflow(dags)
    airflow.test_dag("beside", "2026-01-01")
    assert s3.client().head_object(Bucket=bucket, Key="landsat7_olinda.tif")
    for name in (tmp_path / "secret.geojson", "../secret.geojson", "/etc/hostname.json"):
        with pytest.raises(FailedRunError, match="is not inside a folder that region files may"):
            airflow.test_dag("beside", "2026-01-02", json.dumps({"region": str(name)}))
