"""The tables of docs/reliability.md, from the cells of the fault matrix.

``python -m tests.reliability.reliability_page`` writes them into the page.
"""

from __future__ import annotations

from pathlib import Path

from tests.reliability.cells import ALWAYS, ONCE, Cell
from tests.reliability.earthengine_cells import earthengine_cells
from tests.reliability.s3_cells import s3_cells
from tests.reliability.workplace import FORMATS, STORED

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
_NAMES = dict(zip(FORMATS, ("GeoTIFF", "per band", "NPY"), strict=True))
_BEGIN, _END = "<!-- {}: begin -->", "<!-- {}: end -->"


def tables() -> dict[str, str]:
    """Return the text between each pair of marks."""
    earth_engine, s3 = earthengine_cells(), s3_cells()
    return {
        "counts": _counts(earth_engine, s3),
        "earth-engine": _table(earth_engine),
        "object-store": _table(s3),
    }


def filled(page: str) -> str:
    """Return the page with its tables as the matrix has them."""
    for name, text in tables().items():
        head, rest = page.split(_BEGIN.format(name))
        _, tail = rest.split(_END.format(name))
        page = f"{head}{_BEGIN.format(name)}\n{text}\n{_END.format(name)}{tail}"
    return page


def _counts(*sides: list[Cell]) -> str:
    lines = ["| side | faults | stages | cells |", "|---|---|---|---|"]
    for cells in sides:
        faults = {cell.fault_name for cell in cells}
        stages = {cell.stage.name for cell in cells}
        lines.append(f"| {cells[0].side} | {len(faults)} | {len(stages)} | {len(cells)} |")
    return "\n".join(lines)


def _table(cells: list[Cell]) -> str:
    stages = list(dict.fromkeys(cell.stage.name for cell in cells))
    lines = [_row("fault", stages), "|---" * (len(stages) + 1) + "|"]
    for fault in dict.fromkeys(cell.fault_name for cell in cells):
        found = [[c for c in cells if (c.fault_name, c.stage.name) == (fault, s)] for s in stages]
        lines.append(_row(fault, [_outcome(each) for each in found]))
    return "\n".join(lines)


def _row(first: str, rest: list[str]) -> str:
    return f"| {' | '.join([first, *rest])} |"


def _outcome(cells: list[Cell]) -> str:
    """Return what comes of a fault at a stage, by format where they differ."""
    texts: dict[str, list[str]] = {}
    always = [_short(cell.expected) for cell in cells if cell.mode == ALWAYS]
    for cell in cells:
        if cell.mode == ONCE:
            text = " / ".join([_short(cell.expected), *always[:1]])
            texts.setdefault(text, []).append(_NAMES[cell.file_format])
    if len(texts) == 1:
        return next(iter(texts))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())


def _short(expected: str) -> str:
    return STORED if expected == STORED else expected.removesuffix("Error")


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
