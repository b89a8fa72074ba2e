"""Functions that join two collections: each element of the first with those that it matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.elements import (
    FEATURES,
    Collection,
    Element,
    Feature,
    Filter,
    Join,
    Match,
    property_of,
)


def _apply(session: Session, arguments: Arguments) -> Collection:
    join: Join = arguments["join"]
    primary: Collection = arguments["primary"]
    condition: Filter = arguments["condition"]
    if join.is_measured and condition.measure is None:
        raise invalid_argument(
            "Join.apply: The join needs a condition that measures how far elements are apart: one "
            "Filter.maxDifference or Filter.withinDistance."
        )
    results: list[Element] = []
    for one in primary.elements:
        results += join.unite(one, _matches(condition, one, arguments["secondary"]))
    if join.makes_pairs:
        return Collection(FEATURES, tuple(results))
    return primary.with_elements(tuple(results))


def _matches(condition: Filter, one: Element, secondary: Collection) -> list[Match]:
    found = (other for other in secondary.elements if condition.matches(one, other))
    measure = condition.measure
    return [Match(other, None if measure is None else measure(one, other)) for other in found]


def _simple(session: Session, arguments: Arguments) -> Join:
    return Join(lambda one, matches: [one] if matches else [])


def _inverted(session: Session, arguments: Arguments) -> Join:
    return Join(lambda one, matches: [] if matches else [one])


def _inner(session: Session, arguments: Arguments) -> Join:
    measure_key = arguments["measureKey"]

    def pair(one: Element, match: Match) -> Feature:
        index = "_".join(str(property_of(each, "system:index")) for each in (one, match.element))
        properties: dict[str, Any] = {
            arguments["primaryKey"]: one,
            arguments["secondaryKey"]: match.element,
        }
        if measure_key is not None:
            properties[measure_key] = match.measure
        return Feature(None, {"system:index": index, **properties})

    return Join(
        lambda one, matches: [pair(one, match) for match in matches],
        is_measured=measure_key is not None,
        makes_pairs=True,
    )


def _saving(
    arguments: Arguments, key: str, choose: Callable[[Sequence[Match]], Any], is_measured: bool
) -> Join:
    """Return a join that saves matches in a property.

    :param choose: makes the property's value of the matches, of which there is at least one.
    """

    def unite(one: Element, matches: Sequence[Match]) -> Sequence[Element]:
        if not matches:
            return [one] if arguments["outer"] else []
        return [replace(one, properties={**one.properties, key: choose(matches)})]

    return Join(unite, is_measured)


def _marked(match: Match, measure_key: str | None) -> Element:
    """Return the element of a match, which says how far it is if that has a key."""
    if measure_key is None:
        return match.element
    properties = {**match.element.properties, measure_key: match.measure}
    return replace(match.element, properties=properties)


def _ordered(matches: Sequence[Match], key: str | None, is_ascending: bool) -> list[Match]:
    """Return matches by a property of theirs; those without it come last."""
    if key is None:
        return list(matches)
    known = [match for match in matches if property_of(match.element, key) is not None]
    rest = [match for match in matches if property_of(match.element, key) is None]
    try:
        known.sort(key=lambda match: property_of(match.element, key), reverse=not is_ascending)
    except TypeError:
        raise invalid_argument(f"Join.apply: The values of '{key}' cannot be compared.") from None
    return known + rest


def _save_all(session: Session, arguments: Arguments) -> Join:
    measure_key = arguments["measureKey"]

    def choose(matches: Sequence[Match]) -> list[Element]:
        ordered = _ordered(matches, arguments["ordering"], arguments["ascending"])
        return [_marked(match, measure_key) for match in ordered]

    return _saving(arguments, arguments["matchesKey"], choose, measure_key is not None)


def _save_first(session: Session, arguments: Arguments) -> Join:
    measure_key = arguments["measureKey"]

    def choose(matches: Sequence[Match]) -> Element:
        first = _ordered(matches, arguments["ordering"], arguments["ascending"])[0]
        return _marked(first, measure_key)

    return _saving(arguments, arguments["matchKey"], choose, measure_key is not None)


def _save_best(session: Session, arguments: Arguments) -> Join:
    def choose(matches: Sequence[Match]) -> Element:
        best = min(matches, key=lambda match: match.measure or 0)
        return _marked(best, arguments["measureKey"])

    return _saving(arguments, arguments["matchKey"], choose, True)


_JOINING = "a DAG that brings images of several sensors or times together"
_ORDER = (Parameter("ordering", "String", None), Parameter("ascending", "Boolean", True))
_MEASURE = Parameter("measureKey", "String", None)
_OUTER = Parameter("outer", "Boolean", False)

FUNCTIONS = (
    Function("Join.simple", (), "Join", _JOINING, _simple),
    Function("Join.inverted", (), "Join", _JOINING, _inverted),
    Function(
        "Join.inner",
        (
            Parameter("primaryKey", "String", "primary"),
            Parameter("secondaryKey", "String", "secondary"),
            _MEASURE,
        ),
        "Join",
        _JOINING,
        _inner,
    ),
    Function(
        "Join.saveAll",
        (Parameter("matchesKey", "String"), *_ORDER, _MEASURE, _OUTER),
        "Join",
        _JOINING,
        _save_all,
    ),
    Function(
        "Join.saveFirst",
        (Parameter("matchKey", "String"), *_ORDER, _MEASURE, _OUTER),
        "Join",
        "a DAG that joins images with their cloud probabilities",
        _save_first,
    ),
    Function(
        "Join.saveBest",
        (Parameter("matchKey", "String"), Parameter("measureKey", "String"), _OUTER),
        "Join",
        "a DAG that joins images with what is nearest in time",
        _save_best,
    ),
    Function(
        "Join.apply",
        (
            Parameter("join", "Join"),
            Parameter("primary", "FeatureCollection"),
            Parameter("secondary", "FeatureCollection"),
            Parameter("condition", "Filter"),
        ),
        "FeatureCollection",
        _JOINING,
        _apply,
    ),
)
