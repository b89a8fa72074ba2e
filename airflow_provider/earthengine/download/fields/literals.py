"""Is a field's value already final while the DAG file is parsed, or set only when the task runs?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from airflow_provider.earthengine.download.fields.templates import is_template

_CONTAINERS = list, tuple, set, frozenset, dict


def is_literal(value: Any) -> bool:
    """Return whether nothing in the value is a template, an XComArg or anything else to resolve."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            if is_template(each):
                return False
        elif isinstance(each, _CONTAINERS):
            if id(each) not in seen:
                seen.add(id(each))
                todo.extend(each.values() if isinstance(each, dict) else each)
        elif _is_resolved_later(each):
            return False
    return True


def check_items(
    given: Mapping[Any, Any], known: Set[str], read: Callable[[Mapping[Any, Any]], object]
) -> None:
    """Read each entry of a dict that is a literal, and each that has an unknown key.

    :param read: raises an error for a dict that can never be right; it must not depend on
        combinations of keys.
    """
    for key, value in given.items():
        if key not in known or is_literal(value):
            read({key: value})


def _is_resolved_later(value: Any) -> bool:
    """Return whether Airflow replaces the value when it renders the field.

    It resolves XComArgs and DAG parameters, calls what is callable, and renders the templated
    fields of nested objects. Source: https://github.com/apache/airflow,
    ``task-sdk/src/airflow/sdk/definitions/_internal/templater.py``, release 3.3.2.
    """
    return callable(value) or hasattr(value, "resolve") or hasattr(value, "template_fields")
