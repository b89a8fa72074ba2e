"""What a project may ask for at once: concurrency, rate, and pixels in memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ee
import pytest
import requests

from airflow_provider.earthengine.emulator.access.quotas import TOO_MANY_REQUESTS, Quotas
from airflow_provider.earthengine.emulator.faults import Latency
from airflow_provider.earthengine.emulator.server import serve
from tests.emulator.official_client import get, initialised
from tests.support.expected import SENTINEL2_ID

CATALOG = Path(__file__).parents[1] / "data/catalog"
BODY = {"expression": {"result": "0", "values": {"0": {"constantValue": 1}}}}


def test_a_burst_is_refused_until_a_second_has_passed() -> None:
    now = [1_800_000_000.0]
    quotas = Quotas(requests_per_second=3)
    with serve(None, quotas=quotas, clock=lambda: now[0]) as emulator:
        url = f"{emulator.url}/v1/projects/demo/value:compute"
        answers = [requests.post(url, json=BODY, timeout=30) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        error = answers[3].json()["error"]
        assert (error["status"], error["message"]) == ("RESOURCE_EXHAUSTED", TOO_MANY_REQUESTS)
        now[0] += 1
        assert requests.post(url, json=BODY, timeout=30).status_code == 200


def test_more_requests_at_once_are_refused() -> None:
    asset = {
        "id": "big",
        "kind": "formula",
        "bands": [
            {
                "id": "b",
                "dtype": "uint16",
                "crs": "EPSG:32610",
                "crs_transform": [10, 0, 500000, 0, -10, 4200000],
                "dimensions": [3000, 3000],
            }
        ],
    }
    with serve(None, quotas=Quotas(concurrent_requests=1)) as emulator:
        emulator.put_asset(asset)
        url = f"{emulator.url}/v1/projects/demo/assets/big:getPixels"
        body = {"fileFormat": "GEO_TIFF"}
        public = url.replace("projects/demo/assets", "projects/earthengine-public/assets")
        with ThreadPoolExecutor(4) as pool:
            codes = sorted(
                pool.map(lambda _: requests.post(public, json=body, timeout=60).status_code, "1234")
            )
    assert codes[0] == 200
    assert codes[-1] == 429


def test_latency_holds_no_place() -> None:
    with serve(None, quotas=Quotas(concurrent_requests=1)) as emulator:
        url = f"{emulator.url}/v1/projects/demo/value:compute"
        emulator.faults.arm("value:compute", Latency(0.5))
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(requests.post, url, json=BODY, timeout=30)
            while emulator.faults.armed()[0].remaining:
                threading.Event().wait(0.01)
            assert requests.post(url, json=BODY, timeout=30).status_code == 200
            assert slow.result().status_code == 200


def test_the_most_requests_at_once_are_counted() -> None:
    with serve(None) as emulator:
        url = f"{emulator.url}/v1/projects/demo/value:compute"
        emulator.faults.arm("value:compute", Latency(0.5), times=3)
        with ThreadPoolExecutor(3) as pool:
            codes = pool.map(lambda _: requests.post(url, json=BODY, timeout=30).status_code, "123")
        assert list(codes) == [200] * 3
        assert emulator.most_at_once == 3
        emulator.clear_requests()
        assert requests.post(url, json=BODY, timeout=30).status_code == 200
        assert emulator.most_at_once == 1


@pytest.mark.parametrize(("side", "code"), [(30, 200), (31, 400)])
def test_more_pixels_than_memory_holds_are_refused_when_fetched(side: int, code: int) -> None:
    window = {"crs": "EPSG:32610", "crs_transform": [10, 0, 499980, 0, -10, 4200000]}
    params = {"image": ee.Image, "format": "NPY", "dimensions": [side, 30], **window}
    with (
        serve(CATALOG, quotas=Quotas(pixels=900)) as emulator,
        initialised(emulator.url),
    ):
        response = get(**params | {"image": ee.Image(SENTINEL2_ID).select("B3")})
    assert response.status_code == code
    if code == 400:
        assert response.json()["error"]["message"] == "User memory limit exceeded."
