"""A scripted Earth Engine, a hook connected to it, and no session left behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider.earthengine.download.retry import RetryPolicy
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.session import SESSION
from tests.unit.hooks.scripted_earthengine import ScriptedEarthEngine, scripted_earthengine

HookMaker = Callable[..., EarthEngineHook]


@pytest.fixture(autouse=True)
def no_session_left() -> Iterator[None]:
    SESSION.close()
    yield
    SESSION.close()


@pytest.fixture
def server() -> Iterator[ScriptedEarthEngine]:
    with scripted_earthengine() as running:
        yield running


@pytest.fixture
def sleeps() -> list[float]:
    """The waits between two tries, in seconds, instead of waiting."""
    return []


@pytest.fixture
def make_hook(monkeypatch: pytest.MonkeyPatch, sleeps: list[float]) -> HookMaker:
    """Return what makes a hook for an anonymous connection to a URL."""

    def make(url: str, *, conn_id: str = "scripted", **hook: Any) -> EarthEngineHook:
        extra = {"project": "demo", "endpoint_url": url, "auth": "anonymous"}
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{conn_id.upper()}",
            json.dumps({"conn_type": "earthengine", "extra": extra}),
        )
        policy = RetryPolicy(attempts=3, sleep=sleeps.append, uniform=lambda _low, high: high)
        return EarthEngineHook(conn_id, **{"retry_policy": policy, **hook})

    return make


@pytest.fixture
def hook(make_hook: HookMaker, server: ScriptedEarthEngine) -> Iterator[EarthEngineHook]:
    with make_hook(server.url) as made:
        yield made
