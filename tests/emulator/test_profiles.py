"""Who asks for the profile of a computation gets an id with its answer, and nobody else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ee
import pytest
import requests

from tests.support.expected import SENTINEL2_ID

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

ASKING, ANSWERING = "X-Earth-Engine-Computation-Profiling", "X-Earth-Engine-Computation-Profile"
ONE: dict[str, Any] = {"expression": {"result": "0", "values": {"0": {"constantValue": 1}}}}


def compute(emulator: Emulator, **headers: str) -> requests.Response:
    url = f"{emulator.url}/v1/projects/demo/value:compute"
    return requests.post(url, json=ONE, headers=headers, timeout=30)


def test_each_computation_has_an_id_of_its_own(emulator: Emulator) -> None:
    profiles = [compute(emulator, **{ASKING: "1"}).headers[ANSWERING] for _ in range(2)]
    assert len(set(profiles)) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in profiles)
    assert [each.profile for each in emulator.requests] == profiles


def test_nobody_else_gets_one(emulator: Emulator) -> None:
    assert ANSWERING not in compute(emulator).headers
    assert [each.profile for each in emulator.requests] == [None]


def test_what_computes_nothing_has_none(emulator: Emulator) -> None:
    url = f"{emulator.url}/v1/projects/demo/assets"
    answer = requests.get(url, headers={ASKING: "1"}, timeout=30)
    assert ANSWERING not in answer.headers


@pytest.mark.parametrize("value", ["0", "true", "", "2"])
def test_another_value_is_refused(emulator: Emulator, value: str) -> None:
    answer = compute(emulator, **{ASKING: value})
    assert answer.status_code == 400
    assert f"the value {value!r} of the header {ASKING}" in answer.json()["error"]["message"]


def test_the_official_client_is_told_of_each(client: Emulator) -> None:
    told: list[str] = []
    with ee.data.profiling(told.append):
        ee.Image(SENTINEL2_ID).bandNames().getInfo()
    assert told == [each.profile for each in client.requests if each.profile]
    assert len(told) == 1
