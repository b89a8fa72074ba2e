"""A program -> the ids of the assets that it loads, as far as they are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.download.fields.asset_id import find_asset_id

# Source: https://developers.google.com/earth-engine/apidocs, read 2026-11.
_LOADS_IMAGE = frozenset({"Image.load"})
_LOADS_COLLECTION = frozenset({"ImageCollection.load"})


def loaded_images(expression: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the images that a program loads by their own ids, in order."""
    return _loaded(expression, _LOADS_IMAGE)


def loaded_collections(expression: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the image collections that a program loads, in order."""
    return _loaded(expression, _LOADS_COLLECTION)


def _loaded(expression: Mapping[str, Any], functions: frozenset[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    values = expression.get("values")
    # A program may be deeper than Python recurses.
    rest: list[Any] = [expression]
    while rest:
        node = rest.pop()
        if isinstance(node, Mapping):
            call = node.get("functionInvocationValue")
            if isinstance(call, Mapping) and call.get("functionName") in functions:
                asset_id = _constant(call, values)
                if asset_id:
                    found[asset_id] = None
            rest.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            rest.extend(reversed(node))
    return tuple(found)


def _constant(call: Mapping[str, Any], values: Any) -> str | None:
    """Return the asset id that a call names by a constant; None if it is computed."""
    arguments = call.get("arguments")
    given = arguments.get("id") if isinstance(arguments, Mapping) else None
    if isinstance(given, Mapping) and isinstance(values, Mapping) and "valueReference" in given:
        given = values.get(given["valueReference"])
    return find_asset_id(given.get("constantValue")) if isinstance(given, Mapping) else None
