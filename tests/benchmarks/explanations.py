"""Parts of the page that explain: what readers pay, and how fast two cores could be at best."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.contestants import CODEC_FLOOR, CONTESTANTS, GEEDIM, OURS
from tests.benchmarks.results import Results

_READS = (
    "What a reader fetches of the stored file for a window of 512 x 512 pixels that meets four "
    "blocks, from opening it on: bytes and requests."
)
_TWICE = (
    "Core seconds in half of geedim's time, and those that the codec floor and the two servers "
    "take of them, which share the cores. What is left is for everything else: Airflow, imports, "
    "requests, scratch, statistics, and all waiting."
)


def reads_of(results: Results, key: str) -> str:
    """Return a table of what readers took of each contestant's raster; empty if none read."""
    found = results.succeeded(key)
    readers = [each for each in CONTESTANTS if each.name in found and found[each.name].reads]
    if not readers:
        return ""
    cells: dict[tuple[str, int], list[str]] = {}
    for contestant in readers:
        for read in found[contestant.name].reads:
            row = cells.setdefault((read["reader"], read["band_count"]), [])
            took = f"{read['byte_count'] / 1024:,.0f} KiB, {read['request_count']}"
            row.append(f"failed: {read['error'].splitlines()[-1]}" if read["error"] else took)
    names = " | ".join(each.name for each in readers)
    lines = [
        _READS,
        "",
        f"| reader | bands | {names} |",
        "|---|---:" + "|---:" * len(readers) + "|",
        *(f"| {name} | {count} | {' | '.join(row)} |" for (name, count), row in cells.items()),
    ]
    return "\n".join(lines)


def twice_as_fast(results: Results) -> str:
    """Return whether twice geedim's speed is possible, for each cell that tells."""
    rows = [row for key in results.cell_keys() for row in _row_of_twice(results, key)]
    if not rows:
        return ""
    lines = [
        "### What twice geedim's speed would take",
        "",
        _TWICE,
        "",
        "| | there are | codec floor | S3 server | emulator | left |",
        "|---|---:|---:|---:|---:|---:|",
        *rows,
    ]
    return "\n".join(lines)


def _row_of_twice(results: Results, key: str) -> Iterator[str]:
    found = results.succeeded(key)
    if not {OURS, GEEDIM, CODEC_FLOOR} <= set(found):
        return
    cores = int(results.facts(key).get("cores", 0))
    if cores:
        there_are = cores * found[GEEDIM].seconds / 2
        codec = found[CODEC_FLOOR].cpu_seconds
        servers = found[OURS].server_cpu_seconds
        s3, emulator = servers["S3 server"], servers["emulator"]
        cells = [there_are, codec, s3, emulator, there_are - codec - s3 - emulator]
        yield f"| {results.title(key)} | {' | '.join(f'{seconds:.1f}' for seconds in cells)} |"
