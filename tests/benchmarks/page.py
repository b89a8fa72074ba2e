"""The measured part of docs/performance.md: tables, goals, the machine, and the picture."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.contestants import CODEC_FLOOR, CONTESTANTS, OURS
from tests.benchmarks.explanations import reads_of, twice_as_fast
from tests.benchmarks.goals import judge
from tests.benchmarks.measuring import Measurement
from tests.benchmarks.plot import draw
from tests.benchmarks.results import Results
from tests.benchmarks.scenes import MEBIBYTE

_BEGIN, _END = "<!-- {}: begin -->", "<!-- {}: end -->"
PICTURE = "performance.png"
_HEADING = (
    "",
    "wall, s",
    "relative to ours",
    "CPU s per GiB",
    "VmHWM, MiB",
    "scratch, MiB",
    "requests",
    "sent to the bucket, MiB",
    "stored, MiB",
)


def write_page(results: Results, page: Path) -> None:
    """Write the current results into the page, and the picture beside it."""
    write_section(page, "measured", _measured(results))
    draw(results, page.with_name(PICTURE))


def write_section(page: Path, name: str, text: str) -> None:
    """Replace the text between two marks of a page."""
    begin, end = _BEGIN.format(name), _END.format(name)
    head, rest = page.read_text(encoding="utf-8").split(begin)
    _, tail = rest.split(end)
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def _measured(results: Results) -> str:
    keys = results.cell_keys()
    if not keys:
        return "Nothing has been measured yet: run `make bench`."
    parts = [_goals(results), f"![Seconds and memory of each contestant]({PICTURE})"]
    for key in keys:
        parts += [f"### {results.title(key)}", _table(results, key)]
        parts += [text for text in (_steps(results, key), reads_of(results, key)) if text]
    parts += [text for text in [twice_as_fast(results)] if text]
    return "\n\n".join([*parts, "### The machine", _facts(results, keys)])


def _goals(results: Results) -> str:
    rows = [
        f"| {each.goal} | {each.where} | {each.wanted} | {each.got} | {each.verdict} |"
        for each in judge(results)
    ]
    return "\n".join(["| goal | where | wanted | measured | |", "|---|---|---|---|---|", *rows])


def _table(results: Results, key: str) -> str:
    lines = [
        f"| {' | '.join(_HEADING)} |",
        "|---" + "|---:" * (len(_HEADING) - 1) + "|",
    ]
    measurements = results.measurements(key)
    ours = results.succeeded(key).get(OURS)
    lines += [
        _row(contestant.title, measurements[contestant.name], ours, results.gibibytes(key))
        for contestant in CONTESTANTS
        if contestant.name in measurements
    ]
    return "\n".join(lines)


def _steps(results: Results, key: str) -> str:
    """Return the codec floor as a sentence."""
    floor = results.succeeded(key).get(CODEC_FLOOR)
    if floor is None:
        return ""
    gibibytes = results.gibibytes(key)
    steps = ", ".join(f"{name} {seconds / gibibytes:.1f}" for name, seconds in floor.steps.items())
    return f"The steps of the codec floor, CPU s per GiB: {steps}."


def _row(title: str, measured: Measurement, ours: Measurement | None, gibibytes: float) -> str:
    if measured.error is not None:
        seconds = f" after {measured.seconds:.0f} s" if measured.seconds else ""
        reason = measured.error.replace("|", "/").replace("\n", " ")[:200]
        return f"| {title} | **failed**{seconds}: {reason}{' |' * (len(_HEADING) - 1)}"
    if measured.steps:
        per_gibibyte = f"{measured.cpu_seconds / gibibytes:.1f}"
        return f"| {title} | | | {per_gibibyte}{' |' * (len(_HEADING) - 3)}"
    ratio = f"{measured.seconds / ours.seconds:.2f} x" if ours else ""
    cells = [
        title,
        f"{measured.seconds:.1f}",
        ratio,
        f"{measured.cpu_seconds / gibibytes:.1f}",
        f"{measured.peak_byte_count / MEBIBYTE:.0f}",
        f"{measured.scratch_byte_count / MEBIBYTE:.0f}",
        f"{measured.request_count}",
        f"{measured.put_byte_count / MEBIBYTE:.0f}",
        f"{measured.stored_byte_count / MEBIBYTE:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _facts(results: Results, keys: list[str]) -> str:
    """Return the machine as a table; facts that differ between cells are listed for each."""
    facts = {key: results.facts(key) for key in keys}
    lines = ["| | |", "|---|---|"]
    for name in facts[keys[0]]:
        values = {key: facts[key].get(name, "unknown") for key in keys}
        if len(set(values.values())) == 1:
            lines.append(f"| {name} | {values[keys[0]]} |")
        else:
            listed = "; ".join(f"{results.title(key)}: {value}" for key, value in values.items())
            lines.append(f"| {name} | {listed} |")
    return "\n".join(lines)
