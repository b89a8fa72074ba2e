"""The emulator as a program, its journal, and what clients read when they start."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import ee
import httpx
import numpy as np
import pytest
import requests

from airflow_provider.earthengine import emulator
from airflow_provider.earthengine.emulator.__main__ import main
from airflow_provider.earthengine.emulator.api import discovery
from airflow_provider.earthengine.emulator.api.routes import Service, Settings
from airflow_provider.earthengine.emulator.catalog.catalog import Catalog
from airflow_provider.earthengine.emulator.expressions.functions import FUNCTIONS
from airflow_provider.earthengine.emulator.server import Emulator, serve
from tests.emulator.official_client import download, get, initialised

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


@pytest.mark.slow
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
    rest, errors = program.communicate(timeout=60)
    assert (program.returncode, rest, errors) == (0, "", "")


@pytest.mark.slow
def test_a_mistake_in_the_catalog_is_said_at_start(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"id": "x", "kind": "video"}')
    process = start("--catalog", str(tmp_path))
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (2, "")
    kinds = "'file', 'formula', 'collection', 'table'"
    assert errors == f"error: {tmp_path}/x.json: kind: must be one of {kinds}, not 'video'\n"


@contextmanager
def running(*options: str) -> Iterator[str]:
    """Run the program with these options and return its URL."""
    process = start(*options)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_limits_and_encoding_are_options() -> None:
    options = ["--max-pixels", "900", "--deflate-level", "0", "--npy-masked", "least"]
    # Beside the elevation model: everything is masked.
    window = {"crs": "EPSG:31985", "crs_transform": [90, 0, 0, 0, -90, 0]}
    with running("--catalog", str(CATALOG), *options) as url, initialised(url):
        params = {"image": ee.Image(DEM), "dimensions": [30, 30], **window}
        array = np.load(io.BytesIO(download(**params, format="NPY")))
        assert np.isneginf(array["elevation"]).all()
        # A block of 256 x 256 that is stored as it is.
        assert len(download(**params, format="GEO_TIFF")) > 256 * 256 * 4
        refused = get(**params | {"dimensions": [31, 30], "format": "NPY"})
        assert refused.json()["error"]["message"] == "User memory limit exceeded."


@pytest.mark.slow
def test_quotas_are_options() -> None:
    with running("--max-requests-per-second", "1", "--max-concurrent-requests", "1") as url:
        body = {"expression": {"result": "0", "values": {"0": {"constantValue": 1}}}}
        compute = f"{url}/v1/projects/demo/value:compute"
        codes = [requests.post(compute, json=body, timeout=30).status_code for _ in range(20)]
    assert set(codes) == {200, 429}


@pytest.mark.slow
def test_who_may_ask_and_where_are_options() -> None:
    with running("--require-auth", "--host", "localhost", "--project", "mine") as url:
        assert url.startswith("http://localhost:")
        answer = requests.get(f"{url}/v1/projects/mine/algorithms", timeout=30)
    assert answer.status_code == 401


Failed = Callable[..., str]


@pytest.fixture
def failed(capsys: pytest.CaptureFixture[str]) -> Iterator[Failed]:
    """Return what runs the program, which must end by itself, and returns its one line."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(*options: str) -> str:
        code = main(list(options))
        output, errors = capsys.readouterr()
        assert (code, output) == (2, "")
        lines: list[str] = errors.splitlines()
        assert len(lines) == 1, errors
        return lines[0].removeprefix("error: ")

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_certificate_that_is_none_is_one_line(failed: Failed, tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("hello")
    missing = tmp_path / "missing.pem"
    line = failed("--certfile", str(missing), "--keyfile", str(text))
    assert line == f"[Errno 2] No such file or directory: '{missing}'"
    line = failed("--certfile", str(text), "--keyfile", str(missing))
    assert line == f"[Errno 2] No such file or directory: '{missing}'"
    line = failed("--certfile", str(text), "--keyfile", str(text))
    assert line.startswith(f"{text} and {text} are not a certificate and its private key")


def test_a_port_that_is_taken_is_one_line(failed: Failed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert "Address already in use" in failed("--port", str(port))


@pytest.mark.parametrize("port", ["65536", "-1", "http", "1.5"])
def test_a_port_that_cannot_be_is_said(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--port={port}"])
    assert ended.value.code == 2
    assert f"must be a number from 0 to 65535, not '{port}'" in capsys.readouterr().err


def test_a_folder_that_cannot_hold_files_is_one_line(failed: Failed, tmp_path: Path) -> None:
    assert str(tmp_path / "none") in failed("--keep-files", str(tmp_path / "none"))
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in failed("--keep-files", str(tmp_path / "file"))


def locked(path: Path) -> Path:
    """Return a path, which nobody may read or write any more."""
    path.chmod(0)
    return path


# For each way in which permissions may be missing: what is locked, and the option that needs it.
LOCKED: dict[str, Callable[[Path], tuple[Path, str]]] = {
    "catalog": lambda place: (locked(place / "catalog"), "--catalog=catalog"),
    "folder": lambda place: (locked(place / "catalog/projects"), "--catalog=catalog"),
    "description": lambda place: (locked(place / f"catalog/{DEM}.json"), "--catalog=catalog"),
    "raster": lambda place: (locked(place / f"catalog/{DEM}.tif"), "--catalog=catalog"),
    "kept files": lambda place: (locked(place / "kept"), "--keep-files=kept"),
    "certificate": lambda place: (locked(place / "cert.pem"), "--certfile=cert.pem"),
}


@pytest.mark.slow  # a program for each
@pytest.mark.parametrize("name", LOCKED)
def test_a_missing_permission_is_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    shutil.copytree(CATALOG, tmp_path / "catalog")
    (tmp_path / "kept").mkdir()
    (tmp_path / "cert.pem").touch()
    path, option = LOCKED[name](tmp_path)
    options = [option, "--keyfile=cert.pem"] if name == "certificate" else [option]
    program = [sys.executable, "-m", "airflow_provider.earthengine.emulator", *options]
    if os.geteuid() == 0:  # whom no permission stops, unless it gives that up
        program = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *program]
    try:
        ended = subprocess.run(
            program, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        path.chmod(0o700)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(path.relative_to(tmp_path)) in line
    assert "Permission denied" in line


HALF: dict[str, bytes] = {
    "cut": b'{"id": "x", "kind": "for',
    "empty": b"",
    "binary": b"\xff\xfe\0",
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("name", HALF)
def test_a_half_written_description_is_one_line(failed: Failed, tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(HALF[name])
    assert failed("--catalog", str(tmp_path)).startswith(f"{path}: cannot be read as JSON: ")


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.7])
def test_a_half_written_raster_is_one_line(failed: Failed, tmp_path: Path, share: float) -> None:
    whole = (CATALOG / "projects/demo/assets/landsat7_olinda.tif").read_bytes()
    (tmp_path / "x.tif").write_bytes(whole[: int(len(whole) * share)])
    bands = [{"id": "b", "file": "x.tif", "index": 6}]
    (tmp_path / "x.json").write_text(json.dumps({"id": "x", "kind": "file", "bands": bands}))
    line = failed("--catalog", str(tmp_path))
    assert line.startswith(f"{tmp_path}/x.json: bands[0].file: x.tif cannot be read: ")


@pytest.mark.slow
def test_after_a_kill_it_starts_again_on_the_same_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for _ in range(2):
        process = start("--port", str(port))
        assert process.stdout is not None
        assert process.stdout.readline().endswith(f":{port}\n")
        with requests.Session() as session:
            page = session.get(f"http://127.0.0.1:{port}/", timeout=30)
            process.kill()
            process.communicate()
        assert page.status_code == 200


@pytest.mark.slow
def test_two_hundred_clients_at_once_are_all_answered(emulator: Emulator) -> None:
    url = f"{emulator.url}/v1/projects/demo/value:compute"

    def ask(number: int) -> int:
        node = {"functionInvocationValue": {"functionName": "Number.multiply", "arguments": {
            "left": {"constantValue": number}, "right": {"constantValue": 2}}}}  # fmt: skip
        body = {"expression": {"result": "0", "values": {"0": node}}}
        result: int = requests.post(url, json=body, timeout=60).json()["result"]
        return result

    with ThreadPoolExecutor(200) as pool:
        assert list(pool.map(ask, range(200))) == [2 * number for number in range(200)]
    assert emulator.counts() == {"value:compute": 200}


def test_a_client_that_leaves_in_mid_body_harms_nobody(emulator: Emulator) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    path = "/v1/projects/demo/value:compute"
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n{{"
    for _ in range(20):
        with socket.create_connection((host, int(port)), 30) as connection:
            connection.sendall(head.encode())
    body = {"expression": {"result": "0", "values": {"0": {"constantValue": 7}}}}
    assert requests.post(emulator.url + path, json=body, timeout=30).json() == {"result": 7}
    deadline = time.monotonic() + 30
    while emulator.counts().get("value:compute", 0) < 21:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sorted({request.status for request in emulator.requests}) == [200, 499]


@pytest.mark.slow
def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    process = start("--certfile", str(tmp_path / "cert.pem"))
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (
        2, "error: --certfile and --keyfile must be given together\n",
    )  # fmt: skip


def test_the_journal_counts_what_was_asked(client: Emulator) -> None:
    client.clear_requests()
    download(image=ee.Image(DEM), format="GEO_TIFF")
    assert client.counts() == {"thumbnails.create": 1, "thumbnails.getPixels": 1}
    create, pixels = client.requests
    assert (create.method, create.operation, create.status) == ("POST", "thumbnails.create", 200)
    # The id of a download is a key to its pixels: the journal keeps six of its digits.
    assert re.fullmatch(r"/v1/projects/demo/thumbnails/[0-9a-f]{6}\.\.\.:getPixels", pixels.path)


def test_a_browser_at_the_root_is_told_what_this_is(emulator: Emulator) -> None:
    page = requests.get(emulator.url, headers={"Accept": "text/html"}, timeout=30)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "stand-in for Earth Engine" in page.text
    assert f'url="{emulator.url}"' in page.text
    for link in re.findall('href="([^"]+)"', page.text):
        assert requests.get(f"{emulator.url}/{link}", timeout=30).status_code == 200
    assert requests.get(f"{emulator.url}/favicon.ico", timeout=30).status_code == 404


def test_the_page_escapes_the_name_of_the_project() -> None:
    with serve(None, "<b>x") as emulator:
        assert "<b>" not in requests.get(emulator.url, timeout=30).text


def test_initialising_takes_three_requests(emulator: Emulator) -> None:
    with initialised(emulator.url):
        pass
    assert emulator.counts() == {"discovery": 2, "algorithms": 1}


def test_the_journal_is_read_and_cleared_over_http(emulator: Emulator) -> None:
    requests.get(f"{emulator.url}/v1/projects/demo/algorithms", timeout=30)
    address = f"{emulator.url}/emulator/requests"
    path = "/v1/projects/demo/algorithms"
    entry = {"method": "GET", "path": path, "operation": "algorithms", "status": 200,
             "fault": None, "workload_tag": None, "assets": []}  # fmt: skip
    expected = {"counts": {"algorithms": 1}, "most_at_once": 1, "requests": [entry]}
    assert requests.get(address, timeout=30).json() == expected
    assert requests.delete(address, timeout=30).status_code == 204
    assert requests.get(address, timeout=30).json() == {
        "counts": {}, "most_at_once": 0, "requests": []
    }  # fmt: skip


def test_the_journal_says_which_assets_a_request_read(client: Emulator) -> None:
    image, other = ee.Image(DEM), ee.Image("projects/demo/assets/landsat7_olinda")
    download(image=image, format="GEO_TIFF")
    both = ee.List([image.bandNames(), other.bandNames()])
    both.getInfo()
    ee.ImageCollection("projects/demo/assets/s2_daily").size().getInfo()
    with pytest.raises(ee.EEException):
        ee.Image("projects/demo/assets/none").getInfo()
    ee.Number(1).getInfo()
    ee.data.getAsset("COPERNICUS")
    assert client.counts(DEM) == {
        "thumbnails.create": 1, "thumbnails.getPixels": 1, "value:compute": 1
    }  # fmt: skip
    assert client.counts("projects/demo/assets/landsat7_olinda") == {"value:compute": 1}
    assert client.counts("projects/demo/assets/s2_daily") == {"value:compute": 1}
    (refused,) = client.requests_for("projects/demo/assets/none")
    assert refused.status == 400
    assert client.requests_for("projects/demo/assets/never") == []
    assert client.requests[2].assets == (DEM, "projects/demo/assets/landsat7_olinda")
    url = f"{client.url}/emulator/requests"
    shown = requests.get(url, params={"asset": DEM}, timeout=30).json()
    assert shown["counts"] == client.counts(DEM)
    assert len(shown["requests"]) == 3


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("localhost", 200),
        ("127.0.0.1:8080", 200),
        ("127.9.9.9", 200),
        ("[::1]:8080", 200),
        ("emulator.localhost", 200),
        ("attacker.example", 403),
        ("attacker.example:8080", 403),
        ("127.0.0.1.attacker.example", 403),
        ("localhost.attacker.example", 403),
        ("10.0.0.5", 403),
    ],
)
def test_a_name_that_others_control_opens_no_admin_route(
    emulator: Emulator, name: str, code: int
) -> None:
    url = f"{emulator.url}/emulator/assets"
    answer = requests.get(url, headers={"Host": name}, timeout=30)
    assert answer.status_code == code


@pytest.mark.parametrize("path", ["/emulator/assets", "/emulator/faults"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Origin": "https://attacker.example"},
    ],
    ids=lambda headers: next(iter(headers.values())),
)
def test_what_a_page_can_send_changes_nothing(
    emulator: Emulator, path: str, headers: dict[str, str]
) -> None:
    body = {"operation": "discovery", "kind": "html", "id": "x"}
    method = "PUT" if path.endswith("assets") else "POST"
    before = requests.get(emulator.url + path, timeout=30).json()
    response = requests.request(
        method, emulator.url + path, data=json.dumps(body), headers=headers, timeout=30
    )
    assert response.status_code == 415
    assert "must be application/json" in response.json()["error"]["message"]
    assert requests.get(emulator.url + path, timeout=30).json() == before
    # Before any other type, a browser would ask, and gets no permission.
    asked = requests.options(emulator.url + path, timeout=30)
    assert "Access-Control-Allow-Origin" not in asked.headers


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
            (p["argumentName"], p["type"], bool(p.get("optional")))
            for p in theirs.get("arguments", [])
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
    from airflow_provider.earthengine.emulator.api import routes

    monkeypatch.setattr(routes, "algorithms_document", discovery.own_algorithms)
    with initialised(emulator.url):
        assert ee.Image(DEM).select("elevation").getInfo()["bands"][0]["id"] == "elevation"


def test_the_readme_names_every_function() -> None:
    text = (Path(emulator.__file__).parent / "README.md").read_text()
    for name in FUNCTIONS:
        assert f"`{name}`" in text


SENDERS = ("official client", "geedim", "xee", "GDAL", "DAG", "provider")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_sender_that_is_named(name: str) -> None:
    assert any(sender in FUNCTIONS[name].sent_by for sender in SENDERS)


LABELS = ("documented", "artefact", "client", "guessed")


def test_every_answer_of_the_readme_has_a_label() -> None:
    text = (Path(emulator.__file__).parent / "README.md").read_text()
    table = text.split("| answer | label | source |")[1].split("\n\n")[0]
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line[:2] == "| "]
    assert len(rows) > 80
    for answer, label, source in rows:
        assert any(word in label for word in LABELS), answer
        assert source.strip() or "guessed" in label, answer


@pytest.mark.parametrize(
    ("token", "given", "code"),
    [(None, None, 403), ("secret", None, 403), ("secret", "wrong", 403), ("secret", "secret", 200)],
)
def test_the_admin_routes_are_for_this_machine_or_a_token(
    token: str | None, given: str | None, code: int
) -> None:
    settings = Settings(Catalog(), admin_token=token)
    # A client on another machine cannot be had on loopback, so the address is said, not made.
    transport = httpx.ASGITransport(Service(settings).application(), client=("10.0.0.5", 50000))

    async def ask() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
            headers = {} if given is None else {"X-Emulator-Token": given}
            return (await client.get("/emulator/requests", headers=headers)).status_code

    assert asyncio.run(ask()) == code


def test_a_kept_connection_is_answered_at_once(emulator: Emulator) -> None:
    with requests.Session() as session:
        url = f"{emulator.url}/v1/projects/demo/nothing"
        seconds = []
        for _ in range(40):
            start = time.perf_counter()
            session.get(url, timeout=30)
            seconds.append(time.perf_counter() - start)
    # A delayed acknowledgement would cost 40 ms each, once the connection has warmed up; on a busy
    # machine some are late all the same.
    assert sorted(seconds[20:])[5] < 0.03
