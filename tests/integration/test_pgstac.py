"""pgstac takes a series' collection and items, and finds them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from stack.pgstac import postgis_programs, pypgstac
from stack.postgres import Postgres, postgres
from stack.processes import LOOPBACK
from stack.seaweedfs import SeaweedFS
from tests.integration.collected import DOCUMENT, days, download, read

__all__ = ["days"]  # a fixture
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("days")]

Load = Callable[[str, list[dict[str, Any]]], None]


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    programs = postgis_programs()
    if programs is None:
        pytest.skip("no PostgreSQL with PostGIS: on Debian, apt-get install postgresql-postgis")
    if pypgstac() is None:
        pytest.fail("pypgstac is not installed: run `make pgstac` (once)")
    with postgres(programs) as server:
        run(server, "migrate")
        yield server


def run(server: Postgres, *arguments: str) -> None:
    where = {"PGHOST": LOOPBACK, "PGPORT": str(server.port), "PGUSER": "airflow",
             "PGDATABASE": "airflow"}  # fmt: skip
    command = [str(pypgstac()), *arguments]
    ran = subprocess.run(command, env={**os.environ, **where}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def load(database: Postgres, tmp_path: Path) -> Load:
    def load_them(table: str, documents: list[dict[str, Any]]) -> None:
        path = tmp_path / f"{table}.ndjson"
        path.write_text("\n".join(json.dumps(each) for each in documents))
        run(database, "load", table, str(path), "--method", "upsert")

    return load_them


def test_a_search_finds_what_was_loaded(
    database: Postgres, load: Load, s3: SeaweedFS, bucket: str
) -> None:
    for number in range(3):
        download(bucket, number)
    items = [read(s3, bucket, f"series/2026-01-0{day}/b.tif.json") for day in (1, 2, 3)]
    load("collections", [read(s3, bucket, DOCUMENT)])
    load("items", items)
    west, south, east, north = items[0]["bbox"]
    query = {
        "collections": ["series"],
        "datetime": "2026-01-02T00:00:00Z/..",
        "bbox": [west, south, (west + east) / 2, north],
        "sortby": [{"field": "datetime", "direction": "asc"}],
    }
    where = {"host": LOOPBACK, "port": database.port, "user": "airflow", "dbname": "airflow"}
    with psycopg2.connect(**where) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path TO pgstac, public")
        cursor.execute("SELECT search(%s::jsonb)", [json.dumps(query)])
        (found,) = cursor.fetchone()
    connection.close()
    assert [each["id"] for each in found["features"]] == [item["id"] for item in items[1:]]
    assert found["features"][0]["assets"] == items[1]["assets"]
