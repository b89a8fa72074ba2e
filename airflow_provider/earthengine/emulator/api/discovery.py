"""The documents that clients read when they start: the API's description and its functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.emulator.api.methods import resources
from airflow_provider.earthengine.emulator.expressions.functions import FUNCTIONS

# Parameters that every method of a Google API accepts; the emulator refuses by name values of
# ``alt`` other than json. Source: https://cloud.google.com/apis/docs/system-parameters (2025-08).
SYSTEM_PARAMETERS = ("alt", "fields", "key", "prettyPrint", "quotaUser")

VERSIONS = ("v1", "v1alpha")
# Clients recognise by this that a method answers in pages.
_PAGE = {"id": "Page", "type": "object", "properties": {"nextPageToken": {"type": "string"}}}


def discovery_document(root_url: str, version: str) -> dict[str, Any]:
    """Return the description of the API's methods, served or not.

    :param root_url: the emulator's own URL, without a trailing slash.
    :param version: ``v1`` or ``v1alpha``.
    """
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"earthengine:{version}",
        "name": "earthengine",
        "version": version,
        "title": "Google Earth Engine API",
        "protocol": "rest",
        "rootUrl": f"{root_url}/",
        "servicePath": "",
        "baseUrl": f"{root_url}/",
        "batchPath": "batch",
        "parameters": {
            name: {"location": "query", "type": _system_type(name)} for name in SYSTEM_PARAMETERS
        },
        "schemas": {"Any": {"id": "Any", "type": "any"}, "Page": _PAGE},
        "resources": resources(version),
    }


def _system_type(name: str) -> str:
    return "boolean" if name == "prettyPrint" else "string"


@cache
def algorithms_document() -> bytes:
    """Return the list of functions, as JSON.

    The list that the installed client ships for its own tests has every function, so a client can
    express all of them, and the emulator refuses by name those that it does not know. Without that
    client, the emulator's own table is the list.
    """
    client = find_spec("ee")
    for place in (client.submodule_search_locations or []) if client else []:
        shipped = Path(place) / "tests" / "algorithms.json"
        if shipped.is_file():
            return shipped.read_bytes()
    return own_algorithms()


def own_algorithms() -> bytes:
    """Return the list of the emulator's functions, as JSON."""
    table: Mapping[str, Any] = {
        "algorithms": [function.as_algorithm() for function in FUNCTIONS.values()]
    }
    return json.dumps(table).encode()
