"""What people read a series with, from the bucket: it stacks, mosaics and counts as numpy does.

Twelve days of two overlapping regions. The pixels of a day are the formula's plus its number.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import odc.stac
import pystac
import pystac_client
import pytest
import rasterio
import rasterio.merge
import rioxarray
from pystac.stac_io import DefaultStacIO
from rio_tiler.io import Reader, STACReader
from rio_tiler.mosaic import mosaic_reader
from stac_check.lint import Linter
from stac_validator.validate import StacValidate

from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.items import open_items
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.bucket import list_keys
from stack.emulator import earthengine_connection
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.expected import formula_values

if TYPE_CHECKING:
    import ee

pytestmark = [
    pytest.mark.slow,
    # odc-geo 0.5.3 calls what shapely 2.2 wants to rename.
    pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning"),
    # A static catalogue is no API, of which pystac-client warns.
    pytest.mark.filterwarnings("ignore::pystac_client.warnings.PystacClientWarning"),
]

ASSET = "projects/demo/assets/base"
LEFT, TOP, SIDE = 600_000, 4_100_000, 10
COUNT = 12
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
# (first column, first row, columns, rows) of the asset; they share 30 columns.
REGIONS = {"west": (0, 0, 70, 50), "east": (40, 10, 60, 40)}
GRID = {
    "crs": "EPSG:32610",
    "crs_transform": [SIDE, 0, LEFT, 0, -SIDE, TOP],
    "dimensions": [120, 90],
}


@dataclass(frozen=True)
class Series:
    bucket: str
    s3: SeaweedFS
    connection: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/series"


def image_of_day(number: int) -> ee.Image:
    import ee

    image: ee.Image = ee.Image(ASSET).add(number).toInt32()
    return image


def expected(region: str, number: int) -> np.ndarray[Any, Any]:
    column, row, width, height = REGIONS[region]
    rows, columns = np.mgrid[row : row + height, column : column + width]
    return formula_values(0, "uint8", rows, columns).astype("int32") + number


@pytest.fixture(scope="module")
def series(_session_emulator: Emulator, s3: SeaweedFS) -> Iterator[Series]:
    bucket = f"series-{uuid.uuid4().hex[:8]}"
    s3.client().create_bucket(Bucket=bucket)
    emulator = _session_emulator
    with pytest.MonkeyPatch.context() as patch, emulator.restored_assets():
        connection = earthengine_connection(emulator.url, "demo")
        patch.setenv("AIRFLOW_CONN_EARTHENGINE_DEFAULT", connection)
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.airflow_connection)
        bands = [{"id": "b", "dtype": "uint8", **GRID}]
        emulator.put_asset({"id": ASSET, "kind": "formula", "bands": bands})
        for number in range(COUNT):
            for region in REGIONS:
                download(bucket, region, number)
        yield Series(bucket, s3, s3.airflow_connection)


def download(bucket: str, region: str, number: int) -> None:
    column, row, width, height = REGIONS[region]
    day = (FIRST_DAY + timedelta(days=number)).date().isoformat()
    EarthEngineToS3Operator(
        task_id="download",
        image=image_of_day,
        image_kwargs={"number": number},
        download_params={
            **GRID,
            "crs_transform": [SIDE, 0, LEFT + SIDE * column, 0, -SIDE, TOP - SIDE * row],
            "dimensions": [width, height],
            "format": "GEO_TIFF",
            "name": region,
        },
        nodata=-1,
        record={"datetime": day, "licence": "CC-BY-4.0"},
        collection={"id": "series", "prefix": "series", "licence": "CC-BY-4.0", "title": "Days"},
        s3_bucket=bucket,
        s3_prefix=f"series/{day}",
    ).execute(task_context(run_id=f"{region}-{number}"))  # type: ignore[arg-type]  # a stand-in


@pytest.fixture
def items(series: Series) -> Iterator[list[pystac.Item]]:
    with open_items(series.uri) as found:
        yield found


def of(items: list[pystac.Item], region: str) -> list[pystac.Item]:
    return [item for item in items if item.id.endswith(f"~{region}.tif")]


class S3StacIO(DefaultStacIO):
    """Reads ``s3://``, as pystac's documentation shows it."""

    client: Any

    def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:
        href = source.href if hasattr(source, "href") else str(source)
        if not href.startswith("s3://"):
            return super().read_text(source, *args, **kwargs)
        bucket, _, key = href.removeprefix("s3://").partition("/")
        text: str = self.client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        return text


