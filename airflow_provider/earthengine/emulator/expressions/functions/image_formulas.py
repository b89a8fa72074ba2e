"""``Image.parseExpression``: a formula such as ``2.5 * (NIR - RED) / (NIR + 1)`` -> an algorithm.

Source of the language: https://developers.google.com/earth-engine/guides/image_math and the
description in the algorithm list (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider.earthengine.emulator.expressions.evaluate import Algorithm
from airflow_provider.earthengine.emulator.expressions.functions import (
    elementwise,
    masks,
    mathematics,
)
from airflow_provider.earthengine.emulator.expressions.functions.image import (
    CONSTANT,
    select_bands,
)
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.images import Image

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<mark>\*\*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>!~&|^?:()\[\].,=]))"
)
# The operators from the loosest to the tightest, each with the function that it stands for.
_LEVELS = (
    {"||": "or"},
    {"&&": "and"},
    {"|": "bitwiseOr"},
    {"^": "bitwiseXor"},
    {"&": "bitwiseAnd"},
    {"==": "eq", "!=": "neq"},
    {"<": "lt", ">": "gt", "<=": "lte", ">=": "gte"},
    {"<<": "leftShift", ">>": "rightShift"},
    {"+": "add", "-": "subtract"},
    {"*": "multiply", "/": "divide", "%": "mod"},
)
_PREFIXES = {"!": "not", "~": "bitwiseNot"}
_DEEPEST = 40
# A chain of operators nests as deep as it is long, and so do the bands that compute it.
_MOST_TOKENS = 400
_NAMED = {
    function.name.removeprefix("Image."): function
    for family in (elementwise, mathematics, masks)
    for function in family.FUNCTIONS
}

# A node is a tuple of its kind and its parts: ("number", 2.5), ("call", "add", [left, right]), ...
Node = tuple[Any, ...]


def _bad(why: str) -> ApiError:
    return invalid_argument(f"Image.parseExpression: {why}")


class _Parser:
    """Reads one formula."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens_of(text)
        self._depth = 0

    def whole(self) -> tuple[str | None, Node]:
        """Return the name that the result is assigned, if any, and the formula."""
        name = None
        if len(self._tokens) > 1 and self._tokens[0][0] == "name" and self._tokens[1][1] == "=":
            name = self._take()[1]
            self._take()
        node = self._choice()
        if self._tokens:
            raise _bad(f"Unexpected {self._tokens[0][1]!r}.")
        return name, node

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _bad(f"Nested more than {_DEEPEST} levels deep.")
        node = self._level(0)
        if self._next_is("?"):
            chosen = self._choice()
            self._expect(":")
            node = ("call", "where", [self._choice(), node, chosen])
        self._depth -= 1
        return node

    def _level(self, number: int) -> Node:
        if number == len(_LEVELS):
            return self._prefixed()
        node = self._level(number + 1)
        while self._tokens and self._tokens[0][1] in _LEVELS[number]:
            function = _LEVELS[number][self._take()[1]]
            node = ("call", function, [node, self._level(number + 1)])
        return node

    def _prefixed(self) -> Node:
        signs = []
        while self._tokens and self._tokens[0][1] in {"-", "+", "!", "~"}:
            signs.append(self._take()[1])
        node = self._with_power()
        for sign in reversed(signs):
            if sign == "-":
                node = ("call", "multiply", [node, ("number", -1)])
            elif sign != "+":
                node = ("call", _PREFIXES[sign], [node])
        return node

    def _with_power(self) -> Node:
        node = self._with_bands(self._atom())
        if self._next_is("**"):
            node = ("call", "pow", [node, self._prefixed()])
        return node

    def _with_bands(self, node: Node) -> Node:
        while self._tokens and self._tokens[0][1] in {".", "["}:
            if self._take()[1] == ".":
                kind, name = self._take()
                if kind != "name":
                    raise _bad(f"A band's name was expected, not {name!r}.")
                node = ("bands", node, [name])
            else:
                node = ("bands", node, self._selectors("]"))
        return node

    def _selectors(self, end: str) -> list[Any]:
        selectors: list[Any] = []
        while not self._next_is(end):
            kind, text = self._take()
            if kind == "text":
                selectors.append(text[1:-1])
            elif kind == "number" and text.isdigit():
                selectors.append(int(text))
            else:
                raise _bad(f"A band was expected, not {text!r}.")
            if not self._next_is(","):
                self._expect(end)
                break
        return selectors

    def _atom(self) -> Node:
        kind, text = self._take()
        if kind == "number":
            return ("number", int(text) if text.isdigit() else float(text))
        if text == "(":
            node = self._choice()
            self._expect(")")
            return node
        if kind != "name":
            raise _bad(f"Unexpected {text!r}.")
        if not self._next_is("("):
            return ("number", int(text == "true")) if text in {"true", "false"} else ("name", text)
        if text == "b":
            selectors = self._selectors(")")
            return ("bands", ("default",), selectors) if selectors else ("default",)
        return ("call", text, self._arguments())

    def _arguments(self) -> list[Node]:
        arguments: list[Node] = []
        while not self._next_is(")"):
            arguments.append(self._choice())
            if not self._next_is(","):
                self._expect(")")
                break
        return arguments

    def _take(self) -> tuple[str, str]:
        if not self._tokens:
            raise _bad("The expression ends too early.")
        return self._tokens.pop(0)

    def _next_is(self, mark: str) -> bool:
        """Return whether the next token is this mark, and take it if so."""
        if self._tokens and self._tokens[0] == ("mark", mark):
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, mark: str) -> None:
        kind, text = self._take()
        if (kind, text) != ("mark", mark):
            raise _bad(f"{mark!r} was expected, not {text!r}.")


