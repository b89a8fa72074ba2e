"""An emulator of the test catalog with the official client on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.emulator.official_client import ensure_initialised, reset

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator


@pytest.fixture(scope="module", autouse=True)
def _reset_client() -> Iterator[None]:
    """Leave no initialised client to other tests."""
    yield
    reset()


@pytest.fixture
def client(emulator: Emulator) -> Emulator:
    """Initialise the official client against the session's emulator, and return that.

    Starting it takes a tenth of a second, so the tests of a module share it.
    """
    ensure_initialised(emulator.url)
    emulator.clear_requests()
    return emulator