@pytest.fixture
def stac_io(series: Series) -> S3StacIO:
    reader = S3StacIO()
    reader.client = series.s3.client()
    return reader


def test_odc_stac_stacks_a_region_in_two_lines(series: Series) -> None:
    with open_items(f"{series.uri}") as items:
        cube = odc.stac.load(of(items, "west"), bands=["b"], chunks={}).load()
    assert dict(cube.sizes) == {"time": COUNT, "y": 50, "x": 70}
    for number in range(COUNT):
        assert np.array_equal(cube.b.isel(time=number), expected("west", number))
    assert [str(each)[:10] for each in cube.time.to_numpy()] == [
        (FIRST_DAY + timedelta(days=number)).date().isoformat() for number in range(COUNT)
    ]
    assert cube.b.nodata == -1


def test_odc_stac_puts_both_regions_onto_one_grid(items: list[pystac.Item]) -> None:
    cube = odc.stac.load(items, bands=["b"])
    assert dict(cube.sizes) == {"time": COUNT, "y": 50, "x": 100}
    for number in (0, COUNT - 1):
        whole = cube.b.isel(time=number).to_numpy()
        assert np.array_equal(whole[:, :70], expected("west", number))
        assert np.array_equal(whole[10:, 40:], expected("east", number))
        assert (whole[:10, 70:] == -1).all()


def test_pystac_walks_the_collection_in_the_bucket(series: Series, stac_io: S3StacIO) -> None:
    collection = pystac.Collection.from_file(f"{series.uri}/collection.json", stac_io)
    items = list(collection.get_items())
    assert len(items) == COUNT * len(REGIONS)
    assert {item.collection_id for item in items} == {"series"}
    assert {item.get_collection() for item in items} == {collection}
    start, end = collection.extent.temporal.intervals[0]
    assert (start, end) == (FIRST_DAY, FIRST_DAY + timedelta(days=COUNT - 1))
    boxes = np.array([item.bbox for item in items])
    assert collection.extent.spatial.bboxes[0] == [
        *boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)
    ]  # fmt: skip


def test_pystac_client_opens_a_static_catalogue(series: Series, tmp_path: Path) -> None:
    """A copy of the JSON files on disk, below a catalogue that links to the collection."""
    client = series.s3.client()
    for key in list_keys(client, series.bucket):
        if key.endswith(".json"):
            path = tmp_path / key
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(series.bucket, key, str(path))
    link = {"rel": "child", "href": "./series/collection.json", "type": "application/json"}
    catalogue = {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "all",
        "description": "All series.",
        "links": [link],
    }
    (tmp_path / "catalog.json").write_text(json.dumps(catalogue))
    opened = pystac_client.Client.open(str(tmp_path / "catalog.json"))
    found = list(opened.get_items(recursive=True))
    assert len(found) == COUNT * len(REGIONS)
    assert [each.id for each in opened.get_children()] == ["series"]


def test_rio_tiler_has_numpys_statistics(items: list[pystac.Item]) -> None:
    for number in (0, 7):
        pixels = expected("west", number)
        href = of(items, "west")[number].assets["data"].href
        with Reader(href) as reader:
            found = reader.statistics(max_size=None)["b1"]
        assert (found.min, found.max) == (pixels.min(), pixels.max())
        assert found.mean == pytest.approx(pixels.mean())
        assert found.std == pytest.approx(pixels.std())
        assert found.valid_percent == 100


def test_rio_tiler_reads_the_item(items: list[pystac.Item]) -> None:
    item = of(items, "east")[3]
    with STACReader(None, item=item) as reader:
        found = reader.preview(assets=["data"], max_size=None)
    assert np.array_equal(found.array[0], expected("east", 3))


