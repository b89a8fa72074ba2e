"""``Image.visualize``: values of bands -> red, green and blue, from 0 to 255.

Source: https://developers.google.com/earth-engine/guides/image_visualization and the description in
the algorithm list (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.elementwise import computed_band
from airflow_provider.earthengine.emulator.expressions.functions.image import select_bands
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import unsupported
from airflow_provider.earthengine.emulator.values.computed_pixels import Numbers
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType

_BYTE = PixelType("uint8")
_NAMES = ("vis-red", "vis-green", "vis-blue")
_GRAY = "vis-gray"
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
# The names that the documentation's own palettes use.
# Source: https://www.w3.org/TR/css-color-4/#named-colors (2026-11).
_COLOURS = {
    "black": "000000", "white": "ffffff", "red": "ff0000", "lime": "00ff00", "blue": "0000ff",
    "green": "008000", "yellow": "ffff00", "orange": "ffa500", "purple": "800080",
    "cyan": "00ffff", "magenta": "ff00ff", "brown": "a52a2a", "gray": "808080", "grey": "808080",
    "darkgreen": "006400", "lightgreen": "90ee90", "navy": "000080", "aqua": "00ffff",
}  # fmt: skip


def _shown(arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    wanted = arguments["bands"]
    if isinstance(wanted, str):
        wanted = wanted.split(",")
    bands = select_bands(image, wanted) if wanted else image.bands[:3]
    if len(bands) not in {1, 3}:
        if wanted or not bands:
            raise VISUALIZE.fail(f"1 or 3 bands are needed, not {len(bands)}.")
        bands = bands[:1]
    stretched = [
        (
            band,
            *(_number(arguments[name], place, len(bands), default) for name, default in _STRETCH),
        )
        for place, band in enumerate(bands)
    ]
    palette = _colours(arguments["palette"])
    if palette and len(bands) > 1:
        raise VISUALIZE.fail("A palette is for one band.")
    if palette:
        return Image(tuple(_painted(stretched[0], palette, part) for part in range(3)))
    if len(bands) == 1 and not arguments["forceRgbOutput"]:
        return Image((_shaded(stretched[0], _GRAY),))
    shades = stretched * 3 if len(bands) == 1 else stretched
    return Image(tuple(_shaded(*pair) for pair in zip(shades, _NAMES, strict=True)))


_STRETCH = (("min", 0.0), ("max", 255.0), ("gamma", 1.0))


def _number(value: Any, place: int, count: int, default: float) -> float:
    """Return the number for one band: the only one, or that of a list; lists may be text."""
    if value is None:
        return default
    values = value.split(",") if isinstance(value, str) else value
    if not isinstance(values, list):
        return float(values)
    if len(values) not in {1, count}:
        raise VISUALIZE.fail(f"{len(values)} values cannot be for {count} bands.")
    return float(values[place if len(values) > 1 else 0])


def _share(values: Numbers, low: float, high: float, gamma: float) -> Numbers:
    """Return where values lie between two, from 0 to 1."""
    if high == low:
        raise VISUALIZE.fail("'min' and 'max' must differ.")
    return np.asarray(np.clip((values - low) / (high - low), 0, 1) ** (1 / gamma))


def _shaded(stretched: tuple[Any, ...], name: str) -> Band:
    band, low, high, gamma = stretched

    def shade(values: Numbers) -> Numbers:
        return np.asarray(np.floor(_share(values, low, high, gamma) * 255 + 0.5))

    return computed_band(name, [band], _BYTE, shade)


def _painted(stretched: tuple[Any, ...], palette: Sequence[Sequence[int]], part: int) -> Band:
    """Return one colour of a palette: between its colours, there is a mixture of the two."""
    band, low, high, gamma = stretched
    stops = np.linspace(0, 1, max(2, len(palette)))
    levels = np.array(
        [colour[part] for colour in (palette if len(palette) > 1 else [*palette] * 2)]
    )

    def paint(values: Numbers) -> Numbers:
        mixed = np.interp(_share(values, low, high, gamma), stops, levels)
        return np.asarray(np.floor(mixed + 0.5))

    return computed_band(_NAMES[part], [band], _BYTE, paint)


def _colours(palette: Any) -> list[tuple[int, ...]]:
    names = palette.split(",") if isinstance(palette, str) else palette or []
    return [_colour(str(name).strip()) for name in names]


def _colour(name: str) -> tuple[int, ...]:
    match = _HEX.fullmatch(_COLOURS.get(name.lower(), name))
    if match is None:
        raise unsupported(f"the colour '{name[:40]}'")
    return tuple(bytes.fromhex(match[1]))


def _visualize(session: Session, arguments: Arguments) -> Image:
    for name in ("gain", "bias"):
        if arguments[name] is not None:
            raise unsupported(f"the argument '{name}' of Image.visualize")
    if arguments["opacity"] not in {None, 1}:
        raise unsupported("an opacity below 1 of Image.visualize")
    return _shown(arguments)


_OBJECTS = ("bands", "gain", "bias", "min", "max", "gamma")
VISUALIZE = Function(
    "Image.visualize",
    (
        Parameter("image", IMAGE),
        *(Parameter(name, "Object", None) for name in _OBJECTS),
        Parameter("opacity", "Number", None),
        Parameter("palette", "Object", None),
        Parameter("forceRgbOutput", "Boolean", False),
    ),
    IMAGE,
    "the official client for getThumbURL(): a picture of a DAG",
    _visualize,
)
FUNCTIONS = (VISUALIZE,)
