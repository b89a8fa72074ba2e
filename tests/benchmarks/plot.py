"""The picture of docs/performance.md: seconds and memory, one panel a cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.contestants import CONTESTANTS, OURS
from tests.benchmarks.measuring import Measurement
from tests.benchmarks.results import Results
from tests.benchmarks.scenes import MEBIBYTE

_OURS, _FLOOR, _OTHER = "#1b7837", "#bbbbbb", "#7b6fa8"


def draw(results: Results, path: Path) -> None:
    """Draw the wall seconds and the VmHWM of whoever succeeded.

    :param path: a PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keys = [key for key in results.cell_keys() if results.succeeded(key)]
    if not keys:
        return
    figure = Figure(figsize=(11, 0.6 + 2.1 * len(keys)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(keys), 2, squeeze=False)
    for (seconds, memory), key in zip(axes, keys, strict=True):
        found = results.succeeded(key)
        names = [each.name for each in reversed(CONTESTANTS) if _has_bar(found, each.name)]
        colours = [_colour(name) for name in names]
        for panel, values in (
            (seconds, [found[name].seconds for name in names]),
            (memory, [found[name].peak_byte_count / MEBIBYTE for name in names]),
        ):
            bars = panel.barh(names, values, color=colours)
            panel.bar_label(bars, fmt=_rounded, padding=3, fontsize=8)
            panel.margins(x=0.12)
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelsize=8)
        memory.set_yticklabels([])
        seconds.set_title(f"{results.title(key)}: seconds", fontsize=9, loc="left")
        memory.set_title("memory (VmHWM), MiB", fontsize=9, loc="left")
    # No date nor version in the file: the same numbers give the same bytes.
    figure.savefig(path, dpi=90, metadata={"Software": None})


def _has_bar(found: Mapping[str, Measurement], name: str) -> bool:
    return name in found and found[name].seconds > 0


def _colour(name: str) -> str:
    if name.startswith(OURS):
        return _OURS
    return _FLOOR if name.startswith("floor") else _OTHER


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
