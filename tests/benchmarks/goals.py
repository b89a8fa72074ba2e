"""The goals, and by how much each is met or missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.contestants import (
    CODEC_FLOOR,
    COG_FLOOR,
    GEEDIM,
    GEEDIM_DEFAULTS,
    OURS,
    OURS_KEEPING_TILES,
    OURS_WITH_ZSTD,
    RAW_FLOOR,
)
from tests.benchmarks.measuring import Measurement
from tests.benchmarks.results import Results
from tests.benchmarks.scenes import MEBIBYTE

_SPEEDUP, _SPEEDUP_WITH_ZSTD = 1.6, 2.2
_OVER_RAW_FLOOR, _LATENCY_OF_FLOOR = 2.0, 0.5
_CPU_OF_GEEDIM, _CPU_OF_CODEC_FLOOR = 0.6, 1.3
_PEAK_MEBIBYTES = 400
# What "flat" means here: the memory of the largest raster over that of the smallest.
_FLAT = 1.1
_PUT, _PUT_KEEPING_TILES = 1.02, 1.35
_REQUESTS, _STORED = 1.05, 1.02
_TIMES = "x"


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
        found = results.succeeded(key)
        if OURS in found:
            judged += _Cell(results, key, found).judged()
    return sorted([*judged, *_judge_flatness(results)], key=lambda each: each.goal)


@dataclass(frozen=True)
class _Cell:
    results: Results
    key: str
    found: dict[str, Measurement]

    def judged(self) -> Iterator[Judged]:
        ours = self.found[OURS]
        peak = ours.peak_byte_count / MEBIBYTE
        yield self._at_most("VmHWM with Airflow", _PEAK_MEBIBYTES, peak, "MiB")
        yield from self._judge_bytes(ours)
        if self.results.is_for_memory(self.key):
            return
        yield from self._judge_against_geedim(ours)
        yield from self._judge_against_floors(ours)
        if kept := self.found.get(OURS_KEEPING_TILES):
            goal = "bytes sent to the bucket, relative to those stored, keeping all tiles"
            if kept.put_byte_count:
                ratio = kept.put_byte_count / kept.stored_byte_count
                yield self._at_most(goal, _PUT_KEEPING_TILES, ratio)

    def _judge_bytes(self, ours: Measurement) -> Iterator[Judged]:
        raw = self.results.gibibytes(self.key) * 2**30
        room = ours.stored_byte_count + raw / 3
        scratch = ours.scratch_byte_count / room
        yield self._at_most("scratch, relative to stored + a third of raw", 1, scratch)
        if ours.put_byte_count:
            ratio = ours.put_byte_count / ours.stored_byte_count
            yield self._at_most("bytes sent to the bucket, relative to those stored", _PUT, ratio)
        if least := self.results.least_request_count(self.key):
            ratio = ours.request_counts.get("thumbnails.getPixels", 0) / least
            goal, most = "requests for pixels, relative to the fewest", _REQUESTS
            if ratio > most and (price := self.results.price_of_blocks(self.key)):
                goal, most = f"{goal}, or the price of whole blocks", price / least
            yield self._at_most(goal, most, ratio)

    def _judge_against_geedim(self, ours: Measurement) -> Iterator[Judged]:
        if geedim := self.found.get(GEEDIM):
            faster = geedim.seconds / ours.seconds
            yield self._at_least("speed-up over geedim, equal compression", _SPEEDUP, faster)
            cpu = ours.cpu_seconds / geedim.cpu_seconds
            yield self._at_most("CPU seconds, relative to geedim", _CPU_OF_GEEDIM, cpu)
        zstd, defaults = self.found.get(OURS_WITH_ZSTD), self.found.get(GEEDIM_DEFAULTS)
        if zstd and defaults:
            goal, faster = "speed-up over geedim's defaults, zstd", defaults.seconds / zstd.seconds
            yield self._at_least(goal, _SPEEDUP_WITH_ZSTD, faster)

    def _judge_against_floors(self, ours: Measurement) -> Iterator[Judged]:
        raw, cog, codec = (self.found.get(name) for name in (RAW_FLOOR, COG_FLOOR, CODEC_FLOOR))
        if raw and self.results.latency_seconds(self.key) == _LATENCY_OF_FLOOR:
            ratio = ours.seconds / raw.seconds
            yield self._at_most("wall seconds, relative to the raw floor", _OVER_RAW_FLOOR, ratio)
        if codec:
            ratio = ours.cpu_seconds / codec.cpu_seconds
            goal = "CPU seconds, relative to the codec floor"
            yield self._at_most(goal, _CPU_OF_CODEC_FLOOR, ratio)
        if cog and self.results.facts(self.key)["layout"] == "cog":
            ratio = ours.stored_byte_count / cog.stored_byte_count
            yield self._at_most("size of the file, relative to GDAL's", _STORED, ratio)

    def _at_most(self, goal: str, most: float, got: float, unit: str = _TIMES) -> Judged:
        return self._judged(goal, f"at most {round(most, 2):g} {unit}", got, unit, 1 - got / most)

    def _at_least(self, goal: str, least: float, got: float) -> Judged:
        return self._judged(goal, f"at least {least:g} {_TIMES}", got, _TIMES, got / least - 1)

    def _judged(self, goal: str, wanted: str, got: float, unit: str, margin: float) -> Judged:
        shown = f"{got:.2f} {unit}" if unit == _TIMES else f"{got:.0f} {unit}"
        return Judged(goal, self.results.title(self.key), wanted, shown, margin)


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
