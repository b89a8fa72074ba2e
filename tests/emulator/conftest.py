"""An emulator of the test catalogue with the official client on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.emulator.official_client import initialised

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Emulator]:
    """Initialise the official client against the session's emulator, and return that."""
    with initialised(emulator.url):
        yield emulator
