"""A real Airflow runs downloads, and is told of them: lineage, metrics, progress, a line a step."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import attrs
import pytest
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    dataset_version_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)

from airflow_provider.earthengine.emulator.api.journal import LoggedRequest
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.task.telemetry import STEP_LINE
from stack.airflow import SQLITE_FILE, airflow_home
from stack.emulator import earthengine_connection
from stack.seaweedfs import SeaweedFS
from tests.support.expected import SENTINEL2_ID

# All look at one run.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("Airflow is told")]

BUCKET = "observed-downloads"
LANDSAT = "projects/demo/assets/landsat7_olinda"

DAG = f'''
import ee
from airflow.sdk import DAG, task
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.transfers.earthengine_to_s3_group import earthengine_to_s3_group

PARAMS = {{
    "crs": "EPSG:32610", "crs_transform": [20, 0, 581260, 0, -20, 4101800],
    "dimensions": [64, 64], "format": "GEO_TIFF", "bands": ["B5", "B11"],
}}


def ratio():
    image = ee.Image("{SENTINEL2_ID}")
    chosen = image.select(["B5"], ["red_edge"])
    return chosen.addBands(image.select("B11").divide(image.select("B5")).rename("ratio"))


@task
def use_the_hook():
    with EarthEngineHook() as hook:
        client = hook.get_conn()
        hook.compute_value(client.Image("{LANDSAT}").bandNames())


with DAG("observed"):
    plain = EarthEngineToS3Operator(
        task_id="plain", image="{SENTINEL2_ID}", s3_bucket="{BUCKET}", s3_prefix="a/b",
        download_params={{**PARAMS, "name": "plain"}},
    )
    again = EarthEngineToS3Operator(
        task_id="again", image="{SENTINEL2_ID}", s3_bucket="{BUCKET}", s3_prefix="a/b",
        download_params={{**PARAMS, "name": "plain"}},
    )
    computed = EarthEngineToS3Operator(
        task_id="computed", image=ratio, s3_bucket="{BUCKET}",
        download_params={{**PARAMS, "name": "computed", "bands": ["red_edge", "ratio"]}},
    )
    mapped = EarthEngineToS3Operator.partial(task_id="mapped", s3_bucket="{BUCKET}").expand(
        image=["{SENTINEL2_ID}"], download_params=[{{**PARAMS, "name": "mapped"}}],
    )
    group = earthengine_to_s3_group(
        "group", image="{SENTINEL2_ID}", s3_bucket="{BUCKET}", section_requests=1,
        download_params={{**PARAMS, "name": "shared", "dimensions": [1024, 1024]}},
        limits={{"tile_byte_count": 2_000_000}},
    )
    plain >> again >> computed >> mapped >> use_the_hook() >> group
'''


@dataclass(frozen=True)
class Told:
    """What one run of the DAG told.

    :param datagrams: of StatsD, one metric each.
    :param events: of OpenLineage, in order.
    :param progress: by task and map index.
    :param requests: those that the emulator answered.
    """

    log: str
    datagrams: list[str]
    events: list[dict[str, Any]]
    progress: dict[tuple[str, int], dict[str, Any]]
    requests: list[LoggedRequest]

    def completed(self, task: str) -> dict[str, Any]:
        """Return the last event of a task."""
        name = f"observed.{task}"
        found = [
            event
            for event in self.events
            if event["job"]["name"] == name and event["eventType"] == "COMPLETE"
        ]
        return found[-1]

    def counted(self, metric: str) -> int:
        """Return the sum of a counter."""
        found = [re.fullmatch(rf"airflow\.{metric}:(\d+)\|c", each) for each in self.datagrams]
        return sum(int(each[1]) for each in found if each)

    def timed(self, metric: str) -> list[float]:
        """Return the milliseconds of a timer."""
        found = [re.fullmatch(rf"airflow\.{metric}:([\d.]+)\|ms", each) for each in self.datagrams]
        return [float(each[1]) for each in found if each]


class StatsD:
    """Receives StatsD's datagrams on a real socket."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port = self._socket.getsockname()[1]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._receive)

    def __enter__(self) -> StatsD:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._socket.close()

    def _receive(self) -> None:
        while True:
            try:
                self.received += self._socket.recv(65536).decode().splitlines()
            except TimeoutError:
                if self._is_over.is_set():
                    return


