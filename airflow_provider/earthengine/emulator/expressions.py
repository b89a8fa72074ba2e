"""Evaluates Earth Engine expressions: a graph of values and calls, each node once.

Source: https://developers.google.com/earth-engine/reference/rest/v1/Expression (2025-08).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider.earthengine.emulator.replies import (
    ApiError,
    bad_field,
    invalid_argument,
    unknown_field,
    unsupported,
)

# Calls inside calls; what the official client builds for 1,024 bands nests 1,024 deep.
DEEPEST_NESTING = 2000

_KINDS = (
    "constantValue",
    "integerValue",
    "bytesValue",
    "arrayValue",
    "dictionaryValue",
    "functionDefinitionValue",
    "functionInvocationValue",
    "argumentReference",
    "valueReference",
)
_REFUSED = {
    "bytesValue": "values of bytes (bytesValue)",
    "functionDefinitionValue": "functions defined by the caller (functionDefinitionValue)",
    "argumentReference": "arguments of functions defined by the caller (argumentReference)",
}

Node = Mapping[str, Any]
Invoke = Callable[[str, Mapping[str, Any]], Any]


def evaluate(expression: object, invoke: Invoke) -> Any:
    """Returns the value of an expression.

    :param expression: the JSON object with ``result`` and ``values``.
    :param invoke: calls a function by its name with its arguments by their names.
    :raises ApiError: for a malformed expression, and for what ``invoke`` refuses.
    """
    if not isinstance(expression, dict):
        raise _malformed(expression)
    for name in expression:
        if name not in {"result", "values"}:
            raise unknown_field(name, "expression")
    values, result = expression.get("values"), expression.get("result")
    if not isinstance(values, dict) or not isinstance(result, str):
        raise _malformed(expression)
    return _Evaluation(values, invoke).value_of({"valueReference": result})


def _malformed(value: object) -> ApiError:
    """Source: text of the real service for a bad ``expression`` field, seen in 2026."""
    shown = repr(value)[:60]
    return bad_field(
        "expression",
        "Invalid value at 'expression' "
        f"(type.googleapis.com/google.earthengine.v1.Expression), {shown}",
    )


class _Evaluation:
    """One evaluation, on a stack of its own: deep expressions must not exhaust Python's."""

    def __init__(self, values: Mapping[str, Any], invoke: Invoke) -> None:
        self._values = values
        self._invoke = invoke
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def value_of(self, root: Node) -> Any:
        # A node is met twice: on the way down its children are put above it, on the way up, when
        # they all have values, it gets its own.
        stack: list[Node] = [root]
        while stack:
            node = stack[-1]
            if id(node) in self._done:
                stack.pop()
                continue
            kind, content = _kind_and_content(node)
            children = list(self._children(kind, content))
            waiting = [child for child in children if id(child) not in self._done]
            if not waiting:
                self._done[id(node)] = self._combine(kind, content)
                self._open.discard(id(node))
                stack.pop()
                continue
            if id(node) in self._open:
                raise invalid_argument("Expression is invalid: it refers to itself.")
            self._open.add(id(node))
            if len(self._open) > DEEPEST_NESTING:
                raise invalid_argument(
                    f"Expression is invalid: nested more than {DEEPEST_NESTING} calls deep."
                )
            stack.extend(reversed(waiting))
        return self._done[id(root)]

    def _children(self, kind: str, content: Any) -> list[Node]:
        if kind == "valueReference":
            if content not in self._values:
                raise invalid_argument(f"Expression is invalid: no value {content!r}.")
            return [self._values[content]]
        if kind == "arrayValue":
            return list(_field(content, "values", list, kind))
        if kind == "dictionaryValue":
            return list(_field(content, "values", dict, kind).values())
        if kind == "functionInvocationValue":
            _function_name(content)
            return list(content.get("arguments", {}).values())
        return []

    def _combine(self, kind: str, content: Any) -> Any:
        if kind == "constantValue":
            return content
        if kind == "integerValue":
            return _integer(content)
        if kind == "valueReference":
            return self._done[id(self._values[content])]
        if kind == "arrayValue":
            return [self._done[id(child)] for child in content.get("values", [])]
        if kind == "dictionaryValue":
            values = content.get("values", {})
            return {name: self._done[id(child)] for name, child in values.items()}
        arguments = content.get("arguments", {})
        return self._invoke(
            _function_name(content),
            {name: self._done[id(child)] for name, child in arguments.items()},
        )


def _kind_and_content(node: object) -> tuple[str, Any]:
    """Returns which kind of value a node is, of which it must be exactly one."""
    if not isinstance(node, dict):
        raise _malformed(node)
    for name in node:
        if name not in _KINDS:
            raise unknown_field(name, "expression.values")
    if len(node) != 1:
        raise invalid_argument("Expression is invalid: a value must be of exactly one kind.")
    ((kind, content),) = node.items()
    if kind in _REFUSED:
        raise unsupported(_REFUSED[kind])
    if kind == "valueReference" and not isinstance(content, str):
        raise _malformed(node)
    if kind in {"arrayValue", "dictionaryValue", "functionInvocationValue"} and not isinstance(
        content, dict
    ):
        raise _malformed(node)
    return kind, content


def _field(content: Node, name: str, expected: type, kind: str) -> Any:
    for field in content:
        if field != name:
            raise unknown_field(field, f"expression.values.{kind}")
    value = content.get(name, expected())
    if not isinstance(value, expected):
        raise _malformed(content)
    return value


def _function_name(content: Node) -> str:
    for field in content:
        if field == "functionReference":
            raise unsupported("functions defined by the caller (functionReference)")
        if field not in {"functionName", "arguments"}:
            raise unknown_field(field, "expression.values.functionInvocationValue")
    name = content.get("functionName")
    if not isinstance(name, str) or not isinstance(content.get("arguments", {}), dict):
        raise _malformed(content)
    return name


def _integer(content: object) -> int:
    """Returns the 64-bit integer of a text."""
    try:
        value = int(str(content))
    except ValueError:
        raise _malformed(content) from None
    if not -(2**63) <= value < 2**63:
        raise _malformed(content)
    return value
