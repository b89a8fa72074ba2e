"""What a wait and its conditions mean."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider.earthengine.catalog.property_conditions import PropertyCondition
from airflow_provider.earthengine.catalog.waiting import read_quiet_seconds
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.unit.hooks.conftest import home, hook, make_hook, no_session_left, server, sleeps

__all__ = ["home", "hook", "make_hook", "no_session_left", "server", "sleeps"]  # fixtures


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (None, 0.0), (0, 0.0), (90, 90.0), (timedelta(seconds=90), 90.0),
        (timedelta(days=2), 172_800.0), (timedelta(days=1, hours=1), 90_000.0),
        (timedelta(milliseconds=500), 0.5), (timedelta(days=365), 31_536_000.0),
    ],
)  # fmt: skip
def test_a_quiet_period_is_its_whole_length(written: Any, seconds: float) -> None:
    assert read_quiet_seconds(written) == seconds


@pytest.mark.parametrize("written", [timedelta(days=366), timedelta(days=-1), "soon", True])
def test_what_is_no_quiet_period_is_refused(written: Any) -> None:
    with pytest.raises(DownloadParamsError, match="quiet_period is"):
        read_quiet_seconds(written)


# The client says "at most" as "not more than".
@pytest.mark.slow
@pytest.mark.parametrize(
    ("operator", "functions"),
    [
        ("eq", ["equals"]), ("lt", ["lessThan"]), ("gt", ["greaterThan"]),
        ("lte", ["not", "greaterThan"]), ("gte", ["not", "lessThan"]), ("neq", ["not", "equals"]),
    ],
)  # fmt: skip
def test_each_comparison_is_the_filter_of_its_name(
    hook: EarthEngineHook, operator: str, functions: list[str]
) -> None:
    hook.get_conn()
    text = PropertyCondition("A", operator, 20).to_ee().serialize()
    assert re.findall(r"Filter\.(\w+)", text) == functions