@pytest.fixture(scope="module")
def told(
    _session_emulator: Emulator,
    s3: SeaweedFS,
    migrated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Told:
    folder = tmp_path_factory.mktemp("observed")
    (folder / "observed.py").write_text(DAG)
    events = folder / "events.json"
    s3.client().create_bucket(Bucket=BUCKET)
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    with StatsD() as statsd:
        settings = {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        }
        connections = {
            "earthengine_default": earthengine_connection(_session_emulator.url, "demo"),
            "aws_default": s3.airflow_connection,
        }
        with airflow_home(
            dags_folder=folder,
            connections=connections,
            migrated_file=migrated_file,
            extra=settings,
        ) as home:
            _session_emulator.clear_requests()
            log = home.test_dag("observed")
            progress = read_progress(home.folder / SQLITE_FILE)
    lines = events.read_text().splitlines()
    return Told(
        log,
        statsd.received,
        [json.loads(line) for line in lines],
        progress,
        _session_emulator.requests,
    )


def read_progress(database: Path) -> dict[tuple[str, int], dict[str, Any]]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT task_id, map_index, value FROM task_state_store WHERE key = 'progress'"
        ).fetchall()
    connection.close()
    return {(task_id, map_index): json.loads(value) for task_id, map_index, value in rows}


def test_the_inputs_are_the_asset_with_its_version(told: Told) -> None:
    (source,) = told.completed("plain")["inputs"]
    assert (source["namespace"], source["name"]) == ("earthengine", SENTINEL2_ID)
    assert source["facets"]["version"]["datasetVersion"].isdigit()


def test_the_outputs_are_the_objects_with_their_bands(told: Told, s3: SeaweedFS) -> None:
    (written,) = told.completed("plain")["outputs"]
    assert (written["namespace"], written["name"]) == (f"s3://{BUCKET}", "a/b/plain.tif")
    fields = written["facets"]["schema"]["fields"]
    assert [(each["name"], each["type"]) for each in fields] == [
        ("B5", "uint16"),
        ("B11", "uint16"),
    ]
    head = s3.client().head_object(Bucket=BUCKET, Key="a/b/plain.tif")
    assert written["facets"]["version"]["datasetVersion"] == head["ETag"]
    assert written["outputFacets"]["outputStatistics"]["size"] == head["ContentLength"]


def test_bands_that_are_only_selected_have_columns(told: Told) -> None:
    (written,) = told.completed("plain")["outputs"]
    columns = written["facets"]["columnLineage"]["fields"]
    assert {
        name: [field["field"] for field in each["inputFields"]] for name, each in columns.items()
    } == {
        "B5": ["B5"],
        "B11": ["B11"],
    }


def test_a_computed_band_has_no_column_but_its_neighbour_has(told: Told) -> None:
    event = told.completed("computed")
    (written,) = event["outputs"]
    (column,) = written["facets"]["columnLineage"]["fields"].items()
    name, origin = column
    (field,) = origin["inputFields"]
    assert (name, field["name"], field["field"]) == ("red_edge", SENTINEL2_ID, "B5")
    assert [each["name"] for each in event["inputs"]] == [SENTINEL2_ID]


def test_a_download_that_was_there_has_the_same_lineage_and_says_so(told: Told) -> None:
    first, second = told.completed("plain"), told.completed("again")
    names = [
        [(each["namespace"], each["name"]) for each in event["outputs"]]
        for event in (first, second)
    ]
    assert names[0] == names[1]
    assert (
        first["inputs"][0]["facets"]["version"]["datasetVersion"]
        == (second["inputs"][0]["facets"]["version"]["datasetVersion"])
    )
    facets = [event["run"]["facets"]["earthengine_download"] for event in (first, second)]
    assert [facet["published"] for facet in facets] == [True, False]
    assert facets[0]["item"] == f"s3://{BUCKET}/a/b/plain.tif.json"
    assert facets[0]["fingerprint"] == facets[1]["fingerprint"]


