"""Which mutants of a room are tried: always the same ones, as long as their functions are.

Left out is what changes no result: text with a space in it, which people read; what is logged; a
type that only mypy reads; that ``zip`` compares lengths; and the encoding, which is the usual one.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name, mangled_name_from_mutant_name

from tests.mutants.rooms import PROJECT, Room

# Calls whose arguments change nothing that a task does.
_OUTSIDE = ("log.", "cast")


@dataclass(frozen=True)
class Mutant:
    """One change of one function.

    :param name: mutmut's, which counts the changes of the function.
    :param path: of the module, from the project's folder.
    :param function: with its class.
    :param before: the statement that is changed.
    :param after: what it becomes.
    """

    name: str
    path: Path
    function: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """What it is, whatever its number."""
        return f"{self.path.stem}.{self.function}: {self.before} -> {self.after}"

    @property
    def lot(self) -> str:
        """What it is called by, and drawn by."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def all_mutants(room: Room) -> list[Mutant]:
    """Return the mutants of the modules of a room that may be sampled.

    mutmut looks for its settings in the current folder.
    """
    return [
        mutant
        for path in sorted((PROJECT / room.source).rglob("*.py"))
        for mutant in mutants_of(path.relative_to(PROJECT), path.read_text(encoding="utf-8"))
    ]


def sample(mutants: list[Mutant], count: int) -> list[Mutant]:
    """Return so many of them, drawn by what they are: a change elsewhere changes none of them."""
    return sorted({each.lot: each for each in mutants}.values(), key=lambda each: each.lot)[:count]


def mutants_of(path: Path, source: str) -> Iterator[Mutant]:
    """Yield the mutants of a module that may be sampled."""
    mutated = mutate_file_contents(str(path), source)
    functions = {
        node.name: node
        for node in ast.walk(ast.parse(mutated.code))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in mutated.mutant_names:
        mangled = mangled_name_from_mutant_name(name)
        original, changed = functions[f"{mangled}__mutmut_orig"], functions[name]
        if not _changes_nothing(original, changed):
            before, after = _difference(original, changed)
            function = mangled[1:].replace("ǁ", ".").removeprefix(".").removeprefix("_")
            yield Mutant(get_mutant_name(path, name), path, function, before, after)


def _difference(original: ast.AST, changed: ast.AST) -> tuple[str, str]:
    """Return the lines that differ."""
    one, other = (ast.unparse(each).splitlines()[1:] for each in (original, changed))
    lines = list(difflib.ndiff(one, other))
    before, after = (
        " ".join(line[2:].strip() for line in lines if line.startswith(mark)) for mark in "-+"
    )
    return before, after


def _changes_nothing(original: ast.AST, changed: ast.AST) -> bool:
    """Whether two functions differ in nothing but what no result depends on."""
    for one, other in _down_to_the_difference(original, changed):
        match one:
            case ast.Call() if ast.unparse(one.func).startswith(_OUTSIDE):
                return True
            case ast.Call() if _are_alike(one, other):
                return True
            case ast.JoinedStr() if any(map(_is_text, one.values)):
                return True
            case ast.keyword(arg="strict" | "encoding"):
                return True
            case ast.Constant() if isinstance(other, ast.Constant):
                return _is_text(one) or one.value == "utf-8"
    return False


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def _are_alike(one: ast.Call, other: ast.AST) -> bool:
    """Whether a call has lost nothing but a check of lengths, or the encoding that is the usual."""
    if not isinstance(other, ast.Call):
        return False
    lost = {each.arg for each in one.keywords} - {each.arg for each in other.keywords}
    return len(one.args) == len(other.args) and bool(lost) and lost <= {"strict", "encoding"}


def _down_to_the_difference(one: ast.AST, other: ast.AST) -> list[tuple[ast.AST, ast.AST]]:
    """Return the nodes on the way to the one that differs, each beside its counterpart."""
    if type(one) is not type(other):
        return []
    ones, others = list(ast.iter_child_nodes(one)), list(ast.iter_child_nodes(other))
    unlike = [pair for pair in zip(ones, others, strict=False) if not _is_same(*pair)]
    rest = _down_to_the_difference(*unlike[0]) if len(unlike) == 1 else []
    return [(one, other), *rest]


def _is_same(one: ast.AST, other: ast.AST) -> bool:
    if type(one) is not type(other) or _own(one) != _own(other):
        return False
    ones, others = list(ast.iter_child_nodes(one)), list(ast.iter_child_nodes(other))
    return len(ones) == len(others) and all(map(_is_same, ones, others))


def _own(node: ast.AST) -> list[str]:
    """Return what a node is but for its children."""
    return [
        repr(value) for _, value in ast.iter_fields(node) if not isinstance(value, ast.AST | list)
    ]
