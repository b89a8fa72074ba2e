"""Expression -> value: evaluates a graph of values and calls, each node once.

Source: https://developers.google.com/earth-engine/reference/rest/v1/Expression (2025-08).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.emulator.replies import (
    ApiError,
    bad_field,
    invalid_argument,
    unknown_field,
    unsupported,
)

# Nested calls; the official client nests 1,024 deep for 1,024 bands.
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
_CONTENT = {
    "valueReference": str,
    "argumentReference": str,
    "arrayValue": dict,
    "dictionaryValue": dict,
    "functionInvocationValue": dict,
    "functionDefinitionValue": dict,
}
_REFUSED = {"bytesValue": "values of bytes (bytesValue)"}
# Nested functions of the caller; each level takes a few frames of Python's stack.
_DEEPEST_CALLS = 30

Node = Mapping[str, Any]
Invoke = Callable[[str, Mapping[str, Any]], Any]


def evaluate(expression: object, invoke: Invoke) -> Any:
    """Return the value of an expression.

    :param expression: the JSON object with ``result`` and ``values``.
    :param invoke: calls a function, given its name and its arguments by name.
    :raises ApiError: if the expression is malformed, or ``invoke`` refuses a call.
    """
    if not isinstance(expression, dict):
        raise _malformed(expression)
    for name in expression:
        if name not in {"result", "values"}:
            raise unknown_field(name, "expression")
    values, result = expression.get("values"), expression.get("result")
    if not isinstance(values, dict) or not isinstance(result, str):
        raise _malformed(expression)
    return _Evaluation(values, invoke, {}).value_of({"valueReference": result})


@dataclass(frozen=True, eq=False)
class Algorithm:
    """A function as a value."""

    argument_names: tuple[str, ...]

    def call(self, *arguments: Any) -> Any:
        """Return the function's value for positional arguments."""
        if len(arguments) != len(self.argument_names):
            raise invalid_argument(
                f"Expression is invalid: a function of {len(self.argument_names)} arguments was "
                f"called with {len(arguments)}."
            )
        return self.call_by_name(dict(zip(self.argument_names, arguments, strict=True)))

    def call_by_name(self, arguments: Mapping[str, Any]) -> Any:
        """Return the function's value for named arguments."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class CallerFunction(Algorithm):
    """A function that the caller defined: its argument names, and the value to compute."""

    body: str
    _scope: _Evaluation

    def call_by_name(self, arguments: Mapping[str, Any]) -> Any:
        """Return the function's value for named arguments."""
        if set(arguments) != set(self.argument_names):
            raise invalid_argument(
                "Expression is invalid: a function was called with arguments that it does not have."
            )
        return self._scope.enter(arguments, self.body)


def _malformed(value: object) -> ApiError:
    """Return the refusal.

    Source: text of the real service for a bad ``expression`` field, seen in 2026.
    """
    shown = repr(value)[:60]
    return bad_field(
        "expression",
        "Invalid value at 'expression' "
        f"(type.googleapis.com/google.earthengine.v1.Expression), {shown}",
    )


class _Evaluation:
    """One evaluation, with its own stack: deep expressions must not exhaust Python's."""

    def __init__(
        self,
        values: Mapping[str, Any],
        invoke: Invoke,
        bindings: Mapping[str, Any],
        depth: int = 0,
    ) -> None:
        self._values = values
        self._invoke = invoke
        self._bindings = bindings
        self._depth = depth
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def value_of(self, root: Node) -> Any:
        # A node is visited twice: first to push its children above it, then, once they all have
        # values, to compute its own.
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
            return [self._node(content)]
        if kind == "arrayValue":
            return list(_field(content, "values", list, kind))
        if kind == "dictionaryValue":
            return list(_field(content, "values", dict, kind).values())
        if kind == "functionInvocationValue":
            arguments = list(content.get("arguments", {}).values())
            if _is_by_reference(content):
                return [self._node(content["functionReference"]), *arguments]
            return arguments
        return []

    def _node(self, name: str) -> Node:
        if name not in self._values:
            raise invalid_argument(f"Expression is invalid: no value {name!r}.")
        node: Node = self._values[name]
        return node

    def _combine(self, kind: str, content: Any) -> Any:
        match kind:
            case "constantValue":
                return content
            case "integerValue":
                return _integer(content)
            case "valueReference":
                return self._done[id(self._values[content])]
            case "functionDefinitionValue":
                return self._define(content)
            case "functionInvocationValue":
                return self._call(content)
            case "argumentReference":
                return self._argument(content)
            case _:
                return self._gather(content.get("values", [] if kind == "arrayValue" else {}))

    def _gather(self, children: Any) -> Any:
        """Return the values of a list or a dictionary."""
        if isinstance(children, list):
            return [self._done[id(child)] for child in children]
        return {name: self._done[id(child)] for name, child in children.items()}

    def _argument(self, name: str) -> Any:
        if name not in self._bindings:
            raise invalid_argument(f"Expression is invalid: no argument {name!r}.")
        return self._bindings[name]

    def _call(self, content: Node) -> Any:
        arguments = self._gather(content.get("arguments", {}))
        if not _is_by_reference(content):
            return self._invoke(content["functionName"], arguments)
        function = self._done[id(self._values[content["functionReference"]])]
        if not isinstance(function, Algorithm):
            raise invalid_argument("Expression is invalid: the called value is not a function.")
        return function.call_by_name(arguments)

    def _define(self, content: Node) -> CallerFunction:
        for field in content:
            if field not in {"argumentNames", "body"}:
                raise unknown_field(field, "expression.values.functionDefinitionValue")
        names, body = content.get("argumentNames", []), content.get("body")
        is_names = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not is_names or not isinstance(body, str):
            raise _malformed(content)
        return CallerFunction(tuple(names), body, self)

    def enter(self, arguments: Mapping[str, Any], body: str) -> Any:
        """Return a value of the expression with the arguments bound."""
        if self._depth >= _DEEPEST_CALLS:
            raise invalid_argument(
                f"Expression is invalid: functions call functions more than {_DEEPEST_CALLS} deep."
            )
        bindings = {**self._bindings, **arguments}
        inner = _Evaluation(self._values, self._invoke, bindings, self._depth + 1)
        return inner.value_of({"valueReference": body})


def _kind_and_content(node: object) -> tuple[str, Any]:
    """Return the kind and content of a node, which must have exactly one kind."""
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
    expected = _CONTENT.get(kind)
    if expected is not None and not isinstance(content, expected):
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


def _is_by_reference(content: Node) -> bool:
    """Return whether a call refers to a function of the caller; check the call's own fields."""
    for field in content:
        if field not in {"functionName", "functionReference", "arguments"}:
            raise unknown_field(field, "expression.values.functionInvocationValue")
    names = [content.get(field) for field in ("functionName", "functionReference")]
    if sum(isinstance(name, str) for name in names) != 1 or names.count(None) != 1:
        raise _malformed(content)
    if not isinstance(content.get("arguments", {}), dict):
        raise _malformed(content)
    return names[1] is not None


def _integer(content: object) -> int:
    """Return the 64-bit integer in a text."""
    try:
        value = int(str(content))
    except ValueError:
        raise _malformed(content) from None
    if not -(2**63) <= value < 2**63:
        raise _malformed(content)
    return value