def test_rio_tiler_mosaics_the_regions(items: list[pystac.Item]) -> None:
    hrefs = [of(items, region)[5].assets["data"].href for region in REGIONS]
    bounds = (LEFT, TOP - SIDE * 50, LEFT + SIDE * 100, TOP)

    def read(href: str, *_: object) -> Any:
        with Reader(href) as reader:
            return reader.part(bounds, bounds_crs="EPSG:32610", dst_crs="EPSG:32610",
                               width=100, height=50)  # fmt: skip

    mosaic, _ = mosaic_reader(hrefs, read, threads=0)
    assert np.array_equal(mosaic.array[0][:, :70], expected("west", 5))
    assert np.array_equal(mosaic.array[0][10:, 70:], expected("east", 5)[:, 30:])
    assert mosaic.array.mask[0][:10, 70:].all()


def test_rioxarray_opens_a_raster(items: list[pystac.Item]) -> None:
    href = of(items, "west")[2].assets["data"].href
    with rioxarray.open_rasterio(href) as found:
        assert np.array_equal(found.squeeze(), expected("west", 2))
        assert found.rio.crs.to_epsg() == 32610
        assert found.rio.nodata == -1
        assert found.rio.transform()[:6] == (SIDE, 0, LEFT, 0, -SIDE, TOP)


def test_gdal_merges_two_regions_without_resampling(items: list[pystac.Item]) -> None:
    hrefs = [of(items, region)[11].assets["data"].href for region in REGIONS]
    pixels, transform = rasterio.merge.merge(hrefs)
    assert (transform.c, transform.f) == (LEFT, TOP)
    assert np.array_equal(pixels[0][:, :70], expected("west", 11))
    assert np.array_equal(pixels[0][10:, 40:], expected("east", 11))


def test_the_recorded_statistics_are_numpys(items: list[pystac.Item]) -> None:
    for number, item in enumerate(of(items, "east")):
        recorded = item.assets["data"].extra_fields["bands"][0]["statistics"]
        pixels = expected("east", number)
        assert (recorded["minimum"], recorded["maximum"]) == (pixels.min(), pixels.max())
        assert recorded["mean"] == pytest.approx(pixels.mean())


@pytest.fixture
def offline_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give STAC's core schemas, which pystac brings, to the validators, which would fetch them.

    Those of extensions are on the web only: what they require is checked in the tests of items.
    """
    import stac_validator.utilities

    folder = Path(pystac.__file__).parent / "validation" / "jsonschemas"
    by_name = {path.name: path for path in folder.rglob("*.json")}

    def fetch(uri: str) -> Any:
        if "stac-extensions.github.io" in uri:
            return {}
        return json.loads(by_name[uri.rpartition("/")[2]].read_text())

    monkeypatch.setattr(stac_validator.utilities, "_schema_cache", fetch)


def documents(series: Series) -> dict[str, dict[str, Any]]:
    """Return the collection and one item."""
    keys = ("series/collection.json", "series/2026-01-03/west.tif.json")
    client = series.s3.client()
    return {
        key: json.loads(client.get_object(Bucket=series.bucket, Key=key)["Body"].read())
        for key in keys
    }


@pytest.mark.usefixtures("offline_schemas")
def test_stac_validator_finds_nothing_wrong(series: Series) -> None:
    for content in documents(series).values():
        validator = StacValidate()
        assert validator.validate_dict(content), validator.message
        # A validator that accepts all would accept this.
        assert not StacValidate().validate_dict({**content, "links": 3})


@pytest.mark.usefixtures("offline_schemas")
def test_stac_check_advises_on_the_form_of_ids_and_the_number_of_links_only(
    series: Series,
) -> None:
    """An id leads to its key, and so has dots and tildes; stac-check wants neither."""
    advice = {}
    for key, content in documents(series).items():
        linter = Linter(content)
        assert linter.valid_stac, linter.error_msg
        advice[key] = [line for line in linter.best_practices_msg[1:] if line]
    collection, item = advice.values()
    links = COUNT * len(REGIONS) + 1
    assert collection == [
        f"You have {links} links. Please consider using sub-collections or sub-catalogs"
    ]
    assert item == [
        "Item name 'series~2026-01-03~west.tif' should only contain Searchable identifiers",
        "Identifiers should consist of only lowercase characters, numbers, '_', and '-'",
    ]
