"""Functions that load images by id, create constants, and select bands."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from affine import Affine

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType, integer_type
from airflow_provider.earthengine.emulator.values.pixels import ConstantPixels
from airflow_provider.earthengine.emulator.values.projections import Projection

# The projection of computed images until they get another: pixels of one degree.
# Source: https://developers.google.com/earth-engine/guides/projections (2025-08).
DEFAULT_PROJECTION = Projection("EPSG:4326", Affine.identity())


def select_bands(image: Image, selectors: list[Any]) -> tuple[Band, ...]:
    """Return the bands that names, patterns and indexes select, in that order.

    A band that is selected again gets a numeric suffix.

    :raises ApiError: if a selector finds nothing; names the available bands.
    """
    chosen: list[Band] = []
    for selector in selectors:
        for band in _matching_bands(image, selector):
            chosen.append(replace(band, id=free_id(band.id, chosen)))
    return tuple(chosen)


def _matching_bands(image: Image, selector: Any) -> list[Band]:
    if isinstance(selector, bool) or not isinstance(selector, (str, int, float)):
        raise invalid_argument(f"Image.select: Invalid band selector: {selector!r}.")
    if not isinstance(selector, str):
        index = int(selector)
        if index != selector or not 0 <= index < len(image.bands):
            raise invalid_argument(f"Image.select: Band index {selector} is out of range.")
        return [image.bands[index]]
    found = [band for band in image.bands if band.id == selector]
    if not found:
        found = _bands_by_pattern(image, selector)
    if not found:
        raise _no_match(image, selector)
    return found


def _bands_by_pattern(image: Image, pattern: str) -> list[Band]:
    try:
        compiled = re.compile(pattern)
    except re.error:
        return []
    return [band for band in image.bands if compiled.fullmatch(band.id)]


def _no_match(image: Image, pattern: str) -> ApiError:
    """Return the refusal; both texts are the real service's, seen in public reports up to 2026."""
    if not image.bands:
        return invalid_argument(
            f"Image.select: Band pattern '{pattern}' was applied to an Image with no bands."
        )
    return invalid_argument(
        f"Image.select: Band pattern '{pattern}' did not match any bands. "
        f"Available bands: [{', '.join(image.band_ids())}]"
    )


def free_id(band_id: str, taken: list[Band]) -> str:
    """Return a band's id, with a number if bands already have it."""
    used = {band.id for band in taken}
    candidate, number = band_id, 0
    while candidate in used:
        number += 1
        candidate = f"{band_id}_{number}"
    return candidate


def _load(session: Session, arguments: Arguments) -> Image:
    return session.load_image(arguments["id"], arguments["version"])


def _constant(session: Session, arguments: Arguments) -> Image:
    value = arguments["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CONSTANT.fail("Parameter 'value' must be a number.")
    pixel_type = PixelType("float64", value, value)
    if isinstance(value, int):
        pixel_type = replace(integer_type(value, value), minimum=value, maximum=value)
    band = Band("constant", pixel_type, DEFAULT_PROJECTION, None, ConstantPixels(value))
    return Image((band,))


def _select(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["input"]
    bands = select_bands(image, arguments["bandSelectors"])
    names = arguments["newNames"]
    if names is not None:
        if len(names) != len(bands):
            raise SELECT.fail(
                f"{len(bands)} bands were selected, but {len(names)} names were given."
            )
        bands = tuple(replace(band, id=name) for band, name in zip(bands, names, strict=True))
    return replace(image, bands=bands)


def _add_bands(session: Session, arguments: Arguments) -> Image:
    target, source = arguments["dstImg"], arguments["srcImg"]
    names = arguments["names"]
    added = source.bands if names is None else select_bands(source, names)
    bands = list(target.bands)
    for band in added:
        place = next((n for n, old in enumerate(bands) if old.id == band.id), None)
        if place is not None and arguments["overwrite"]:
            bands[place] = band
        else:
            bands.append(replace(band, id=free_id(band.id, bands)))
    return Image(tuple(bands), target.properties)


def _slice(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    end = arguments["end"]
    bands = image.bands[int(arguments["start"]) : None if end is None else int(end)]
    return replace(image, bands=bands)


CONSTANT = Function(
    "Image.constant",
    (Parameter("value", "Object"),),
    IMAGE,
    "the official client for ee.Image(number)",
    _constant,
)

SELECT = Function(
    "Image.select",
    (
        Parameter("input", IMAGE),
        Parameter("bandSelectors", "List<Object>"),
        Parameter("newNames", "List<String>", None),
    ),
    IMAGE,
    "the official client for each band of a per-band download",
    _select,
)

FUNCTIONS = (
    Function(
        "Image.load",
        (Parameter("id", "String"), Parameter("version", "Long", -1)),
        IMAGE,
        "the official client for ee.Image(id)",
        _load,
    ),
    CONSTANT,
    SELECT,
    Function(
        "Image.addBands",
        (
            Parameter("dstImg", IMAGE),
            Parameter("srcImg", IMAGE),
            Parameter("names", "List<String>", None),
            Parameter("overwrite", "Boolean", False),
        ),
        IMAGE,
        "the official client to join the bands of a per-band download",
        _add_bands,
    ),
    Function(
        "Image.slice",
        (
            Parameter("image", IMAGE),
            Parameter("start", "Integer"),
            Parameter("end", "Integer", None),
        ),
        IMAGE,
        "geedim for the bands of each tile",
        _slice,
    ),
)
