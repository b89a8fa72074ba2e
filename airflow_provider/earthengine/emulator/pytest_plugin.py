"""Fixtures for testing DAGs without Earth Engine: an emulator, and a connection to it.

pytest loads this module in every run in an environment that has the package, so it imports only
the standard library and pytest until a test requests a fixture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator

_CATALOG = "earthengine_emulator_catalog"
_PROJECT = "earthengine_emulator_project"
CONNECTION_ID = "earthengine_default"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of a project's pytest configuration."""
    parser.addini(
        _CATALOG,
        "directory of the assets that the Earth Engine emulator serves, relative to the rootdir",
        default="",
    )
    parser.addini(
        _PROJECT, "the Google Cloud project that callers of the emulator may use", default="demo"
    )


@pytest.fixture(scope="session")
def earthengine_emulator_server(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """Run one emulator for the whole session; tests use ``earthengine_emulator``."""
    try:
        from airflow_provider.earthengine.emulator.server import serve
    except ImportError as error:
        raise pytest.UsageError(
            f"{error}: the fixtures of the Earth Engine emulator need "
            "airflow-provider-earthengine[emulator]"
        ) from error
    folder = pytestconfig.getini(_CATALOG)
    catalog = pytestconfig.rootpath / Path(folder) if folder else None
    with serve(catalog, pytestconfig.getini(_PROJECT)) as emulator:
        yield emulator


@pytest.fixture
def earthengine_emulator(earthengine_emulator_server: Emulator) -> Iterator[Emulator]:
    """Provide an emulator with an empty request log, and the assets of the catalog.

    Afterwards, faults that were armed but did not happen fail the test; assets that it added,
    replaced or removed are restored.
    """
    emulator = earthengine_emulator_server
    emulator.clear_requests()
    with emulator.restored_assets():
        try:
            yield emulator
            emulator.faults.assert_all_fired()
        finally:
            emulator.faults.clear()


@pytest.fixture
def earthengine_connection(
    earthengine_emulator: Emulator,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Provide the id of an Airflow connection to the emulator: ``earthengine_default``."""
    extra = {
        "project": pytestconfig.getini(_PROJECT),
        "endpoint_url": earthengine_emulator.url,
        "auth": "anonymous",
    }
    connection = json.dumps({"conn_type": "earthengine", "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION_ID.upper()}", connection)
    return CONNECTION_ID
