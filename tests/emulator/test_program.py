"""The emulator as a program, its journal, and what clients read when they start."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import ee
import pytest
import requests

from airflow_provider.earthengine.emulator import discovery, functions
from airflow_provider.earthengine.emulator.functions import FUNCTIONS
from airflow_provider.earthengine.emulator.server import Emulator, serve
from tests.emulator.official_client import download, initialised

CATALOG = Path(__file__).parents[1] / "data/catalog"
DEM = "projects/demo/assets/dem_olinda"


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "airflow_provider.earthengine.emulator", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    process = start("--catalog", str(CATALOG), "--project", "other-project")
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_says_when_it_is_ready_and_stops_when_told(
    program: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert program.stdout is not None
    line = program.stdout.readline()
    ready = re.fullmatch(r"Earth Engine emulator ready at (http://127\.0\.0\.1:\d+)\n", line)
    assert ready is not None
    with initialised(ready[1], project="other-project"):
        assert ee.Image(DEM).getInfo()["id"] == DEM
    program.send_signal(number)
    rest, errors = program.communicate(timeout=10)
    assert (program.returncode, rest, errors) == (0, "", "")


def test_a_mistake_in_the_catalogue_is_said_at_start(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"id": "x", "kind": "video"}')
    process = start("--catalog", str(tmp_path))
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (2, "")
    kinds = "'file', 'formula', 'collection', 'table'"
    assert errors == f"error: {tmp_path}/x.json: kind: must be one of {kinds}, not 'video'\n"


def test_the_journal_counts_what_was_asked(client: Emulator) -> None:
    client.clear_requests()
    download(image=ee.Image(DEM), format="GEO_TIFF")
    assert client.counts() == {"thumbnails.create": 1, "thumbnails.getPixels": 1}
    create, pixels = client.requests
    assert (create.method, create.operation, create.status) == ("POST", "thumbnails.create", 200)
    # The id of a download is a key to its pixels: the journal keeps six of its digits.
    assert re.fullmatch(r"/v1/projects/demo/thumbnails/[0-9a-f]{6}\.\.\.:getPixels", pixels.path)


def test_initialising_takes_three_requests(emulator: Emulator) -> None:
    with initialised(emulator.url):
        pass
    assert emulator.counts() == {"discovery": 2, "algorithms": 1}


def test_the_journal_is_read_and_cleared_over_http(emulator: Emulator) -> None:
    requests.get(f"{emulator.url}/v1/projects/demo/algorithms", timeout=30)
    address = f"{emulator.url}/emulator/requests"
    path = "/v1/projects/demo/algorithms"
    entry = {"method": "GET", "path": path, "operation": "algorithms", "status": 200,
             "fault": None}  # fmt: skip
    expected = {"counts": {"algorithms": 1}, "requests": [entry]}
    assert requests.get(address, timeout=30).json() == expected
    assert requests.delete(address, timeout=30).status_code == 204
    assert requests.get(address, timeout=30).json() == {"counts": {}, "requests": []}


def test_each_emulator_keeps_a_journal_of_its_own() -> None:
    with serve(None) as first, serve(None) as second:
        requests.get(f"{first.url}/$discovery/rest?version=v1", timeout=30)
        assert (first.counts(), second.counts()) == ({"discovery": 1}, {})


def test_a_workload_tag_is_accepted(client: Emulator) -> None:
    with ee.data.workloadTagContext("nightly"):
        assert ee.data.getDownloadId({"image": ee.Image(DEM)})["docid"]
        assert ee.Number(1).getInfo() == 1


def test_a_new_thumbnail_is_shown_whole_unless_fields_are_chosen(client: Emulator) -> None:
    body = {
        "expression": json.loads(ee.Image(DEM).serialize(for_cloud_api=True)),
        "fileFormat": "GEO_TIFF",
        "filenamePrefix": None,
    }
    address = f"{client.url}/v1/projects/demo/thumbnails"
    assert set(requests.post(address, json=body, timeout=30).json()) == {
        "name",
        "expression",
        "fileFormat",
    }
    chosen = requests.post(address, json=body, params={"fields": "name"}, timeout=30).json()
    assert set(chosen) == {"name"}


def test_the_function_table_agrees_with_the_clients_list() -> None:
    package = find_spec("ee")
    assert package is not None
    assert package.submodule_search_locations is not None
    listed = Path(package.submodule_search_locations[0]) / "tests/algorithms.json"
    algorithms = {
        entry["name"].removeprefix("algorithms/"): entry
        for entry in json.loads(listed.read_text())["algorithms"]
    }
    for name, function in FUNCTIONS.items():
        theirs = algorithms[name]
        assert function.returns == theirs["returnType"]
        assert function.sent_by
        signature = [
            (p["argumentName"], p["type"], bool(p.get("optional"))) for p in theirs["arguments"]
        ]
        ours = [
            (p["argumentName"], p["type"], bool(p.get("optional")))
            for p in function.as_algorithm()["arguments"]
        ]
        assert ours == signature


def test_the_own_list_is_enough_for_the_client_to_start(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stands for an installation whose client ships no list; nothing else can remove the file.
    from airflow_provider.earthengine.emulator import routes

    monkeypatch.setattr(routes, "algorithms_document", discovery.own_algorithms)
    with initialised(emulator.url):
        assert ee.Image(DEM).select("elevation").getInfo()["bands"][0]["id"] == "elevation"


def test_the_readme_names_every_function() -> None:
    text = (Path(functions.__file__).parents[1] / "README.md").read_text()
    for name in FUNCTIONS:
        assert f"`{name}`" in text
