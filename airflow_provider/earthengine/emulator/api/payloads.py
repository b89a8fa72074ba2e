"""Request bodies and query parameters, checked as strictly as the real API checks them."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

from airflow_provider.earthengine.emulator.api.discovery import SYSTEM_PARAMETERS
from airflow_provider.earthengine.emulator.expressions.evaluate import Algorithm
from airflow_provider.earthengine.emulator.expressions.functions.signatures import type_name
from airflow_provider.earthengine.emulator.replies import (
    bad_field,
    invalid_argument,
    unknown_field,
    unsupported,
)
from airflow_provider.earthengine.emulator.values.elements import (
    Collection,
    Date,
    DateRange,
    Feature,
    Filter,
    Join,
    Reducer,
)
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.images import Image
from airflow_provider.earthengine.emulator.values.projections import Projection, is_wkt


def parse_body(
    content: bytes, served: Container[str], refused: Container[str] = ()
) -> dict[str, Any]:
    """Return the fields of a JSON body that are not null, as protocol buffers read JSON.

    :param served: the fields that the emulator understands.
    :param refused: the other fields of the real message.
    :raises ApiError: if the body is not a JSON object, or has any other field.
    """
    try:
        body = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise bad_field("", "Invalid JSON payload received. Unexpected token.") from None
    if not isinstance(body, dict):
        raise bad_field("", "Invalid JSON payload received. Expected an object.")
    fields = {name: value for name, value in body.items() if value is not None}
    for name in fields:
        if name in refused:
            raise unsupported(f"the field '{name}'")
        if name not in served:
            raise unknown_field(name)
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def take_text(fields: Mapping[str, Any], name: str) -> str | None:
    """Return an optional text field."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise _bad_text(name, value)
    return value


def take_texts(fields: Mapping[str, Any], name: str) -> list[str]:
    """Return an optional field with a list of texts."""
    values = fields.get(name, [])
    if not isinstance(values, list):
        raise _bad_text(name, values)
    for value in values:
        if not isinstance(value, str):
            raise _bad_text(name, value)
    return values


def _bad_text(name: str, value: object) -> Exception:
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return bad_field(snake, f"Invalid value at '{snake}' (TYPE_STRING), {json.dumps(value)}")


def check_query(
    parameters: Mapping[str, str], known: Container[str] = (), any_alt: bool = False
) -> None:
    """Refuse query parameters that the method does not have.

    :param any_alt: whether ``alt`` may be anything, because the body is not JSON anyway.
    """
    for name, value in parameters.items():
        if name not in SYSTEM_PARAMETERS and name not in known:
            raise bad_field(
                "",
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query '
                f"parameter. Field '{name}' could not be found in request message.",
            )
        if name == "alt" and value != "json" and not any_alt:
            raise unsupported(f"the query parameter alt={value}")
        if name == "fields" and not _is_plain_mask(value):
            raise unsupported(f"the field mask {value[:100]!r}")


def keep_fields(document: Mapping[str, Any], mask: str | None) -> dict[str, Any]:
    """Return the fields of a response that the ``fields`` parameter selects.

    Source: https://cloud.google.com/apis/docs/system-parameters (2025-08).
    """
    if mask is None or mask == "*":
        return dict(document)
    return {name: value for name, value in document.items() if name in mask.split(",")}


def _is_plain_mask(mask: str) -> bool:
    """Return whether a field mask selects all fields, or only names top-level ones."""
    return mask == "*" or all(name.isidentifier() for name in mask.split(","))


def as_result(value: object) -> Any:
    """Return a computed value as ``value:compute`` shows it."""
    if isinstance(value, Projection):
        return {
            "type": "Projection",
            "wkt" if is_wkt(value.crs) else "crs": value.crs,
            "transform": list(value.transform)[:6],
        }
    if isinstance(value, Algorithm | Filter | Join | Reducer):
        raise unsupported(f"{type_name(value)} as the type of a result of value:compute")
    if isinstance(value, Geometry | Date | DateRange):
        return value.as_json()
    if isinstance(value, Image | Feature | Collection):
        return as_result(value.as_json())  # a property may be an element, as after a join
    if isinstance(value, list):
        return [as_result(item) for item in value]
    if isinstance(value, dict):
        return {name: as_result(item) for name, item in value.items()}
    return value


def require_image(value: object) -> Image:
    """Return the value of a download's expression, which must be an image."""
    if not isinstance(value, Image):
        raise invalid_argument("Expression does not evaluate to an Image.")
    return value
