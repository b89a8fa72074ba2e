"""The command line does what the operator does, and says with its exit code how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rasterio.io import MemoryFile

from airflow_provider.earthengine import exceptions
from airflow_provider.earthengine.cli.exit_codes import EXIT_CODES, exit_code_of
from airflow_provider.earthengine.cli.program import main
from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import Emulator
from airflow_provider.earthengine.rasters import open_raster
from stack.bucket import list_keys
from stack.emulator import earthengine_connection
from stack.seaweedfs import SeaweedFS

SCENE = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
REGION = "--region=-122.0859,37.0436,-122.0626,37.0586"
WHAT = ("--bands", "B3,B8", REGION, "--scale", "20")
ONE_FILE = ("--name", "crop", "--params", '{"format": "GEO_TIFF"}')


@dataclass(frozen=True)
class Ran:
    code: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        return json.loads(self.output)


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def connections(emulator: Emulator, s3: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_EARTHENGINE_DEFAULT", earthengine_connection(emulator.url, "demo")
    )
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.airflow_connection)
    emulator.clear_requests()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_it(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        output, errors = capsys.readouterr()
        return Ran(code, output, errors)

    return run_it


def download(run: Run, bucket: str, *more: str) -> Ran:
    return run("download", SCENE, "--to", f"s3://{bucket}/cli", *WHAT, *ONE_FILE, *more)


def test_a_plan_tells_the_size_and_requests_no_pixel(run: Run, emulator: Emulator) -> None:
    ran = run("plan", SCENE, *WHAT, *ONE_FILE)
    assert (ran.code, ran.errors) == (0, "")
    assert "105 x 86 px" in ran.output
    document = run("plan", SCENE, *WHAT, *ONE_FILE, "--json").document
    assert document["files"], document
    assert emulator.counts().get("thumbnails.getPixels", 0) == 0


def test_a_download_is_published_once(
    run: Run, s3: SeaweedFS, bucket: str, emulator: Emulator
) -> None:
    first = download(run, bucket, "--json")
    assert first.code == 0, first
    uri = f"s3://{bucket}/cli/crop.tif"
    assert first.document["uris"] == [uri]
    assert first.document["item"] == f"{uri}.json"
    assert first.document["was_published_before"] is False
    assert list_keys(s3.client(), bucket) == ["cli/crop.tif", "cli/crop.tif.json"]
    body = s3.client().get_object(Bucket=bucket, Key="cli/crop.tif")["Body"].read()
    with MemoryFile(body) as file, file.open() as raster:
        assert (raster.count, raster.width, raster.height) == (2, 105, 86)

    before = emulator.counts()
    second = download(run, bucket)
    assert second.code == 0
    assert second.output.startswith("Already published:")
    assert emulator.counts() == before, "the second run asked Earth Engine something"


def test_a_series_shares_grid_keys_and_collection(run: Run, s3: SeaweedFS, bucket: str) -> None:
    where = ("--to", f"s3://{bucket}/series", "--bands", "B3")
    grid = json.dumps({"crs": "EPSG:32610", "resolution": 20, "origin": [7, 13]})
    names = ("--key", "{year}/{base}.{band}.tif", "--collection", '{"id": "typed"}')
    names += ("--record", '{"datetime": "2021-01-09T18:57:51Z"}')
    first = run(
        "download", SCENE, *where, "--name", "crop", REGION, "--grid", grid, *names, "--json"
    )
    assert first.code == 0, first
    (uri,) = first.document["uris"]
    assert uri == f"s3://{bucket}/series/2021/crop.B3.tif"
    item = first.document["item"]
    other = (*where, "--name", "other", "--region=-122.08,37.04,-122.07,37.05")
    second = run("download", SCENE, *other, "--align-to", item, *names, "--json")
    assert second.code == 0, second
    for each in (uri, *second.document["uris"]):
        with open_raster(each) as raster:
            assert raster.res == (20, 20)
            assert (raster.transform.c % 20, raster.transform.f % 20) == (7, 13)
    assert "series/collection.json" in list_keys(s3.client(), bucket)


def test_what_is_as_recorded_is_verified_by_item_raster_or_prefix(run: Run, bucket: str) -> None:
    download(run, bucket)
    run("download", SCENE, "--to", f"s3://{bucket}/cli", *WHAT, "--name", "split")
    item, raster = f"s3://{bucket}/cli/crop.tif.json", f"s3://{bucket}/cli/crop.tif"
    for uri in (item, raster):
        ran = run("verify", uri, "--json")
        assert ran.code == 0
        assert [each["uri"] for each in ran.document["objects"]] == [item, raster]
    split = run("verify", f"s3://{bucket}/cli/split.B8.tif", "--json").document
    assert len(split["objects"]) == 3, "the item and a file for each band"
    everything = run("verify", f"s3://{bucket}/", "--json").document
    assert everything["is_as_recorded"] is True
    assert len(everything["objects"]) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("flip", "has the SHA-256"),
        ("cut", "bytes; the item records"),
        ("remove", "does not exist"),
    ],
)
def test_what_is_not_as_recorded_is_named_and_an_exit_code(
    run: Run, s3: SeaweedFS, bucket: str, change: str, text: str
) -> None:
    download(run, bucket)
    client, key = s3.client(), "cli/crop.tif"
    body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    if change == "remove":
        client.delete_object(Bucket=bucket, Key=key)
    else:
        changed = body[:-1] if change == "cut" else body[:-1] + bytes([body[-1] ^ 1])
        client.put_object(Bucket=bucket, Key=key, Body=changed)
    ran = run("verify", f"s3://{bucket}/cli/crop.tif.json")
    assert ran.code == 6
    (line,) = (line for line in ran.output.splitlines() if "is as recorded" not in line)
    assert line.startswith(f"s3://{bucket}/{key} ")
    assert text in line


@pytest.mark.parametrize("content", [b"", b"{}", b'{"kind": "earthengine-claim"}', b"\xff"])
def test_what_is_no_item_is_not_as_recorded(
    run: Run, s3: SeaweedFS, bucket: str, content: bytes
) -> None:
    s3.client().put_object(Bucket=bucket, Key="a.tif.json", Body=content)
    ran = run("verify", f"s3://{bucket}/a.tif.json", "--json")
    assert ran.code == 6
    (found,) = ran.document["objects"]
    assert found["problem"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("verify", "s3://{bucket}/nothing.tif"), 5, "has no item"),
        (("verify", "s3://{bucket}/nothing/"), 5, "has no item"),
        (("verify", "s3://never-made/"), 5, "does not exist"),
        (("verify", "cli/crop.tif"), 2, "is not a URI"),
        (("download", "projects/demo/assets/none", "--to", "s3://{bucket}"), 5, "does not exist"),
        (("download", SCENE, "--to", "s3://{bucket}", "--bands", "B99"), 2, "B99"),
        (("download", SCENE, "--to", "bucket"), 2, "--to is 'bucket'; write s3://bucket"),
        (("download", SCENE, "--to", "/tmp/folder"), 2, "only a bucket can be the target"),
        (("download", SCENE, "--to", "s3:///x"), 2, "only a bucket can be the target"),
        (("download", SCENE), 2, "--to"),
        (("plan", SCENE, "--params", "["), 2, "--params"),
        (("plan", SCENE, "--params", "[]"), 2, "not a JSON object"),
        (("plan", SCENE, "--region", "nowhere.geojson"), 2, "region"),
        (("plan",), 2, "IMAGE"),
        (("plam",), 2, "plam"),
        (("plan", SCENE, "--earthengine-conn-id", "none"), 2, "`none` isn't defined"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence_and_an_exit_code(
    run: Run, bucket: str, arguments: tuple[str, ...], code: int, text: str
) -> None:
    ran = run(*(each.replace("{bucket}", bucket) for each in arguments))
    assert ran.code == code, ran
    assert text in ran.errors
    assert "Traceback" not in ran.errors
    assert ran.output == ""


def test_with_json_an_error_is_json_too(run: Run, bucket: str) -> None:
    ran = run("download", "projects/demo/assets/none", "--to", f"s3://{bucket}", "--json")
    assert ran.code == 5
    error = ran.document["error"]
    assert (error["type"], error["may_retry"]) == ("AssetNotFoundError", False)


def every_error() -> list[type[exceptions.EarthEngineProviderError]]:
    found = [each for each in vars(exceptions).values() if isinstance(each, type)]
    abstract = {exceptions.EarthEngineProviderError, exceptions.PermanentError}
    errors = [each for each in found if issubclass(each, exceptions.EarthEngineProviderError)]
    return [each for each in errors if each not in abstract]


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_every_error_has_an_exit_code_and_only_transient_ones_say_try_again(
    cls: type[exceptions.EarthEngineProviderError],
) -> None:
    code = exit_code_of(cls("What failed."))
    assert code in EXIT_CODES.values()
    assert (code == 75) == issubclass(cls, exceptions.TransientError)


def test_airflow_passes_all_arguments_on(run: Run) -> None:
    from airflow.cli.cli_parser import get_parser

    given = ["plan", "--json", SCENE, "--help"]
    options = get_parser().parse_args(["earthengine", *given])
    assert options.arguments == given


@pytest.mark.slow
def test_an_interrupted_download_stops_at_once_and_publishes_nothing(
    s3: SeaweedFS, bucket: str, emulator: Emulator, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "airflow_provider.earthengine.cli", "download", SCENE]
    command += ["--to", f"s3://{bucket}", *WHAT, *ONE_FILE]
    with (
        emulator.fault("thumbnails.getPixels", Latency(3600)) as armed,
        subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process,
    ):  # fmt: skip
        deadline = time.monotonic() + 180
        while armed.remaining:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        armed.release()
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "earthengine-to-s3: interrupted"
    assert not [key for key in list_keys(s3.client(), bucket) if key.endswith(".json")]
