"""The documentation's fenced code blocks, and which of them are run how.

A block of ``python`` whose first line is ``# dags/<name>.py`` is a DAG file; every other one is a
program. A block of ``bash`` is a program of the shell. A comment
``<!-- not run: the reason -->`` on the line above excepts a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from stack.environment import PROJECT_FOLDER

DOCS_FOLDER = PROJECT_FOLDER / "docs"
BUCKET = "my-bucket"
"""What the pages call the bucket; each page is run with one of its own."""

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_DAG_FILE = re.compile(r"# dags/(\w+)\.py\n")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    :param page: the page's name, without its suffix.
    :param line: of the page, 1-based, where the code begins.
    :param not_run: why the block is not run; None if it is.
    """

    page: str
    line: int
    language: str
    code: str
    not_run: str | None

    @property
    def id(self) -> str:
        """Where it is, for people and for files."""
        return f"{self.page}-{self.line}"

    @property
    def dag_file(self) -> str | None:
        """The name of the DAG file, without its suffix, if the block is one."""
        match = _DAG_FILE.match(self.code)
        return match.group(1) if match else None


def pages() -> list[Path]:
    """Return the pages, in order of their names, and the one that a page includes."""
    return [*sorted(DOCS_FOLDER.rglob("*.md")), PROJECT_FOLDER / "CONTRIBUTING.md"]


def page_text(name: str) -> str:
    """Return a page's source."""
    return (DOCS_FOLDER / f"{name}.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[Block]:
    """Return the blocks of this language, of all pages."""
    return [
        block for path in pages() for block in _blocks_of(path) if block.language == language
    ]  # fmt: skip


def _blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    folder = DOCS_FOLDER if path.is_relative_to(DOCS_FOLDER) else PROJECT_FOLDER
    page = str(path.relative_to(folder).with_suffix("")).replace("/", "-")
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        yield Block(page, line, match["language"], match["code"], match["reason"])


def table_rows(text: str, header: str) -> list[list[str]]:
    """Return the cells of the Markdown tables whose header line begins with ``header``."""
    rows: list[list[str]] = []
    lines = text.splitlines()
    inside = False
    for line, following in pairwise([*lines, ""]):
        if following.startswith("|---"):
            inside = line.startswith(header)
        elif inside and line.startswith("|") and not line.startswith("|---"):
            # A bar inside code is written \| there.
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
        inside = inside and line.startswith("|")
    return rows
