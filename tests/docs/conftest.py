"""The documentation's blocks, run once: an Airflow, an emulator and an S3 server of their own."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider.earthengine.emulator.api.downloads import Encoding
from airflow_provider.earthengine.emulator.formats.geotiff import RUNS_ONLY
from airflow_provider.earthengine.emulator.server import serve
from stack.airflow import AirflowHome, airflow_home
from stack.emulator import CATALOG_FOLDER, earthengine_connection
from stack.seaweedfs import SeaweedFS
from tests.docs.blocks import BUCKET, Block, blocks

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

PROJECT = "my-project"
_RUN_SECONDS = 480
# A task that fails is tried again at once, not after five minutes.
_NO_WAITING = {"AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "0"}

# What the pages name besides the assets of the test catalog.
_FIELDS = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [[-122.08, 37.05], [-122.07, 37.05], [-122.07, 37.06], [-122.08, 37.05]]
                ],
            },
        }
    ],
}


class OpenIamSeaweedFS(SeaweedFS):
    """An S3 server that also takes IAM users and policies, as AWS does."""

    def _command(self) -> list[str | Path]:
        return [*super()._command(), "-s3.iam.readOnly=false"]


@pytest.fixture(scope="session")
def iam_s3() -> Iterator[SeaweedFS]:
    with OpenIamSeaweedFS() as server:
        yield server


@pytest.fixture(scope="session")
def docs_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    catalog = tmp_path_factory.mktemp("docs") / "catalog"
    shutil.copytree(CATALOG_FOLDER, catalog)
    fields = {"id": f"projects/{PROJECT}/assets/fields", "kind": "table", "file": "fields.geojson"}
    (catalog / "fields.json").write_text(json.dumps(fields))
    (catalog / "fields.geojson").write_text(json.dumps(_FIELDS))
    quick = Encoding(deflate_level=RUNS_ONLY)
    with serve(catalog=catalog, project=PROJECT, encoding=quick) as emulator:
        yield emulator


@dataclass(frozen=True)
class DocsRun:
    """What came of the blocks.

    :param errors: block id -> what went wrong, "" for nothing.
    :param output: everything that was printed.
    :param buckets: page -> its bucket.
    """

    errors: dict[str, str]
    output: str
    buckets: dict[str, str]
    home: AirflowHome


@pytest.fixture(scope="session")
def docs_run(
    tmp_path_factory: pytest.TempPathFactory, docs_emulator: Emulator, iam_s3: SeaweedFS,
    migrated_file: Path,
) -> Iterator[DocsRun]:  # fmt: skip
    folder = tmp_path_factory.mktemp("blocks")
    dags_folder = folder / "dags"
    dags_folder.mkdir()
    found = [block for block in blocks("python") if block.not_run is None]
    shell = [block for block in blocks("bash") if block.not_run is None]
    buckets = {block.page: f"docs-{block.page.replace('_', '-')}" for block in [*found, *shell]}
    for bucket in buckets.values():
        iam_s3.client().create_bucket(Bucket=bucket)
    plan = [_step(block, buckets, folder, dags_folder) for block in found]
    (folder / "plan.json").write_text(json.dumps(plan))
    connections = {
        "earthengine_default": earthengine_connection(docs_emulator.url, PROJECT),
        "aws_default": iam_s3.airflow_connection,
    }
    with airflow_home(
        dags_folder=dags_folder, connections=connections, migrated_file=migrated_file,
        extra=_NO_WAITING,
    ) as home:  # fmt: skip
        errors, output = _run(home, folder)
        yield DocsRun(errors, output, buckets, home)


def _run(home: AirflowHome, folder: Path) -> tuple[dict[str, str], str]:
    """Run the plan of the folder; return what went wrong, by block, and what was printed."""
    program = Path(__file__).with_name("run_blocks.py")
    results, log = folder / "results.json", folder / "log"
    command = [sys.executable, program, folder / "plan.json", results]
    with log.open("wb") as output, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            command,
            env=dict(home.environment),
            cwd=folder,
            timeout=_RUN_SECONDS,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    text = log.read_text(errors="replace")
    assert results.exists(), text[-3000:]
    return json.loads(results.read_text()), text


def in_bucket(text: str, bucket: str) -> str:
    """Return text of a page with the page's own bucket in it."""
    return text.replace(BUCKET, bucket)


def _step(block: Block, buckets: dict[str, str], folder: Path, dags_folder: Path) -> dict[str, str]:
    own_folder = folder / block.id
    own_folder.mkdir()
    path = dags_folder / f"{block.dag_file}.py" if block.dag_file else own_folder / "program.py"
    path.write_text(in_bucket(block.code, buckets[block.page]))
    return {"id": block.id, "path": str(path), "folder": str(own_folder)}