@pytest.mark.parametrize(
    ("task", "name"), [("mapped", "mapped.tif"), ("group.publish", "shared.tif")]
)
def test_mapped_tasks_and_groups_tell_the_same(told: Told, task: str, name: str) -> None:
    event = told.completed(task)
    assert [each["name"] for each in event["outputs"]] == [name]
    assert [each["name"] for each in event["inputs"]] == [SENTINEL2_ID]


def test_the_tasks_before_the_last_of_a_group_only_read(told: Told) -> None:
    for task in ("group.plan", "group.fetch"):
        event = told.completed(task)
        assert [each["name"] for each in event["inputs"]] == [SENTINEL2_ID]
        assert not event["outputs"]


def test_what_a_function_reads_through_the_hook_is_its_input(told: Told) -> None:
    event = told.completed("use_the_hook")
    # `airflow dags test` runs all tasks in one process, which has one list for all hooks.
    assert ("earthengine", LANDSAT) in [
        (each["namespace"], each["name"]) for each in event["inputs"]
    ]


FACETS = {
    "version": dataset_version_dataset.DatasetVersionDatasetFacet,
    "schema": schema_dataset.SchemaDatasetFacet,
    "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet,
    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}


def test_every_dataset_is_as_openlineages_classes_have_it(told: Told) -> None:
    """The client ships its schemas as classes: no field is unknown to them, none is missing."""
    datasets = [
        (kind, dataset)
        for event in told.events
        for kind, name in ((InputDataset, "inputs"), (OutputDataset, "outputs"))
        for dataset in event.get(name) or []
    ]
    assert datasets
    for kind, dataset in datasets:
        assert set(dataset) <= {each.name for each in attrs.fields(kind)}
        for group in ("facets", "inputFacets", "outputFacets"):
            for name, facet in (dataset.get(group) or {}).items():
                known = {each.name: each for each in attrs.fields(FACETS[name])}
                assert set(facet) <= set(known)
                required = {each.name for each in known.values() if each.default is attrs.NOTHING}
                assert required <= set(facet)
                assert facet["_schemaURL"] == FACETS[name]._get_schema()


def test_the_counters_are_what_the_emulator_answered(told: Told) -> None:
    answered = told.requests
    # What the function asked through the hook is no download's.
    own = [
        each for each in answered if each.workload_tag and "use_the_hook" not in each.workload_tag
    ]
    pixels = [each for each in answered if each.operation == "thumbnails.getPixels"]
    sessions = [each for each in answered if each.operation in ("discovery", "algorithms")]
    assert told.counted("earthengine.requests") <= len(answered)
    assert told.counted("earthengine.requests") >= len(own) + len(pixels)
    assert len(sessions) > 0
    assert told.counted("earthengine.tiles") == len(pixels)
    assert told.counted("earthengine.bytes") > 0
    assert told.counted("earthengine.refusals") == 0


def test_each_step_is_timed(told: Told) -> None:
    sections = sum(task == "group.fetch" for task, _ in told.progress)
    assert sections > 1
    # Three downloads of one task, and the group's, whose tasks each plan anew.
    assert len(told.timed("earthengine.step.plan")) == 3 + 1 + sections + 1
    assert len(told.timed("earthengine.step.fetch")) == 3 + sections
    assert len(told.timed("earthengine.step.publish")) == 3 + 1
    assert all(each > 0 for each in told.timed("earthengine.step.fetch"))


def test_the_task_state_has_how_far_each_download_came(told: Told) -> None:
    assert told.progress["plain", -1]["step"] == "done"
    assert told.progress["plain", -1]["tiles"] == 1
    assert told.progress["mapped", 0]["step"] == "done"
    assert told.progress["group.publish", -1]["step"] == "done"
    assert ("again", -1) not in told.progress


def test_each_step_is_a_line_of_json_in_the_tasks_log(told: Told) -> None:
    lines = [
        json.loads(line.partition(f"{STEP_LINE} ")[2].partition("}")[0] + "}")
        for line in told.log.splitlines()
        if f"{STEP_LINE} " in line
    ]
    plain = [each for each in lines if each["item"].endswith("/a/b/plain.tif.json")]
    assert [each["step"] for each in plain] == ["plan", "fetch", "publish"]
    assert sum(each["tiles"] for each in plain) == 1
