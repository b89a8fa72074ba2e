"""Armed faults: each happens to the operation and as often as it was armed, and is counted."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import ee
import numpy as np
import pytest
import requests

from airflow_provider.earthengine.emulator.faults import (
    Cut,
    Damage,
    Empty,
    Expire,
    Fault,
    Flip,
    Html,
    Latency,
    Refuse,
    Reset,
    Stall,
    Status,
    UnfiredFaultError,
)
from airflow_provider.earthengine.emulator.server import Emulator, serve
from tests.emulator.official_client import Tiff
from tests.support.expected import SENTINEL2_ID, sentinel2_values

CREATE, PIXELS = "thumbnails.create", "thumbnails.getPixels"
WINDOW = {
    "crs": "EPSG:32610",
    "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    "dimensions": [30, 20],
}


@pytest.fixture(autouse=True)
def no_faults(emulator: Emulator) -> Iterator[None]:
    """Leave no armed fault to the next test, whatever happens in this one."""
    yield
    emulator.faults.clear()


def url_of(file_format: str = "GEO_TIFF", bands: tuple[str, ...] = ("B3", "B4")) -> str:
    params = {"image": ee.Image(SENTINEL2_ID).select(list(bands)), "format": file_format}
    return str(ee.data.makeDownloadUrl(ee.data.getDownloadId(params | WINDOW)))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fetch(url: str) -> bytes:
    response = requests.get(url, timeout=30)
    response.raise_for_status()
    return response.content


def test_a_status_happens_as_often_as_it_was_armed(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Status(503), times=2) as armed:
        answers = [requests.get(url, timeout=30) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["error"]["status"] == "UNAVAILABLE"
    assert "Retry-After" not in answers[0].headers
    assert (armed.fired, armed.remaining) == (2, 0)
    logged = [r.fault for r in client.requests if r.operation == PIXELS]
    assert logged == ["status", "status", None]


def test_a_status_can_name_its_reason_and_when_to_come_back(client: Emulator) -> None:
    fault = Status(403, reason="rateLimitExceeded", retry_after="7")
    with client.fault(CREATE, fault), pytest.raises(ee.EEException, match="permission"):
        url_of()
    with client.fault("algorithms", fault):
        response = requests.get(f"{client.url}/v1/projects/demo/algorithms", timeout=30)
    assert response.headers["Retry-After"] == "7"
    error = response.json()["error"]
    assert error["errors"][0]["reason"] == error["details"][0]["reason"] == "rateLimitExceeded"


@pytest.mark.parametrize(
    ("operation", "path", "method"),
    [
        ("discovery", "/$discovery/rest", "GET"),
        ("algorithms", "/v1/projects/demo/algorithms", "GET"),
        ("value:compute", "/v1/projects/demo/value:compute", "POST"),
        (CREATE, "/v1/projects/demo/thumbnails", "POST"),
        (PIXELS, "/v1/projects/demo/thumbnails/x:getPixels", "GET"),
        ("image:computePixels", "/v1/projects/demo/image:computePixels", "POST"),
        ("assets.get", "/v1/projects/demo/assets/x", "GET"),
        ("assets.list", "/v1/projects/demo/assets:listAssets", "GET"),
        ("assets.getPixels", "/v1alpha/projects/demo/assets/x:getPixels", "POST"),
        ("token", "/token", "POST"),
        ("token", "/sts/v1/token", "POST"),
    ],
)
def test_every_operation_can_fail(
    emulator: Emulator, operation: str, path: str, method: str
) -> None:
    with emulator.fault(operation, Status(500, message="out of order")):
        response = requests.request(method, emulator.url + path, json={}, timeout=30)
    assert response.status_code == 500
    assert "out of order" in response.text


def test_a_fault_can_spare_the_first_requests(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Status(500), skip=2):
        codes = [requests.get(url, timeout=30).status_code for _ in range(4)]
    assert codes == [200, 200, 500, 200]


def test_a_fault_that_does_not_happen_fails_the_test(client: Emulator) -> None:
    with (
        pytest.raises(UnfiredFaultError, match=r"happened 1 of 2 times"),
        client.fault(PIXELS, Status(500), times=2),
    ):
        requests.get(url_of(), timeout=30)
    client.faults.arm(PIXELS, Empty())
    with pytest.raises(UnfiredFaultError, match=r"Empty\(\) for thumbnails\.getPixels"):
        client.faults.assert_all_fired()
    fetch(url_of())
    client.faults.assert_all_fired()


def test_a_fault_happens_to_its_own_operation_only(client: Emulator) -> None:
    with pytest.raises(UnfiredFaultError), client.fault("token", Status(500)):
        assert fetch(url_of())


def test_the_error_of_the_block_is_not_hidden(client: Emulator) -> None:
    with pytest.raises(KeyError), client.fault(PIXELS, Empty()):
        raise KeyError


@pytest.mark.parametrize("share", [None, 0, 0.5])
def test_a_reset_loses_the_connection(client: Emulator, share: float | None) -> None:
    url = url_of()
    with client.fault(PIXELS, Reset(share)), pytest.raises(requests.RequestException) as caught:
        fetch(url)
    assert "reset" in str(caught.value).lower()
    assert [r.status for r in client.requests if r.operation == PIXELS] == [
        0 if share is None else 200
    ]


def test_a_refused_connection_is_a_door_that_opens_again(client: Emulator) -> None:
    url = url_of()
    address = client.url.removeprefix("http://").split(":")
    with client.fault(PIXELS, Refuse(2.0)):
        with pytest.raises(requests.ConnectionError):
            fetch(url)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address[0], int(address[1])), timeout=5)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert fetch(url)
            break
        except requests.ConnectionError:
            time.sleep(0.05)
    else:
        pytest.fail("the door did not open again")


def test_a_cut_body_can_be_seen_by_its_length(client: Emulator) -> None:
    url = url_of()
    with (
        client.fault(PIXELS, Cut(0.25)),
        pytest.raises(requests.RequestException, match="ncomplete"),
    ):
        fetch(url)


def test_a_cut_body_can_hide_its_loss(client: Emulator) -> None:
    url = url_of()
    whole = fetch(url)
    with client.fault(PIXELS, Cut(0.25, tells_length=False)):
        assert fetch(url) == whole[: round(len(whole) / 4)]


def test_a_stall_sends_the_rest_late(client: Emulator) -> None:
    url = url_of()
    whole = fetch(url)
    with client.fault(PIXELS, Stall(0.5, 0.3)):
        start = time.monotonic()
        assert fetch(url) == whole
    assert time.monotonic() - start >= 0.3
    with client.fault(PIXELS, Stall(0.5)), pytest.raises(requests.RequestException):
        requests.get(url, timeout=1.0)


def test_a_stall_does_not_hold_up_the_end() -> None:
    done = threading.Event()

    def wait(url: str) -> None:
        with pytest.raises(requests.RequestException):
            requests.get(url, timeout=30)
        done.set()

    with serve(None) as emulator:
        emulator.faults.arm("discovery", Stall())
        thread = threading.Thread(target=wait, args=(f"{emulator.url}/$discovery/rest",))
        thread.start()
        while "discovery" not in emulator.counts():
            time.sleep(0.01)
    assert done.wait(60)
    thread.join()


@pytest.mark.parametrize("fault", [Stall(0.5, 3600), Latency(3600)], ids=str)
def test_what_waits_goes_on_when_it_is_released(client: Emulator, fault: Fault) -> None:
    url = url_of()
    whole = fetch(url)
    with client.fault(PIXELS, fault) as armed, ThreadPoolExecutor(1) as pool:
        late = pool.submit(requests.get, url, timeout=60)
        while armed.remaining:
            time.sleep(0.01)
        armed.release()
        assert late.result().content == whole


def test_a_client_that_gives_up_is_no_error_of_the_service(
    client: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{client.url}/v1/projects/demo/value:compute"
    with client.fault("value:compute", Latency(3600)):
        with pytest.raises(requests.Timeout):
            requests.post(url, json={}, timeout=1.0)
        wait_until(lambda: client.requests != [])
    assert [request.status for request in client.requests] == [499]
    assert caplog.text == ""


def test_a_client_may_leave_in_the_middle_of_its_request(
    client: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    place = urlsplit(client.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        head = (
            "POST /v1/projects/demo/value:compute HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        )
        connection.sendall(f"{head}{{".encode())
        time.sleep(0.1)
    wait_until(lambda: client.requests != [])
    assert [request.status for request in client.requests] == [499]
    assert caplog.text == ""


def test_an_answer_to_nobody_uses_no_fault_that_was_armed_since(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Latency(3600)), pytest.raises(requests.Timeout):
        requests.get(url, timeout=0.5)
    wait_until(lambda: client.requests[-1].status == 499)
    with client.fault(PIXELS, Damage("dtype")) as armed:
        time.sleep(0.2)
        assert armed.fired == 0
        fetch(url)
        assert armed.fired == 1


def test_a_late_answer_belongs_to_the_time_of_its_request(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Latency(3600)) as armed, ThreadPoolExecutor(1) as pool:
        late = pool.submit(requests.get, url, timeout=60)
        wait_until(lambda: not armed.remaining)
        client.clear_requests()
        armed.release()
        assert late.result().status_code == 200
    assert client.requests == []
    assert client.most_at_once == 0
    fetch(url)
    assert client.counts() == {PIXELS: 1}
    assert client.most_at_once == 1


def test_latency_is_all_there_is(client: Emulator) -> None:
    url = url_of()
    whole = fetch(url)
    with client.fault(PIXELS, Latency(0.25)):
        start = time.monotonic()
        assert fetch(url) == whole
    assert time.monotonic() - start >= 0.25


def test_flipped_bytes_keep_the_length(client: Emulator) -> None:
    url = url_of()
    whole = fetch(url)
    with client.fault(PIXELS, Flip(3)):
        flipped = fetch(url)
    assert len(flipped) == len(whole)
    assert sum(a != b for a, b in zip(flipped, whole, strict=True)) == 3


def test_a_page_and_nothing_come_with_status_200(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Html()):
        response = requests.get(url, timeout=30)
    assert (response.status_code, response.content[:15]) == (200, b"<!DOCTYPE html>")
    with client.fault(PIXELS, Empty()):
        response = requests.get(url, timeout=30)
    assert (response.status_code, response.content) == (200, b"")


def test_an_expired_id_stays_expired(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Expire()):
        codes = [requests.get(url, timeout=30).status_code for _ in range(2)]
    assert codes == [404, 404]


def window(left: int = 0, width: int = 30, band: str = "B3") -> Any:
    return sentinel2_values(band, left, 0, width, 20)


def test_pixels_of_another_type(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Damage("dtype")):
        read = Tiff(fetch(url))
    assert read.dtypes == ("float32", "float32")
    np.testing.assert_array_equal(read.bands[0], window())


def test_a_grid_one_pixel_off(client: Emulator) -> None:
    url = url_of()
    with client.fault(PIXELS, Damage("grid_shift")):
        shifted = Tiff(fetch(url))
    assert shifted.transform == (10, 0, 499990, 0, -10, 4200000)
    # What lies beyond the grid that was asked for is masked.
    np.testing.assert_array_equal(shifted.bands[0][:, :29], window(left=1, width=29))
    with client.fault(PIXELS, Damage("grid_size")):
        wide = Tiff(fetch(url))
    assert wide.bands.shape == (2, 20, 31)
    np.testing.assert_array_equal(wide.bands[0][:, :30], window())


def test_computed_pixels_can_be_damaged_too(client: Emulator) -> None:
    params = {"expression": ee.Image(SENTINEL2_ID).select("QA60"), "fileFormat": "NUMPY_NDARRAY"}
    grid = {
        "crsCode": "EPSG:32610",
        "affineTransform": {"scaleX": 60, "translateX": 499980, "scaleY": -60,
                            "translateY": 4200000},
        "dimensions": {"width": 5, "height": 4},
    }  # fmt: skip
    with client.fault("image:computePixels", Damage("dtype")):
        assert ee.data.computePixels(params | {"grid": grid}).dtype["QA60"] == "float32"


@pytest.mark.parametrize("file_format", ["GEO_TIFF", "NPY", "ZIPPED_GEO_TIFF_PER_BAND"])
def test_swapped_bands(client: Emulator, file_format: str) -> None:
    url = url_of(file_format)
    with client.fault(PIXELS, Damage("bands")):
        content = fetch(url)
    if file_format == "GEO_TIFF":
        np.testing.assert_array_equal(Tiff(content).bands[0], window(band="B4"))
    elif file_format == "NPY":
        array = np.lib.format.read_array(io.BytesIO(content))
        assert array.dtype.names == ("B4", "B3")
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert [name.split(".")[-2] for name in archive.namelist()] == ["B4", "B3"]


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("zip_extra", lambda names: [*names, "extra.tif"]),
        ("zip_missing", lambda names: names[:-1]),
        ("zip_absolute", lambda names: [f"/{names[0]}", *names[1:]]),
        ("zip_parent", lambda names: [f"../{names[0]}", *names[1:]]),
    ],
)
def test_a_zip_with_the_wrong_members(client: Emulator, what: str, change: Any) -> None:
    def names() -> list[str]:
        with zipfile.ZipFile(io.BytesIO(fetch(url))) as archive:
            return archive.namelist()

    url = url_of("ZIPPED_GEO_TIFF_PER_BAND")
    right = names()
    with client.fault(PIXELS, Damage(what)):
        assert names() == change(right)


@pytest.mark.parametrize(
    ("file_format", "bands", "what"),
    [
        ("GEO_TIFF", ("B3", "B4"), "zip_extra"),
        ("NPY", ("B3", "B4"), "grid_shift"),
        ("GEO_TIFF", ("B3",), "bands"),
    ],
)
def test_a_damage_that_cannot_show_does_not_happen(
    client: Emulator, file_format: str, bands: tuple[str, ...], what: str
) -> None:
    url = url_of(file_format, bands)
    whole = fetch(url)
    with pytest.raises(UnfiredFaultError), client.fault(PIXELS, Damage(what)):
        assert fetch(url) == whole


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("thumbnails.list", Empty()),
        (CREATE, Damage("dtype")),
        (PIXELS, Damage("colour")),
        (CREATE, Expire()),
    ],
)
def test_a_fault_that_makes_no_sense_is_not_armed(
    emulator: Emulator, operation: str, fault: Fault
) -> None:
    with pytest.raises(ValueError, match=r"must be one of|has no"):
        emulator.faults.arm(operation, fault)


def test_faults_are_armed_over_http_too(client: Emulator) -> None:
    url, admin = url_of(), f"{client.url}/emulator/faults"
    body = {"operation": PIXELS, "kind": "status", "code": 429, "retry_after": "1", "times": 2}
    armed = requests.post(admin, json=body, timeout=30)
    assert (armed.status_code, armed.json()["remaining"]) == (201, 2)
    assert requests.get(url, timeout=30).status_code == 429
    (shown,) = requests.get(admin, timeout=30).json()["faults"]
    assert (shown["fired"], shown["remaining"], shown["kind"]) == (1, 1, "status")
    assert requests.delete(admin, timeout=30).status_code == 204
    assert requests.get(url, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"operation": PIXELS, "kind": "flood"}, "kind must be one of"),
        ({"operation": PIXELS, "kind": "status"}, "missing 1 required"),
        ({"operation": PIXELS, "kind": "html", "colour": 1}, "no parameter 'colour'"),
        ({"operation": "x", "kind": "html"}, "operation must be one of"),
        ({"operation": PIXELS, "kind": "html", "times": "2"}, "times must be an integer"),
        ([], "must be a JSON object"),
    ],
)
def test_a_wrong_fault_is_refused_over_http(emulator: Emulator, body: object, text: str) -> None:
    response = requests.post(f"{emulator.url}/emulator/faults", data=json.dumps(body), timeout=30)
    assert response.status_code == 400
    assert text in response.json()["error"]["message"]
