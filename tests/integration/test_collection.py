"""A series has one STAC Collection: made by the first item, widened by each, never in the way."""

from __future__ import annotations

import json
import posixpath
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pystac
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from pyproj import Transformer
from pystac.validation import JsonSchemaSTACValidator

from airflow_provider.earthengine.cli.program import main
from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.collection.join import join
from airflow_provider.earthengine.download.collection.rebuild import rebuild_collection
from airflow_provider.earthengine.download.collection.store import CollectionStore
from airflow_provider.earthengine.download.fields.collection import read_collection
from airflow_provider.earthengine.emulator.server import Emulator
from stack.bucket import list_keys
from stack.seaweedfs import SeaweedFS
from tests.integration.collected import (
    CORNER,
    DOCUMENT,
    SERIES,
    WINDOW,
    days,
    download,
    fields_of,
    links,
    put,
    read,
)
from tests.support.group_tasks import Group
from tests.support.s3_relay import S3Request, s3_relay_to

__all__ = ["days"]  # a fixture
pytestmark = pytest.mark.usefixtures("days")


class TestJoining:
    def test_three_days_are_one_collection(self, s3: SeaweedFS, bucket: str) -> None:
        said = {"title": "A series", "licence": "CC-BY-4.0", "keywords": ["b"]}
        for number in (1, 0, 2):
            xcom = download(bucket, number, collection={**SERIES, **said})
            assert xcom["summary"]["warnings"] == []
        document = read(s3, bucket, DOCUMENT)
        JsonSchemaSTACValidator().validate_core(document, pystac.STACObjectType.COLLECTION, "1.1.0")
        assert document["id"] == "series"
        assert (document["title"], document["license"]) == ("A series", "CC-BY-4.0")
        assert links(document, "item") == [f"./2026-01-0{day}/b.tif.json" for day in (1, 2, 3)]
        items = [read(s3, bucket, f"series/2026-01-0{day}/b.tif.json") for day in (1, 2, 3)]
        assert document["extent"]["spatial"]["bbox"] == [items[0]["bbox"]]
        last = items[2]["properties"]
        end = last.get("end_datetime") or last["datetime"]
        assert document["extent"]["temporal"]["interval"] == [["2026-01-01T10:00:00Z", end]]
        assert document["item_assets"]["data"]["bands"][0]["name"] == "b"

    def test_an_item_and_its_collection_link_to_each_other(
        self, s3: SeaweedFS, bucket: str
    ) -> None:
        download(bucket)
        key = "series/2026-01-01/b.tif.json"
        item = read(s3, bucket, key)
        (to_collection,) = links(item, "collection")
        (to_item,) = links(read(s3, bucket, DOCUMENT), "item")
        assert item["collection"] == "series"
        assert posixpath.normpath(f"{posixpath.dirname(key)}/{to_collection}") == DOCUMENT
        assert posixpath.normpath(f"{posixpath.dirname(DOCUMENT)}/{to_item}") == key

    @pytest.mark.slow
    def test_an_item_without_a_collection_names_none(self, s3: SeaweedFS, bucket: str) -> None:
        download(bucket, collection=None)
        item = read(s3, bucket, "series/2026-01-01/b.tif.json")
        assert "collection" not in item
        assert links(item, "collection") == []
        assert not [
            key for key in list_keys(s3.client(), bucket) if key.endswith("collection.json")
        ]

    @pytest.mark.slow
    def test_a_collection_lies_at_the_downloads_prefix_unless_it_says_else(
        self, s3: SeaweedFS, bucket: str
    ) -> None:
        download(bucket, s3_prefix="a/b", collection='{"id": "series"}')
        download(bucket, s3_prefix="", collection={"id": "root"})
        assert read(s3, bucket, "a/b/collection.json")["id"] == "series"
        assert read(s3, bucket, "collection.json")["id"] == "root"

    @pytest.mark.slow
    def test_a_licence_by_its_url_is_a_link(self, s3: SeaweedFS, bucket: str) -> None:
        url = "https://example.org/licence"
        download(bucket, collection={**SERIES, "licence": url})
        document = read(s3, bucket, DOCUMENT)
        assert (document["license"], links(document, "license")) == ("other", [url])

    @pytest.mark.slow
    def test_a_group_joins_too(self, s3: SeaweedFS, bucket: str) -> None:
        params = {**WINDOW, "dimensions": [60, 50]}
        Group(**fields_of(bucket, download_params=params)).run()
        assert len(links(read(s3, bucket, DOCUMENT), "item")) == 1

    def test_a_task_that_runs_again_adds_what_is_missing(self, s3: SeaweedFS, bucket: str) -> None:
        download(bucket)
        first = read(s3, bucket, DOCUMENT)
        s3.client().delete_object(Bucket=bucket, Key=DOCUMENT)
        download(bucket)
        assert read(s3, bucket, DOCUMENT) == first

    @pytest.mark.slow
    def test_a_task_that_runs_again_writes_nothing_if_nothing_is_missing(
        self, s3: SeaweedFS, bucket: str
    ) -> None:
        download(bucket)
        before = s3.client().head_object(Bucket=bucket, Key=DOCUMENT)
        time.sleep(1.1)  # Of which dates in headers have no parts.
        download(bucket)
        after = s3.client().head_object(Bucket=bucket, Key=DOCUMENT)
        assert after["LastModified"] == before["LastModified"]

    @pytest.mark.slow
    def test_what_somebody_added_to_the_document_stays(self, s3: SeaweedFS, bucket: str) -> None:
        download(bucket)
        document = {**read(s3, bucket, DOCUMENT), "sci:doi": "10.1/2", "title": "By hand"}
        document["links"] = [{"rel": "about", "href": "https://example.org"}, *document["links"]]
        put(s3, bucket, DOCUMENT, json.dumps(document).encode())
        download(bucket, 1)
        after = read(s3, bucket, DOCUMENT)
        assert (after["sci:doi"], after["title"]) == ("10.1/2", "By hand")
        assert links(after, "about") == ["https://example.org"]
        assert len(links(after, "item")) == 2

    def test_an_item_of_before_is_told_how_to_join(self, s3: SeaweedFS, bucket: str) -> None:
        download(bucket, collection=None)
        (warning,) = download(bucket)["summary"]["warnings"]
        assert "names no collection" in warning
        assert "if_exists='replace'" in warning
        download(bucket, run_id="another", if_exists="replace")
        assert len(links(read(s3, bucket, DOCUMENT), "item")) == 1


