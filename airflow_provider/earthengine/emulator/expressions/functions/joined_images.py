"""Functions that bring the images of collections together: merging, linking, stacking, choosing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.composites import stacks_of
from airflow_provider.earthengine.emulator.expressions.functions.image import (
    DEFAULT_PROJECTION,
    free_id,
    select_bands,
)
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.computed_pixels import MaskedPixels, fit
from airflow_provider.earthengine.emulator.values.elements import (
    Collection,
    Element,
    property_of,
)
from airflow_provider.earthengine.emulator.values.grids import PixelGrid
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType, union_of
from airflow_provider.earthengine.emulator.values.pixels import ConstantPixels, Pixels

# Source: the description in the algorithm list.
_MOST_STACKED_BANDS = 5000


def _merge(session: Session, arguments: Arguments) -> Collection:
    first: Collection = arguments["collection1"]
    elements = [
        _prefixed(element, prefix)
        for prefix, name in (("1_", "collection1"), ("2_", "collection2"))
        for element in arguments[name].elements
    ]
    return Collection(first.kind, tuple(elements))


def _prefixed(element: Element, prefix: str) -> Element:
    """Return an element whose index tells which collection it came from.

    Source: the description of Collection.merge in the algorithm list.
    """
    index = f"{prefix}{element.properties.get('system:index', '')}"
    return replace(element, properties={**element.properties, "system:index": index})


def _to_bands(session: Session, arguments: Arguments) -> Image:
    bands: list[Band] = []
    for image in arguments["collection"].images():
        index = image.properties.get("system:index", "")
        for band in image.bands:
            bands.append(replace(band, id=free_id(f"{index}_{band.id}", bands)))
    if len(bands) > _MOST_STACKED_BANDS:
        raise invalid_argument(
            f"ImageCollection.toBands: {len(bands)} bands are more than {_MOST_STACKED_BANDS}."
        )
    return Image(tuple(bands))


@dataclass(frozen=True, eq=False)
class _BestPixels:
    """Of several bands, that of the image whose quality is highest; the later one of equals."""

    bands: tuple[Band, ...]
    qualities: tuple[Band, ...]
    kind: PixelType

    def render(self, grid: PixelGrid, dtype: np.dtype[np.generic]) -> Pixels:
        values = np.zeros((grid.height, grid.width), dtype=dtype)
        is_valid = np.zeros((grid.height, grid.width), dtype=bool)
        best = np.full((grid.height, grid.width), -np.inf)
        for band, quality in zip(self.bands, self.qualities, strict=True):
            pixels, rank = band.render(grid), quality.render(grid)
            ranks = rank.values.astype(np.float64)
            is_better = rank.is_valid & (ranks >= best)
            best[is_better] = ranks[is_better]
            values[is_better] = fit(pixels.values[is_better], self.kind)
            is_valid[is_better] = pixels.is_valid[is_better]
        return Pixels(values, is_valid)


def _quality_mosaic(session: Session, arguments: Arguments) -> Image:
    name, quality = "ImageCollection.qualityMosaic", arguments["qualityBand"]
    stacks = stacks_of(name, arguments["collection"])
    if not stacks:
        return Image(())
    qualities = next((stack for stack in stacks if stack[0].id == quality), None)
    if qualities is None:
        ids = ", ".join(stack[0].id for stack in stacks)
        raise invalid_argument(f"{name}: No band '{quality}'. Available bands: [{ids}]")
    bands = []
    for stack in stacks:
        kind = union_of([band.pixel_type for band in stack])
        source = _BestPixels(stack, qualities, kind)
        bands.append(Band(stack[0].id, kind, DEFAULT_PROJECTION, None, source))
    return Image(tuple(bands))


def _link(session: Session, arguments: Arguments) -> Image:
    """Return an image with bands and properties of the image that shares a property with it."""
    image: Image = arguments["input"]
    others = arguments["imageCollection"].images()
    key = arguments["matchPropertyName"]
    wanted = property_of(image, key)
    match = next((other for other in others if property_of(other, key) == wanted), None)
    if wanted is None or not others:
        raise unsupported("Image.linkCollection without a value to match or an image to link")
    bands = list(image.bands)
    for band in select_bands(match or others[0], _texts(arguments["linkedBands"])):
        added = band if match is not None else _hidden(band, image)
        place = next((n for n, old in enumerate(bands) if old.id == band.id), None)
        if place is None:
            bands.append(added)
        else:
            bands[place] = added
    properties = dict(image.properties)
    for name in _texts(arguments["linkedProperties"]):
        properties[name] = None if match is None else match.properties.get(name)
    return replace(image, bands=tuple(bands), properties=properties)


def _hidden(band: Band, image: Image) -> Band:
    """Return a band without valid pixels, in the place of an image's."""
    nowhere = replace(band, pixel_type=PixelType("uint8"), source=ConstantPixels(0))
    first = image.bands[0] if image.bands else band
    constant = replace(band, source=ConstantPixels(0))
    return replace(
        band,
        projection=first.projection,
        footprint=first.footprint,
        source=MaskedPixels(constant, nowhere),
    )


def _texts(value: Any) -> list[str]:
    """Return one text or a list of them as a list; none for null."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


_JOINING = "a DAG that brings images of several sensors or times together"
_TWO_IMAGES = (
    Parameter("collection1", "ImageCollection"),
    Parameter("collection2", "ImageCollection"),
)
_TWO = (
    Parameter("collection1", "FeatureCollection"),
    Parameter("collection2", "FeatureCollection"),
)

FUNCTIONS = (
    Function("ImageCollection.merge", _TWO_IMAGES, "ImageCollection", _JOINING, _merge),
    Function("Collection.merge", _TWO, "FeatureCollection", _JOINING, _merge),
    Function(
        "ImageCollection.toBands",
        (Parameter("collection", "ImageCollection"),),
        IMAGE,
        _JOINING,
        _to_bands,
    ),
    Function(
        "ImageCollection.qualityMosaic",
        (Parameter("collection", "ImageCollection"), Parameter("qualityBand", "String")),
        IMAGE,
        "a composite of a DAG: the greenest pixels",
        _quality_mosaic,
    ),
    Function(
        "Image.linkCollection",
        (
            Parameter("input", IMAGE),
            Parameter("imageCollection", "ImageCollection"),
            Parameter("linkedBands", "Object", None),
            Parameter("linkedProperties", "Object", None),
            Parameter("matchPropertyName", "String", "system:index"),
        ),
        IMAGE,
        "a DAG with a cloud mask from Cloud Score+",
        _link,
    ),
)
