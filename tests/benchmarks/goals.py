"""The goals, and by how much each is met or missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.contestants import COG_FLOOR, GEEDIM, OURS, RAW_FLOOR
from tests.benchmarks.measuring import Measurement
from tests.benchmarks.results import Results
from tests.benchmarks.scenes import MEBIBYTE

_SPEEDUP = 2.0
_OVER_FLOOR = 1.15
_PEAK_MEBIBYTES = 400
_LATENCY_OF_FLOOR = 0.5
# What "flat" means here: the memory of the largest raster over that of the smallest.
_FLAT = 1.1


@dataclass(frozen=True)
class Judged:
    """One goal at one cell.

    :param margin: how much better than the goal, as a share of it; negative where it is missed.
    """

    goal: str
    where: str
    wanted: str
    got: str
    margin: float

    @property
    def verdict(self) -> str:
        return f"{'met' if self.margin >= 0 else '**missed**'} by {abs(self.margin):.0%}"


def judge(results: Results) -> list[Judged]:
    """Return every goal that the measurements are enough to judge."""
    judged: list[Judged] = []
    for key in results.cell_keys():
        found, where = results.succeeded(key), results.title(key)
        if OURS not in found:
            continue
        ours = found[OURS]
        judged += _judge_memory(where, ours)
        if results.is_for_memory(key):
            continue
        if GEEDIM in found:
            judged += _judge_against_geedim(where, ours, found[GEEDIM])
        floor = found.get(COG_FLOOR if results.facts(key)["layout"] == "cog" else RAW_FLOOR)
        if floor and results.latency_seconds(key) == _LATENCY_OF_FLOOR:
            judged += _judge_against_floor(where, ours, floor)
    return sorted([*judged, *_judge_flatness(results)], key=lambda each: each.goal)


def _judge_against_floor(where: str, ours: Measurement, floor: Measurement) -> Iterator[Judged]:
    ratio = ours.seconds / floor.seconds
    wanted = f"at most {_OVER_FLOOR} x"
    margin = 1 - ratio / _OVER_FLOOR
    yield Judged("wall seconds, relative to the floor", where, wanted, f"{ratio:.2f} x", margin)


def _judge_against_geedim(where: str, ours: Measurement, other: Measurement) -> Iterator[Judged]:
    speedup = other.seconds / ours.seconds
    yield Judged(
        "speed-up over geedim, equal compression",
        where,
        f"at least {_SPEEDUP:.0f} x",
        f"{speedup:.2f} x",
        speedup / _SPEEDUP - 1,
    )
    share = ours.cpu_seconds / other.cpu_seconds
    yield Judged(
        "CPU seconds, relative to geedim", where, "at most 1 x", f"{share:.2f} x", 1 - share
    )


def _judge_memory(where: str, ours: Measurement) -> Iterator[Judged]:
    got = ours.peak_byte_count / MEBIBYTE
    wanted = f"at most {_PEAK_MEBIBYTES} MiB"
    yield Judged("VmHWM with Airflow", where, wanted, f"{got:.0f} MiB", 1 - got / _PEAK_MEBIBYTES)


def _judge_flatness(results: Results) -> Iterator[Judged]:
    keys = [key for key in results.cell_keys() if results.is_for_memory(key)]
    peaks = {
        results.gibibytes(key): results.succeeded(key)[OURS].peak_byte_count
        for key in keys
        if OURS in results.succeeded(key)
    }
    if len(peaks) > 1:
        ratio = peaks[max(peaks)] / peaks[min(peaks)]
        where = f"{min(peaks):.2g} to {max(peaks):.2g} GiB"
        wanted, got = f"at most {_FLAT} x", f"{ratio:.2f} x"
        yield Judged("VmHWM flat", where, wanted, got, 1 - ratio / _FLAT)
