"""What the items of a collection have in common: summaries of properties, fields of assets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider.earthengine.download.collection.member import Member
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError

# Properties of few values, and those of which only the range says something.
_VALUES = ("platform", "constellation", "instruments", "gsd")
_RANGES = ("eo:cloud_cover",)
_CODE = re.compile(r"[A-Za-z]+:\w+")
# More different values say nothing any more.
_MOST_VALUES = 100
_EXTENSION = re.compile(r"https://stac-extensions\.github\.io/([a-z-]+)/v[^/]+/schema\.json")
# Where the prefix of an extension's fields is not its name.
_PREFIXES = {"projection": "proj", "scientific": "sci"}


def widen_summaries(summaries: Mapping[str, Any], members: Iterable[Member]) -> dict[str, Any]:
    """Return the summaries, widened by items; those of other fields stay as they are."""
    widened = dict(summaries)
    for member in members:
        for name in _VALUES:
            _add_values(widened, name, _values_of(member.properties.get(name)))
        codes = [grid.crs for grid in member.grids.values() if _CODE.fullmatch(grid.crs)]
        _add_values(widened, "proj:code", codes)
        for name in _RANGES:
            _add_to_range(widened, name, member.properties.get(name))
    return widened


def widen_item_assets(item_assets: Mapping[str, Any], members: Iterable[Member]) -> dict[str, Any]:
    """Return the description of the items' assets; what is there stays."""
    widened = dict(item_assets)
    for member in members:
        for name, asset in member.assets.items():
            widened.setdefault(name, dict(asset))
    return widened


def extensions_of(document: Mapping[str, Any], members: Iterable[Member]) -> list[str]:
    """Return the extensions to declare: those of the items, as far as the document uses them.

    :param document: with what it declares already, summaries and item_assets.
    """
    used = {*_prefixes(document.get("summaries")), *_prefixes(document.get("item_assets"))}
    declared = dict.fromkeys(document.get("stac_extensions") or ())
    for member in members:
        declared.update(
            dict.fromkeys(each for each in member.extensions if _prefix_of(each) in used)
        )
    return list(declared)


def _prefix_of(extension: str) -> str:
    found = _EXTENSION.fullmatch(extension)
    return _PREFIXES.get(found[1], found[1]) if found else ""


def _prefixes(value: Any) -> Iterator[str]:
    """Yield the prefixes of all names in JSON data."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if ":" in name:
                yield name.partition(":")[0]
            yield from _prefixes(each)
    elif isinstance(value, list):
        for each in value:
            yield from _prefixes(each)


def _values_of(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) or _is_number(each)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _add_values(summaries: dict[str, Any], name: str, values: Iterable[Any]) -> None:
    known = summaries.get(name, [])
    if not isinstance(known, list):
        return
    added = [each for each in dict.fromkeys(values) if each not in known]
    if added and len(known) + len(added) <= _MOST_VALUES:
        summaries[name] = sorted([*known, *added], key=lambda each: (isinstance(each, str), each))


def _add_to_range(summaries: dict[str, Any], name: str, value: Any) -> None:
    known = Foreign(summaries.get(name, {"minimum": value, "maximum": value}))
    try:
        least, most = known.at("minimum").finite(), known.at("maximum").finite()
    except ForeignValueError:
        return
    if _is_number(value):
        summaries[name] = {"minimum": min(value, least), "maximum": max(value, most)}