class TestWritersAtOnce:
    COUNT = 32

    @pytest.mark.slow
    def test_thirty_two_at_once_lose_nothing(self, s3: SeaweedFS, bucket: str) -> None:
        items = [self.item(number) for number in range(self.COUNT)]
        for number, item in enumerate(items):
            put(s3, bucket, self.key(number), json.dumps(item).encode())
        start = threading.Barrier(self.COUNT)

        def write(number: int) -> None:
            collection = read_collection(SERIES)
            assert collection
            with closing(Bucket(s3.client(), bucket)) as own:
                store = CollectionStore(own, "series", time.sleep)
                start.wait()
                join(store, collection, self.key(number))

        with ThreadPoolExecutor(self.COUNT) as pool:
            list(pool.map(write, range(self.COUNT)))
        document = read(s3, bucket, DOCUMENT)
        assert links(document, "item") == [
            f"./{number:02}/b.tif.json" for number in range(self.COUNT)
        ]
        assert document["extent"] == {
            "spatial": {"bbox": [[10.0, 20.0, 10.0 + self.COUNT, 21.0 + self.COUNT]]},
            "temporal": {"interval": [["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]]},
        }

    @pytest.mark.slow
    def test_all_of_them_come_to_what_a_rebuild_writes(self, s3: SeaweedFS, bucket: str) -> None:
        self.test_thirty_two_at_once_lose_nothing(s3, bucket)
        joined = read(s3, bucket, DOCUMENT)
        with closing(Bucket(s3.client(), bucket)) as own:
            rebuilt = rebuild_collection(CollectionStore(own, "series", time.sleep), {})
        assert rebuilt.item_count == self.COUNT
        assert read(s3, bucket, DOCUMENT) == {
            **joined,
            # That of the first to come; any pixel of the lattice tells where it is.
            "earthengine:grids": read(s3, bucket, DOCUMENT)["earthengine:grids"],
        }

    def key(self, number: int) -> str:
        return f"series/{number:02}/b.tif.json"

    def item(self, number: int) -> dict[str, Any]:
        """Return an item whose place and time are its own."""
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
        return {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": f"series~{number:02}~b.tif",
            "collection": "series",
            "bbox": [10.0 + number, 20.0 + number, 11.0 + number, 22.0 + number],
            "geometry": None,
            "properties": {
                "datetime": moment.isoformat(),
                "earthengine:fingerprint": f"v1:{number}",
            },
            "links": [],
            "assets": {
                "data": {
                    "href": f"s3://x/{number:02}/b.tif",
                    "type": "image/tiff",
                    "roles": ["data"],
                    "proj:code": "EPSG:32610",
                    "proj:transform": [10, 0, 600_000 + 200 * number, 0, -10, 4_100_000],
                    "proj:shape": [10, 20],
                    "bands": [{"name": "b", "data_type": "uint16"}],
                }
            },
        }


def matrix(cases: Mapping[str, Any]) -> list[Any]:
    """Return the cases, of which all but the first take their time."""
    first, *others = cases.items()
    return [
        pytest.param(first[1], id=first[0]),
        *(pytest.param(each, id=name, marks=pytest.mark.slow) for name, each in others),
    ]


def in_crs(crs: str) -> dict[str, Any]:
    """Return parameters of the same place in another crs."""
    x, y = Transformer.from_crs("EPSG:32610", crs, always_xy=True).transform(*CORNER)
    corner = (round(x, -1) + 100, round(y, -1) - 100)
    return {"crs": crs, "crs_transform": [10, 0, corner[0], 0, -10, corner[1]]}


OTHER_LATTICES = {
    "half a pixel away": {"crs_transform": [10, 0, CORNER[0] + 5, 0, -10, CORNER[1]]},
    "larger pixels": {"crs_transform": [20, 0, CORNER[0], 0, -20, CORNER[1]]},
    "another zone": in_crs("EPSG:32611"),
    "another crs": in_crs("EPSG:3857"),
}


class TestLattices:
    @pytest.mark.parametrize("change", matrix(OTHER_LATTICES))
    def test_another_lattice_is_refused_before_anything_is_fetched(
        self, bucket: str, s3: SeaweedFS, emulator: Emulator, change: dict[str, Any]
    ) -> None:
        download(bucket)
        before = list_keys(s3.client(), bucket), read(s3, bucket, DOCUMENT)
        emulator.clear_requests()
        with pytest.raises(AirflowFailException, match="not the lattice of the collection"):
            download(bucket, 1, download_params={**WINDOW, **change})
        assert emulator.counts().get("thumbnails.getPixels", 0) == 0
        assert before == (list_keys(s3.client(), bucket), read(s3, bucket, DOCUMENT))

    @pytest.mark.slow
    def test_a_group_is_refused_by_its_first_task(
        self, bucket: str, s3: SeaweedFS, emulator: Emulator
    ) -> None:
        download(bucket)
        emulator.clear_requests()
        shifted = {**WINDOW, "dimensions": [60, 50], **OTHER_LATTICES["half a pixel away"]}
        with pytest.raises(AirflowFailException, match="not the lattice"):
            Group(**fields_of(bucket, 1, download_params=shifted)).plan()
        assert emulator.counts().get("thumbnails.getPixels", 0) == 0
        assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)

    @pytest.mark.slow
    def test_another_place_on_the_same_lattice_joins(self, bucket: str, s3: SeaweedFS) -> None:
        download(bucket)
        moved = [10, 0, CORNER[0] + 170, 0, -10, CORNER[1] - 30]
        download(bucket, 1, download_params={**WINDOW, "crs_transform": moved})
        assert len(links(read(s3, bucket, DOCUMENT), "item")) == 2

    @pytest.mark.slow
    def test_a_collection_of_scenes_may_mix_lattices(self, bucket: str, s3: SeaweedFS) -> None:
        mixed = {**SERIES, "mixed_grids": True}
        for number, change in enumerate(({}, in_crs("EPSG:32611"))):
            params = {**WINDOW, **change}
            download(bucket, number, collection=mixed, download_params=params)
        document = read(s3, bucket, DOCUMENT)
        assert len(links(document, "item")) == 2
        assert document["summaries"]["proj:code"] == ["EPSG:32610", "EPSG:32611"]

    @pytest.mark.slow
    def test_a_lattice_that_came_first_meanwhile_leaves_the_item_alone(
        self, bucket: str, s3: SeaweedFS
    ) -> None:
        """Two first downloads pass the check, as there is no document yet; one joins."""
        download(bucket, collection={"id": "series", "prefix": "/"})
        item = read(s3, bucket, "series/2026-01-01/b.tif.json")
        other = dict(item)
        other["assets"]["data"]["proj:transform"][2] += 5
        put(s3, bucket, "series/other/b.tif.json", json.dumps(other).encode())
        download(bucket, 1)
        collection = read_collection(SERIES)
        assert collection
        with closing(Bucket(s3.client(), bucket)) as own:
            store = CollectionStore(own, "series", time.sleep)
            with pytest.raises(ValueError, match="not the lattice"):
                join(store, collection, "series/other/b.tif.json")
        assert len(links(read(s3, bucket, DOCUMENT), "item")) == 1


BROKEN = {
    "no JSON": b"mine",
    "a list": b"[1]",
    "cut": b'{"type": "Collection", "id": "series", "earthengine:grids": {',
    "another's": json.dumps({"type": "Collection", "id": "series", "links": []}).encode(),
    "an item": json.dumps({"type": "Feature", "earthengine:grids": {}}).encode(),
    "no extent": json.dumps(
        {"type": "Collection", "id": "series", "links": [], "earthengine:grids": {}}
    ).encode(),
    "a NaN": b'{"type": "Collection", "id": "series", "links": [], "earthengine:grids": {},'
    b' "extent": {"spatial": {"bbox": [[NaN, 0, 1, 1]]},'
    b' "temporal": {"interval": [[null, null]]}}}',
    "links that are none": b'{"type": "Collection", "id": "series", "links": [3],'
    b' "earthengine:grids": {}, "extent": {"spatial": {"bbox": [[0, 0, 1, 1]]},'
    b' "temporal": {"interval": [[null, null]]}}}',
}


class TestOtherDocuments:
    @pytest.mark.parametrize("content", matrix(BROKEN))
    def test_a_document_that_is_not_ours_is_left_alone(
        self, bucket: str, s3: SeaweedFS, content: bytes, capsys: pytest.CaptureFixture[str]
    ) -> None:
        put(s3, bucket, DOCUMENT, content)
        (warning,) = download(bucket)["summary"]["warnings"]
        assert "not a collection that this package wrote" in warning
        assert s3.client().get_object(Bucket=bucket, Key=DOCUMENT)["Body"].read() == content
        assert "series/2026-01-01/b.tif" in list_keys(s3.client(), bucket)
        assert main(["collection", "rebuild", f"s3://{bucket}/series/"]) == 7
        assert "remove it" in capsys.readouterr().err
        assert s3.client().get_object(Bucket=bucket, Key=DOCUMENT)["Body"].read() == content

    def test_the_key_of_another_collection_is_refused_before_anything_is_fetched(
        self, bucket: str, emulator: Emulator
    ) -> None:
        download(bucket)
        emulator.clear_requests()
        with pytest.raises(AirflowFailException, match="is the collection series, and not other"):
            download(bucket, 1, collection={"id": "other", "prefix": "series"})
        assert emulator.counts().get("thumbnails.getPixels", 0) == 0

    @pytest.mark.slow
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_a_store_that_refuses_the_document_costs_a_warning_only(
        self, bucket: str, s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        download(bucket, 1)

        def refuse(request: S3Request) -> tuple[int, str] | None:
            is_it = "collection.json" in request.target and request.method == method
            return (403, "AccessDenied") if is_it else None

        with s3_relay_to(s3.endpoint_url, refuse=refuse) as relay:
            connection = json.loads(s3.airflow_connection)
            connection["extra"]["endpoint_url"] = relay.url
            monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
            (warning,) = download(bucket)["summary"]["warnings"]
        assert "The item is complete, but the collection series lacks it" in warning
        assert "AccessDenied" in warning
        assert len(links(read(s3, bucket, DOCUMENT), "item")) == 1


class TestRebuilding:
    def rebuild(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["collection", "rebuild", *arguments, "--json"]) == 0
        rebuilt: dict[str, Any] = json.loads(capsys.readouterr().out)
        return rebuilt

    def test_extents_become_those_of_the_items_that_are_left(
        self, bucket: str, s3: SeaweedFS, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(3):
            download(bucket, number, collection={**SERIES, "title": "A series"})
        s3.client().delete_object(Bucket=bucket, Key="series/2026-01-03/b.tif.json")
        document = {**read(s3, bucket, DOCUMENT), "sci:doi": "10.1/2"}
        put(s3, bucket, DOCUMENT, json.dumps(document).encode())
        rebuilt = self.rebuild(capsys, f"s3://{bucket}/series")
        assert (rebuilt["item_count"], rebuilt["other_count"]) == (2, 0)
        after = read(s3, bucket, DOCUMENT)
        assert links(after, "item") == [f"./2026-01-0{day}/b.tif.json" for day in (1, 2)]
        assert after["extent"]["temporal"]["interval"][0][1] == "2026-01-02T10:00:00Z"
        assert (after["title"], after["sci:doi"]) == ("A series", "10.1/2")

    @pytest.mark.slow
    @pytest.mark.parametrize("end", ["", "/", "/collection.json"])
    def test_a_lost_document_is_written_again(
        self, bucket: str, s3: SeaweedFS, capsys: pytest.CaptureFixture[str], end: str
    ) -> None:
        download(bucket)
        before = read(s3, bucket, DOCUMENT)
        s3.client().delete_object(Bucket=bucket, Key=DOCUMENT)
        assert self.rebuild(capsys, f"s3://{bucket}/series{end}")["id"] == "series"
        assert read(s3, bucket, DOCUMENT) == before

    @pytest.mark.slow
    def test_texts_can_be_given(
        self, bucket: str, s3: SeaweedFS, capsys: pytest.CaptureFixture[str]
    ) -> None:
        download(bucket)
        self.rebuild(capsys, f"s3://{bucket}/series", "--title", "T", "--licence", "MIT")
        document = read(s3, bucket, DOCUMENT)
        assert (document["title"], document["license"]) == ("T", "MIT")

    @pytest.mark.slow
    def test_items_of_others_are_counted_and_left_out(
        self, bucket: str, s3: SeaweedFS, capsys: pytest.CaptureFixture[str]
    ) -> None:
        download(bucket)
        download(bucket, 1, collection={"id": "other"})
        download(bucket, 2, collection=None)
        rebuilt = self.rebuild(capsys, f"s3://{bucket}/series")
        assert (rebuilt["item_count"], rebuilt["other_count"]) == (1, 2)
        s3.client().delete_object(Bucket=bucket, Key=DOCUMENT)
        assert main(["collection", "rebuild", f"s3://{bucket}/series"]) == 2
        assert "other, series" in capsys.readouterr().err
        assert self.rebuild(capsys, f"s3://{bucket}/series", "--id", "series")["item_count"] == 1

    @pytest.mark.slow
    def test_a_prefix_without_items_has_no_collection(
        self, bucket: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        download(bucket, collection=None)
        for prefix in ("nowhere", "series"):
            assert main(["collection", "rebuild", f"s3://{bucket}/{prefix}"]) == 5
            assert "names a collection" in capsys.readouterr().err

    @pytest.mark.slow
    def test_items_on_two_lattices_are_named(
        self, bucket: str, s3: SeaweedFS, capsys: pytest.CaptureFixture[str]
    ) -> None:
        mixed = {**SERIES, "mixed_grids": True}
        for number, change in enumerate(({}, in_crs("EPSG:32611"))):
            params = {**WINDOW, **change}
            download(bucket, number, collection=mixed, download_params=params)
        s3.client().delete_object(Bucket=bucket, Key=DOCUMENT)
        assert main(["collection", "rebuild", f"s3://{bucket}/series"]) == 2
        assert "the item series/2026-01-02/b.tif.json" in capsys.readouterr().err
        rebuilt = self.rebuild(capsys, f"s3://{bucket}/series", "--mixed-grids")
        assert rebuilt["item_count"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"), list(product(["2026-01-01", "nested/deeper"], ["2026-01-02"]))
)
def test_a_collection_holds_items_at_any_depth(
    bucket: str, s3: SeaweedFS, first: str, second: str
) -> None:
    for number, below in enumerate((first, second)):
        download(bucket, number, s3_prefix=f"series/{below}")
    assert links(read(s3, bucket, DOCUMENT), "item") == [
        f"./{below}/b.tif.json" for below in sorted((first, second))
    ]
