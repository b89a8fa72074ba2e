"""Scratch: where the deployment wants it, bounded, removed; and one sentence when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.exceptions import ScratchError
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.airflow import AirflowHome
from stack.environment import PROJECT_FOLDER
from stack.seaweedfs import SeaweedFS
from tests.integration.conftest import MakeAirflow, make_airflow
from tests.reliability.forked_attempts import Attempt
from tests.support.airflow_task import task_context
from tests.support.expected import SENTINEL2_ID

pytestmark = pytest.mark.slow

__all__ = ["make_airflow"]  # a fixture

LANDSAT = "projects/demo/assets/landsat7_olinda"
OPTION = "AIRFLOW__EARTHENGINE__SCRATCH_DIRECTORY"


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    return {
        "image": LANDSAT,
        "download_params": {"bands": ["B1"], "format": "GEO_TIFF"},
        "s3_bucket": bucket,
    }


def execute(fields: dict[str, Any]) -> Any:
    operator = EarthEngineToS3Operator(task_id="download", **fields)
    return operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


def is_empty(s3: SeaweedFS, bucket: str) -> bool:
    return bool(s3.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0)


def test_airflow_knows_the_option_and_its_default(make_airflow: MakeAirflow) -> None:
    home: AirflowHome = make_airflow(PROJECT_FOLDER / "dags")
    result = home.run("config", "get-value", "earthengine", "scratch_directory")
    assert (result.returncode, result.stdout.strip().split("\n")[-1]) == (0, ""), result.stdout
    listed = home.run("config", "list", "--section", "earthengine", "--include-descriptions")
    assert "scratch_directory" in listed.stdout
    assert "TMPDIR" in listed.stdout


def test_scratch_is_where_the_option_says(
    fields: dict[str, Any], emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv(OPTION, str(place))
    with emulator.fault("thumbnails.getPixels", Latency(60)) as armed:
        attempt = Attempt(fields, elsewhere)
        while armed.remaining and attempt.process.is_alive():
            time.sleep(0.01)
        assert [path.name.split("-")[0] for path in place.iterdir()] == ["earthengine"]
        armed.release()
        assert len(attempt.wait().uris) == 1
    assert list(place.iterdir()) == []
    assert list(elsewhere.iterdir()) == []


def test_a_place_that_is_not_there_is_told_before_anything_is_computed(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, emulator: Emulator,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(OPTION, str(tmp_path / "absent"))
    with pytest.raises(ScratchError) as caught:
        execute(fields)
    assert str(caught.value) == (
        f"Scratch {tmp_path}/absent cannot be used (No such file or directory); free some space, "
        "make it writable, or set [earthengine] scratch_directory to another place."
    )
    assert emulator.requests == []
    assert is_empty(s3, bucket)


# A disk of our own, in a namespace of our own: it is mounted for this process and its children.
_MOUNT = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'
_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def has_namespaces() -> bool:
    try:
        return subprocess.run([*_NAMESPACE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


needs_namespaces = pytest.mark.skipif(
    not has_namespaces(),
    reason="needs a disk of one's own: `unshare --user --map-root-user --mount` must work here",
)


def attempt_on_disk(options: str, place: Path, fields: dict[str, Any]) -> subprocess.Popen[str]:
    """Start an attempt whose scratch is on a small disk of its own."""
    place.mkdir()
    command = [*_NAMESPACE, "sh", "-c", _MOUNT, "sh", options, str(place)]
    return subprocess.Popen(
        [*command, sys.executable, "-m", "tests.support.download_attempt", json.dumps(fields)],
        env={**os.environ, OPTION: str(place)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def last_sentence(attempt: subprocess.Popen[str]) -> str:
    output, _ = attempt.communicate(timeout=120)
    assert attempt.returncode != 0, output
    return output.strip().split("\n")[-1]


@needs_namespaces
def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, emulator: Emulator, tmp_path: Path
) -> None:
    place = tmp_path / "disk"
    told = last_sentence(attempt_on_disk("size=1m", place, fields))
    assert "ScratchError" in told
    assert f"Scratch {place} has 1,0" in told
    assert "bytes free, but the download can take" in told
    assert "thumbnails.create" not in emulator.counts()
    assert is_empty(s3, bucket)


@needs_namespaces
def test_a_read_only_disk_is_told_in_one_sentence(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    place = tmp_path / "disk"
    told = last_sentence(attempt_on_disk("ro,size=1m", place, fields))
    assert "ScratchError" in told
    assert f"Scratch {place} cannot be used (Read-only file system)" in told
    assert is_empty(s3, bucket)


@needs_namespaces
def test_a_disk_that_fills_up_meanwhile_is_told_in_one_sentence(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, emulator: Emulator, tmp_path: Path
) -> None:
    place = tmp_path / "disk"
    with emulator.fault("thumbnails.getPixels", Latency(60)) as armed:
        attempt = attempt_on_disk("size=8m", place, fields)
        while armed.remaining and attempt.poll() is None:
            time.sleep(0.02)
        # Its disk, seen through its own root.
        disk = Path(f"/proc/{attempt.pid}/root{place}")
        _fill(disk / "somebody else's")
        armed.release()
        told = last_sentence(attempt)
    assert "ScratchError" in told
    assert f"Scratch {place} cannot be used (No space left on device)" in told
    assert is_empty(s3, bucket)


@needs_namespaces
@pytest.mark.parametrize("left", [0, 200, 400, 600, 800, 1000])
def test_a_disk_that_fills_up_at_any_step_of_the_making_is_told_in_one_sentence(
    fields: dict[str, Any], s3: SeaweedFS, bucket: str, emulator: Emulator, tmp_path: Path,
    left: int,
) -> None:  # fmt: skip
    """The tiles, the pixels that they come together in, the overviews, the COG."""
    place = tmp_path / "disk"
    fields["image"] = SENTINEL2_ID
    fields["limits"] = {"tile_byte_count": 100_000, "max_concurrent_requests": 1}
    fields["download_params"] = {
        "bands": ["B3"], "crs": "EPSG:32610", "format": "GEO_TIFF", "dimensions": [700, 600],
        "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    }  # fmt: skip
    with emulator.fault("thumbnails.getPixels", Latency(60)) as armed:
        attempt = attempt_on_disk("size=8m", place, fields)
        while armed.remaining and attempt.poll() is None:
            time.sleep(0.02)
        disk = Path(f"/proc/{attempt.pid}/root{place}")
        _fill(disk / "somebody else's", left << 10)
        armed.release()
        told = last_sentence(attempt)
    assert "ScratchError" in told
    assert f"Scratch {place} " in told
    assert is_empty(s3, bucket)


def _fill(path: Path, left: int = 0) -> None:
    """Leave so many bytes of the disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - left)
