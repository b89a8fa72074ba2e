"""A user's dict -> conditions on the properties of images, as filters of Earth Engine."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider.earthengine.download.fields.literals import check_items
from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_json,
    read_number,
    read_text,
    shown,
    shown_names,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

_COMPARISONS = ("lt", "lte", "gt", "gte")
_OPERATORS = ("eq", "neq", *_COMPARISONS, "in")
_FORMS = (
    "write a dict such as {'CLOUDY_PIXEL_PERCENTAGE': {'lt': 20}, 'MGRS_TILE': '10SEG'}: a value "
    f"that the property equals, a list of such values, or a dict of {', '.join(_OPERATORS)}"
)


@dataclass(frozen=True)
class PropertyCondition:
    """One comparison of a property.

    :param operator: eq, neq, lt, lte, gt, gte, or in.
    :param value: a number or text; for "in", a tuple of these.
    """

    property_name: str
    operator: str
    value: Any

    def to_ee(self) -> Any:
        """Return the ``ee.Filter``; needs an initialised session."""
        import ee

        if self.operator == "in":
            return ee.Filter.inList(self.property_name, list(self.value))
        return getattr(ee.Filter, self.operator)(self.property_name, self.value)


def read_conditions(value: Any) -> tuple[PropertyCondition, ...]:
    """Return the conditions in a user's dict, or in JSON text of one.

    :raises DownloadParamsError: if one is not a valid condition.
    """
    given = {} if is_unset(value) else read_json("filters", value)
    if not isinstance(given, Mapping):
        raise _wrong(f"filters is {shown(value)}")
    return tuple(
        condition for name, wanted in given.items() for condition in _read_property(name, wanted)
    )


def check_conditions_in_part(given: Mapping[Any, Any], is_literal: Callable[[Any], bool]) -> None:
    """Raise if an operator, or a value that is a literal, can never be right.

    :raises DownloadParamsError: if one cannot.
    """
    for name, wanted in given.items():
        if is_literal(wanted):
            read_conditions({name: wanted})
        elif isinstance(wanted, Mapping):
            check_items(wanted, frozenset(_OPERATORS), partial(_read_condition, name))


def _read_condition(name: str, condition: Mapping[Any, Any]) -> tuple[PropertyCondition, ...]:
    return read_conditions({name: condition})


def _read_property(name: Any, wanted: Any) -> Iterator[PropertyCondition]:
    name = read_text("a property in filters", name)
    wanted = read_json(f"filters[{shown(name)}]", wanted)
    if isinstance(wanted, list | tuple):
        wanted = {"in": wanted}
    elif not isinstance(wanted, Mapping):
        wanted = {"eq": wanted}
    if not wanted:
        raise _wrong(f"filters has no condition for {shown(name)}")
    for operator, value in wanted.items():
        yield PropertyCondition(name, _read_operator(name, operator), _read(name, operator, value))


def _read_operator(name: str, operator: Any) -> str:
    if operator in _OPERATORS:
        return str(operator)
    nearest = difflib.get_close_matches(str(operator), _OPERATORS, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"use one of {', '.join(_OPERATORS)}."
    raise DownloadParamsError(
        f"filters compares {shown_names([name])} by {shown(operator)}; {hint}", field="filters"
    )


def _read(name: str, operator: str, value: Any) -> Any:
    if operator == "in":
        if not isinstance(value, list | tuple) or not value:
            raise _wrong(f"filters compares {shown_names([name])} with {shown(value)} by 'in'")
        return tuple(_read(name, "eq", each) for each in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(f"filters compares {shown_names([name])} with {shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(
            f"filters compares {shown_names([name])} with {value}, which is no finite number"
        )
    return _number_of(value) if operator in _COMPARISONS else value


def _number_of(value: str | float) -> str | float:
    """Return a number for text that holds one: comparing the order of texts is rarely intended."""
    try:
        return read_number("filters", value)
    except DownloadParamsError:
        return value


def _wrong(found: str) -> DownloadParamsError:
    return DownloadParamsError(f"{found}; {_FORMS}.", field="filters")
