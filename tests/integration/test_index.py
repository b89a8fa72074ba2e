"""The index of a prefix has its items, as DuckDB, rustac and stac-geoparquet read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest
import rustac
import stac_geoparquet.arrow
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.cli.program import main
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.operators.index_items import EarthEngineIndexOperator
from stack.seaweedfs import SeaweedFS
from tests.integration.collected import days, download, put, read
from tests.support.airflow_task import task_context

__all__ = ["days"]  # a fixture
pytestmark = pytest.mark.usefixtures("days")

KEY = "series/items.parquet"

Fetch = Callable[..., Path]


@pytest.fixture
def fetch(s3: SeaweedFS, bucket: str, tmp_path: Path) -> Fetch:
    def fetch_it(key: str = KEY) -> Path:
        path = tmp_path / "items.parquet"
        s3.client().download_file(bucket, key, str(path))
        return path

    return fetch_it


def index(bucket: str, **fields: Any) -> str:
    chosen = {"s3_bucket": bucket, "s3_prefix": "series", **fields}
    operator = EarthEngineIndexOperator(task_id="index", **chosen)
    return operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


def rows(path: Path, columns: str = "id, datetime") -> list[Any]:
    return duckdb.sql(f"SELECT {columns} FROM '{path}' ORDER BY id").fetchall()


def test_duckdb_finds_items_by_their_time(bucket: str, fetch: Fetch) -> None:
    for number in range(3):
        download(bucket, number)
    assert index(bucket) == f"s3://{bucket}/{KEY}"
    found = duckdb.sql(
        f"SELECT id, collection, assets.data.href FROM '{fetch()}' "
        "WHERE datetime >= '2026-01-02T00:00:00Z' ORDER BY datetime"
    ).fetchall()
    assert found == [
        (f"series~2026-01-0{day}~b.tif", "series", f"s3://{bucket}/series/2026-01-0{day}/b.tif")
        for day in (2, 3)
    ]


@pytest.mark.slow
def test_items_come_back_as_they_are(bucket: str, s3: SeaweedFS, fetch: Fetch) -> None:
    download(bucket)
    item = read(s3, bucket, "series/2026-01-01/b.tif.json")
    index(bucket)
    (by_rustac,) = rustac.read_sync(str(fetch()))["features"]
    table = pyarrow.parquet.read_table(fetch())
    (by_stac_geoparquet,) = stac_geoparquet.arrow.stac_table_to_items(table)
    for found in (by_rustac, by_stac_geoparquet):
        assert found["id"] == item["id"]
        assert found["collection"] == "series"
        assert list(found["bbox"]) == pytest.approx(item["bbox"])
        assert found["assets"]["data"]["href"] == item["assets"]["data"]["href"]
        assert found["assets"]["data"]["bands"][0]["name"] == "b"
        assert (
            json.loads(found["properties"]["earthengine:params"])
            == (item["properties"]["earthengine:params"])
        )


@pytest.mark.slow
def test_only_what_is_new_or_changed_is_read_again(
    bucket: str, s3: SeaweedFS, capsys: pytest.CaptureFixture[str], fetch: Fetch
) -> None:
    def run(*more: str) -> tuple[int, int]:
        capsys.readouterr()
        assert main(["index", f"s3://{bucket}/series", "--json", *more]) == 0
        made = json.loads(capsys.readouterr().out)
        return made["item_count"], made["read_count"]

    download(bucket, 0)
    download(bucket, 1)
    assert run() == (2, 2)
    first = s3.client().head_object(Bucket=bucket, Key=KEY)["ETag"]
    assert run() == (2, 0)
    assert s3.client().head_object(Bucket=bucket, Key=KEY)["ETag"] == first
    download(bucket, 1, run_id="another", if_exists="replace")
    download(bucket, 2)
    s3.client().delete_object(Bucket=bucket, Key="series/2026-01-01/b.tif.json")
    assert run() == (2, 2)
    appended = rows(fetch(), "* EXCLUDE (created)")
    assert [row[0] for row in rows(fetch())] == [
        "series~2026-01-02~b.tif",
        "series~2026-01-03~b.tif",
    ]
    assert run("--anew") == (2, 2)
    assert rows(fetch(), "* EXCLUDE (created)") == appended


@pytest.mark.slow
def test_items_of_earlier_versions_go_into_the_same_table(
    bucket: str, s3: SeaweedFS, fetch: Fetch
) -> None:
    """They had other types in properties of ours, and "nan" as nodata is a text."""
    download(bucket)
    item = read(s3, bucket, "series/2026-01-01/b.tif.json")
    for name, properties in {"text": "{}", "nested": {"a": {"b": [1]}}}.items():
        other = json.loads(json.dumps(item))
        other["properties"]["earthengine:properties"] = properties
        other["assets"]["data"]["bands"][0]["nodata"] = "nan"
        put(s3, bucket, f"series/{name}/b.tif.json", json.dumps(other).encode())
    index(bucket)
    found = rows(fetch(), 'id, "earthengine:properties"')
    assert [row[0] for row in found] == [
        "series~2026-01-01~b.tif", "series~nested~b.tif", "series~text~b.tif"
    ]  # fmt: skip
    assert json.loads(found[1][1]) == {"a": {"b": [1]}}


@pytest.mark.slow
def test_an_item_without_a_place_is_named_and_left_out(
    bucket: str, s3: SeaweedFS, capsys: pytest.CaptureFixture[str], fetch: Fetch
) -> None:
    download(bucket)
    item = read(s3, bucket, "series/2026-01-01/b.tif.json")
    placeless = {**item, "geometry": None}
    del placeless["bbox"]
    put(s3, bucket, "series/nowhere/b.tif.json", json.dumps(placeless).encode())
    assert main(["index", f"s3://{bucket}/series"]) == 0
    assert "series/nowhere/b.tif.json has no place" in capsys.readouterr().out
    assert len(rows(fetch())) == 1


@pytest.mark.slow
def test_what_is_no_item_is_left_out(bucket: str, s3: SeaweedFS, fetch: Fetch) -> None:
    download(bucket)
    for name, content in {"a": b"no JSON", "b": b"{}", "c": b'{"properties": {}}'}.items():
        put(s3, bucket, f"series/{name}.tif.json", content)
    index(bucket)
    assert len(rows(fetch())) == 1


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"mine", b"", "parquet"])
def test_a_file_of_somebody_else_is_left_alone(
    bucket: str, s3: SeaweedFS, tmp_path: Path, content: Any
) -> None:
    download(bucket)
    if content == "parquet":
        duckdb.sql(f"COPY (SELECT 1 AS a) TO '{tmp_path}/x.parquet'")
        content = (tmp_path / "x.parquet").read_bytes()
    put(s3, bucket, KEY, content)
    for anew in (False, True):
        with pytest.raises(AirflowFailException, match="is not an index that this package wrote"):
            index(bucket, anew=anew)
    assert s3.client().get_object(Bucket=bucket, Key=KEY)["Body"].read() == content


@pytest.mark.slow
def test_an_index_may_lie_elsewhere(bucket: str, fetch: Fetch) -> None:
    download(bucket)
    assert index(bucket, s3_key="indexes/all.parquet") == f"s3://{bucket}/indexes/all.parquet"
    assert len(rows(fetch("indexes/all.parquet"))) == 1


@pytest.mark.slow
def test_a_prefix_without_items_has_no_index(bucket: str) -> None:
    with pytest.raises(AirflowFailException, match="no item with a place below"):
        index(bucket)


@pytest.mark.parametrize(
    "fields",
    [{"s3_key": "items.json"}, {"s3_key": "../items.parquet"}, {"anew": "perhaps"},
     {"s3_prefix": "a//b"}],
)  # fmt: skip
def test_a_literal_that_cannot_be_is_an_import_error(fields: dict[str, Any]) -> None:
    with pytest.raises(DownloadParamsError):
        EarthEngineIndexOperator(task_id="index", **{"s3_bucket": "b", **fields})
