"""What a hook counts of its requests, and the profiles that it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.usage import MOST_PROFILES, Usage
from airflow_provider.earthengine.exceptions import QuotaExceededError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.unit.hooks.conftest import Connect, Extra
from tests.unit.hooks.scripted_earthengine import (
    COMPUTE,
    EXCHANGE,
    IMPERSONATE,
    THUMBNAILS,
    TOKEN,
    Answer,
    ScriptedEarthEngine,
    google_error,
)

ASKING, ANSWERING = "x-earth-engine-computation-profiling", "X-Earth-Engine-Computation-Profile"
BUSY = google_error(429, "Too Many Requests")


def profiled(profile: str) -> Answer:
    return Answer(body={"result": 1}, headers={ANSWERING: profile})


def test_every_try_and_what_opens_the_session_is_counted(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    server.answer(COMPUTE, BUSY, BUSY)
    hook.compute_value(hook.get_conn().Number(1))
    assert hook.meter.usage == Usage(requests=len(server.requests), refusals=2)


def test_refusals_count_when_nothing_helps(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    server.answer(COMPUTE, BUSY, BUSY, BUSY)
    ee = hook.get_conn()
    with pytest.raises(QuotaExceededError):
        hook.compute_value(ee.Number(1))
    assert hook.meter.usage.refusals == 3


def test_a_hook_that_tries_once_counts_for_its_maker(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    ee = hook.get_conn()
    before = hook.meter.usage.requests
    hook.trying_once().get_download_id({"image": ee.Image("a/b")})
    assert hook.meter.usage.requests == before + 1


@pytest.mark.parametrize("way", ["service_account", "federation_as_account"])
def test_requests_for_tokens_are_not_counted(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Extra], way: str
) -> None:
    hook = connect(ways[way])
    hook.get_conn()
    tokens = sum(server.count(each) for each in (TOKEN, EXCHANGE, IMPERSONATE))
    assert tokens > 0
    assert hook.meter.usage.requests == len(server.requests) - tokens


def test_profiles_are_asked_for_only_when_wanted(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    ee = hook.get_conn()
    server.answer(COMPUTE, profiled("unwanted"), profiled("p/1+x="), Answer(body={"result": 1}))
    hook.compute_value(ee.Number(1))
    hook.meter.asks_profiles = True
    hook.compute_value(ee.Number(1))
    hook.compute_value(ee.Number(1))
    hook.get_download_id({"image": ee.Image("a/b")})
    asked = [headers.get(ASKING) for what, headers in server.requests if what == COMPUTE]
    assert asked == [None, "1", "1"]
    (created,) = [headers for what, headers in server.requests if what == THUMBNAILS]
    assert created[ASKING] == "1"
    # Nothing is recorded that did not come.
    assert hook.meter.usage.profiles == ("p/1+x=",)


def test_a_refused_computation_has_a_profile_too(
    server: ScriptedEarthEngine, hook: EarthEngineHook
) -> None:
    ee = hook.get_conn()
    hook.meter.asks_profiles = True
    server.answer(COMPUTE, Answer(BUSY.status, BUSY.body, {ANSWERING: "first"}), profiled("second"))
    hook.compute_value(ee.Number(1))
    assert hook.meter.usage.profiles == ("first", "second")


@pytest.mark.parametrize("profile", ["", " ", "two words", "x" * 201, "caf\xe9"])
def test_what_is_no_id_is_not_recorded(
    server: ScriptedEarthEngine, hook: EarthEngineHook, profile: str
) -> None:
    ee = hook.get_conn()
    hook.meter.asks_profiles = True
    server.answer(COMPUTE, profiled(profile))
    assert hook.compute_value(ee.Number(1)) == 1
    assert hook.meter.usage.profiles == ()


def test_only_so_many_profiles_are_kept() -> None:
    usage = Usage()
    for number in range(MOST_PROFILES + 5):
        usage += Usage(profiles=(str(number),))
    assert len(usage.profiles) == MOST_PROFILES
    assert usage.profiles[-1] == str(MOST_PROFILES - 1)


class Collector:
    """Airflow's hook lineage collector, as far as it is used here."""

    def __init__(self) -> None:
        self.inputs: list[str] = []

    def add_input_asset(self, context: Any, uri: str) -> None:
        assert isinstance(context, EarthEngineHook)
        self.inputs.append(uri)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    from airflow.providers.common.compat.lineage import hook as lineage

    made = Collector()
    # Airflow makes the real one once in a process, and only if a plugin reads it: see
    # test_airflow_is_told.py, where one does.
    monkeypatch.setattr(lineage, "get_hook_lineage_collector", lambda: made)
    return made


def test_what_is_computed_through_a_hook_is_reported_as_read(
    server: ScriptedEarthEngine, hook: EarthEngineHook, collector: Collector
) -> None:
    ee = hook.get_conn()
    hook.compute_value(ee.Image("A/b").add(ee.Image("projects/p/assets/c")).bandNames())
    hook.get_download_id({"image": ee.Image("A/d")})
    hook.compute_value(ee.Number(1))
    assert collector.inputs == [
        "earthengine://A/b",
        "earthengine://projects/p/assets/c",
        "earthengine://A/d",
    ]


def test_a_download_reports_by_itself_and_not_for_each_tile(
    server: ScriptedEarthEngine, hook: EarthEngineHook, collector: Collector
) -> None:
    ee = hook.get_conn()
    hook.trying_once().get_download_id({"image": ee.Image("A/d")})
    assert collector.inputs == []
