"""What the last run of each room's mutants found, kept in a file, and its page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.reasons import REASONS
from tests.mutants.rooms import PROJECT, ROOMS
from tests.mutants.sample import Mutant

RESULTS = Path(__file__).parent / "results.json"
PAGE = PROJECT / "docs" / "mutants.md"
GOAL = 0.85
_BEGIN, _END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


@dataclass(frozen=True)
class Result:
    """What became of the mutants of one room.

    :param mutants: how many there are.
    :param tried: how many were tried.
    :param survivors: what each of those is that no test noticed, by its lot.
    """

    mutants: int
    tried: int
    survivors: dict[str, str]

    @property
    def noticed(self) -> int:
        return self.tried - len(self.survivors)

    @property
    def share(self) -> float:
        return self.noticed / self.tried


def result_of(mutants: list[Mutant], tried: list[Mutant], noticed: dict[str, bool]) -> Result:
    """Return the result of a run."""
    survivors = {each.lot: each.text for each in tried if not noticed[each.name]}
    return Result(len(mutants), len(tried), survivors)


def read_results() -> dict[str, Result]:
    """Return the results of the rooms that were tried, by the rooms' names."""
    if not RESULTS.exists():
        return {}
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {name: Result(**each) for name, each in found.items()}


def keep_result(room: str, result: Result) -> None:
    """Write a room's result in the place of its last, and all of them into the page."""
    found = {**read_results(), room: result}
    content = {each.name: asdict(found[each.name]) for each in ROOMS if each.name in found}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(page: str) -> str:
    """Return the page with the results that are kept."""
    head, rest = page.split(_BEGIN)
    _, tail = rest.split(_END)
    return f"{head}{_BEGIN}\n{_tables(read_results())}\n{_END}{tail}"


def _tables(results: dict[str, Result]) -> str:
    lines = ["| room | mutants | tried | noticed | share | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {name} | {each.mutants:,} | {each.tried} | {each.noticed} | {each.share:.0%} | "
        f"{'' if each.share >= GOAL else 'below the goal'} |"
        for name, each in results.items()
    ]
    for name, result in results.items():
        if result.survivors:
            lines += ["", f"### What survived in {name}", "", "| | mutant | why |", "|---|---|---|"]
            lines += [_row(lot, text) for lot, text in result.survivors.items()]
    return "\n".join(lines)


def _row(lot: str, text: str) -> str:
    where, _, change = text.partition(": ")
    shown = change.replace("`", "'").replace("|", "\\|")
    return f"| {lot} | {where}: `{shown}` | {REASONS.get(lot, 'not looked at')} |"
