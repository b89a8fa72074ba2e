"""A program of Earth Engine -> the assets that it loads, and the bands that it only selects.

The program is what ``ee.Image.serialize()`` returns, parsed. Nothing here fails: of what is not
understood, nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LOADERS = frozenset({"Image.load", "ImageCollection.load", "Collection.loadTable"})
# A selector of these characters is a name; others are patterns.
_NAME = re.compile(r"\w+", re.ASCII)
_MAX_DEPTH = 200
_MAX_NODES = 1_000_000


@dataclass(frozen=True)
class BandOrigin:
    """The band of an asset whose pixels another band has."""

    asset_id: str
    band_id: str


def assets_of(program: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the images, collections and tables that the program loads, in order.

    Those whose ids are computed are missing.
    """
    values = _mapping(program.get("values"))
    found: dict[str, None] = {}
    for node in _nodes(values):
        call = _mapping(node.get("functionInvocationValue"))
        if call.get("functionName") in _LOADERS:
            for name in ("id", "tableId"):
                asset_id = _constant(_mapping(call.get("arguments")).get(name), values)
                if isinstance(asset_id, str) and asset_id:
                    found[asset_id] = None
    return tuple(found)


def origins_of(program: Mapping[str, Any], band_ids: tuple[str, ...]) -> dict[str, BandOrigin]:
    """Return the origin of each band that is selected without a computation; others are missing.

    :param band_ids: the bands of the image that the program makes.
    """
    values, result = _mapping(program.get("values")), program.get("result")
    if not isinstance(result, str):
        return {}
    bands = _Tracer(values).trace({"valueReference": result})
    origins = {band_id: bands.find(band_id) for band_id in band_ids}
    return {band_id: origin for band_id, origin in origins.items() if origin is not None}


@dataclass(frozen=True)
class _Bands:
    """The bands of a traced image.

    :param find: returns the origin of a band, if it is known.
    :param names: all bands in order; None if they are not known.
    """

    find: Callable[[str], BandOrigin | None]
    names: tuple[str, ...] | None = None


_UNKNOWN = _Bands(lambda _: None)


class _Tracer:
    """Traces the images of one program, each once: programs share them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._traced: dict[str, _Bands] = {}

    def trace(self, node: Any, depth: int = _MAX_DEPTH) -> _Bands:
        """Return the bands of the image that a node of the program makes."""
        reference = _mapping(node).get("valueReference")
        if not isinstance(reference, str):
            return self._trace_call(_mapping(node), depth)
        if reference not in self._traced:
            # A program that refers to itself makes no image.
            self._traced[reference] = _UNKNOWN
            self._traced[reference] = self.trace(self._values.get(reference), depth - 1)
        return self._traced[reference]

    def _trace_call(self, node: Mapping[str, Any], depth: int) -> _Bands:
        call = _mapping(node.get("functionInvocationValue"))
        name, arguments = call.get("functionName"), _mapping(call.get("arguments"))
        if depth <= 0 or not isinstance(name, str):
            return _UNKNOWN
        if name == "Image.load":
            return _loaded(_constant(arguments.get("id"), self._values))
        if name == "Image.addBands" and not {"names", "overwrite"} & set(arguments):
            parts = [arguments.get(each) for each in ("dstImg", "srcImg")]
            return _joined(*(self.trace(part, depth - 1) for part in parts))
        if name not in _TRACED:
            return _UNKNOWN
        bands = self.trace(arguments.get(_TRACED[name]), depth - 1)
        if name == "Image.select":
            return _selected(bands, arguments, self._values)
        if name == "Image.rename":
            return _renamed(bands, bands.names, _names(arguments.get("names"), self._values))
        return bands


# Functions that change no pixel, and the argument with the image whose bands they return.
_TRACED = {
    "Image.select": "input",
    "Image.rename": "input",
    "Image.clip": "input",
    "Element.set": "object",
    "Element.setMulti": "object",
    "Element.copyProperties": "destination",
}


def _loaded(asset_id: Any) -> _Bands:
    if not isinstance(asset_id, str):
        return _UNKNOWN
    return _Bands(lambda band_id: BandOrigin(asset_id, band_id))


def _selected(bands: _Bands, arguments: Mapping[str, Any], values: Mapping[str, Any]) -> _Bands:
    selected = _names(arguments.get("bandSelectors"), values)
    given = arguments.get("newNames")
    return _renamed(bands, selected, selected if given is None else _names(given, values))


def _renamed(
    bands: _Bands, selected: tuple[str, ...] | None, names: tuple[str, ...] | None
) -> _Bands:
    """Return those of the bands that are selected, under their new names."""
    # A band that is selected twice gets another name.
    if names is None or len(set(names)) < len(names):
        return _UNKNOWN
    is_known = selected is not None and len(selected) == len(names)
    if selected is None or not is_known or not set(selected) <= set(bands.names or selected):
        return _Bands(lambda _: None, names)
    old = dict(zip(names, selected, strict=True))
    return _Bands(lambda name: bands.find(old[name]) if name in old else None, names)


def _joined(first: _Bands, second: _Bands) -> _Bands:
    """Return the bands of both; the first keep their names, a second of the same gets another."""
    own, added = first.names, second.names
    is_apart = own is not None and added is not None and not set(own) & set(added)

    def find(name: str) -> BandOrigin | None:
        if own is not None and name in own:
            return first.find(name)
        if is_apart:
            return second.find(name)
        # It is the first's if it cannot be one of the second, under its own or another name.
        if own is None and added is not None and not _may_be_of(name, added):
            return first.find(name)
        return None

    return _Bands(find, (*own, *added) if own and added and is_apart else None)


def _may_be_of(name: str, names: tuple[str, ...]) -> bool:
    """Return whether a band may be one of these, with or without a number behind the name."""
    return any(name == each or name.startswith(f"{each}_") for each in names)


def _names(node: Any, values: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return a list of plain names; None for anything else, such as a pattern or a number."""
    given = _constant(node, values)
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not listed:
        return None
    if not all(isinstance(each, str) and _NAME.fullmatch(each) for each in listed):
        return None
    return tuple(listed)


def _constant(node: Any, values: Mapping[str, Any]) -> Any:
    """Return the plain value of a node, or None if it is computed."""
    node = _resolved(_mapping(node), values)
    if "constantValue" in node:
        return node["constantValue"]
    parts = _mapping(node.get("arrayValue")).get("values")
    if not isinstance(parts, list):
        return None
    return [_resolved(_mapping(part), values).get("constantValue") for part in parts]


def _resolved(node: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the node, or the one that it refers to."""
    for _ in range(_MAX_DEPTH):
        reference = node.get("valueReference")
        if not isinstance(reference, str):
            return node
        node = _mapping(values.get(reference))
    return {}


def _nodes(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every object in the program, in the order in which it is written."""
    waiting: list[Any] = [values]
    for _ in range(_MAX_NODES):
        if not waiting:
            return
        node = waiting.pop()
        if isinstance(node, Mapping):
            yield node
            waiting += reversed(list(node.values()))
        elif isinstance(node, list | tuple):
            waiting += reversed(node)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