def _tokens_of(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _bad(f"Unexpected {text[place:].strip()[:1]!r}.")
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind]))
        place = match.end()
    if len(tokens) > _MOST_TOKENS:
        raise unsupported(f"expressions of more than {_MOST_TOKENS} numbers, names and marks")
    return tokens


@dataclass(frozen=True, eq=False)
class Formula(Algorithm):
    """A parsed formula; its arguments are images.

    :param default: the name of the argument that ``b()`` reads.
    :param result_name: the name of the one band of the result; None to leave names.
    """

    session: Session
    node: Node
    default: str
    result_name: str | None

    def call_by_name(self, arguments: Mapping[str, Any]) -> Image:
        for name in self.argument_names:
            if not isinstance(arguments.get(name), Image):
                raise invalid_argument(f"Image.parseExpression: '{name}' must be an Image.")
        image = self._value(self.node, arguments)
        if self.result_name is None:
            return image
        if len(image.bands) != 1:
            raise _bad(f"Only one band can be assigned to '{self.result_name}'.")
        return replace(image, bands=(replace(image.bands[0], id=self.result_name),))

    def _value(self, node: Node, images: Mapping[str, Any]) -> Image:
        match node[0]:
            case "number":
                constant: Image = CONSTANT.call(self.session, {"value": node[1]})
                return constant
            case "name":
                return self._image(node[1], images)
            case "default":
                return self._image(self.default, images)
            case "bands":
                source = self._value(node[1], images)
                return replace(source, bands=select_bands(source, node[2]))
            case _:
                return self._call(node[1], [self._value(part, images) for part in node[2]])

    def _image(self, name: str, images: Mapping[str, Any]) -> Image:
        if name not in self.argument_names:
            raise _bad(f"No image '{name}' was given.")
        image: Image = images[name]
        return image

    def _call(self, name: str, arguments: list[Image]) -> Image:
        function = _NAMED.get(name)
        if function is None:
            raise unsupported(f"the function '{name}' in an expression")
        if len(arguments) != len(function.parameters):
            raise _bad(f"'{name}' takes {len(function.parameters)} arguments.")
        names = (parameter.name for parameter in function.parameters)
        image: Image = function.invoke(self.session, dict(zip(names, arguments, strict=True)))
        return image


def _parse(session: Session, arguments: Arguments) -> Formula:
    name, node = _Parser(arguments["expression"]).whole()
    return Formula(tuple(arguments["vars"]), session, node, arguments["argName"], name)


FUNCTIONS = (
    Function(
        "Image.parseExpression",
        (
            Parameter("expression", "String"),
            Parameter("argName", "String"),
            Parameter("vars", "List<String>"),
            Parameter("mapFreeVarsToDefaultImageBands", "Boolean", False, is_served=False),
        ),
        "Algorithm",
        "the official client for expression(): an EVI of a DAG",
        _parse,
    ),
)
