"""Functions that read, set and fill masks, and normalizedDifference, which masks by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from airflow_provider.earthengine.emulator.expressions.functions.elementwise import (
    BOOLEAN,
    computed_band,
)
from airflow_provider.earthengine.emulator.expressions.functions.image import CONSTANT, select_bands
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument
from airflow_provider.earthengine.emulator.values.computed_pixels import (
    ComputedPixels,
    FilledPixels,
    MaskedPixels,
    Numbers,
    RemaskedPixels,
    Validity,
    shared_footprint,
)
from airflow_provider.earthengine.emulator.values.grids import Footprint
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType, union_of

_MASK_TYPE = PixelType("float32", 0, 1)


def _one_for_each(function: str, image: Image, other: Image) -> Sequence[Band]:
    """Return the other image's band for each band of an image: its only one, or the same."""
    if len(other.bands) == 1:
        return other.bands * len(image.bands)
    if len(other.bands) != len(image.bands):
        raise _unmatched(function, image, other)
    return other.bands


def _unmatched(function: str, image: Image, other: Image) -> ApiError:
    return invalid_argument(
        f"{function}: The other image must have one band or as many as the input: "
        f"{len(other.bands)} and {len(image.bands)}."
    )


def _update_mask(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    masks = _one_for_each("Image.updateMask", image, arguments["mask"])
    bands = (
        replace(band, source=MaskedPixels(band, mask))
        for band, mask in zip(image.bands, masks, strict=True)
    )
    return replace(image, bands=tuple(bands))


def _self_mask(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    bands = (replace(band, source=MaskedPixels(band, band)) for band in image.bands)
    return replace(image, bands=tuple(bands))


def _mask(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["image"]
    if arguments["mask"] is None:
        return replace(image, bands=tuple(_validity(band) for band in image.bands))
    masks = _one_for_each("Image.mask", image, arguments["mask"])
    remasked = (
        replace(band, source=RemaskedPixels(band, mask))
        for band, mask in zip(image.bands, masks, strict=True)
    )
    return replace(image, bands=tuple(remasked))


def _validity(band: Band) -> Band:
    return replace(band, pixel_type=_MASK_TYPE, source=Validity(band), is_cast=False)


def _unmask(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["input"]
    value = arguments["value"] or CONSTANT.call(session, {"value": 0})
    is_bounded = arguments["sameFootprint"]

    def fill(band: Band, filler: Band) -> Band:
        kind = union_of([band.pixel_type, filler.pixel_type])
        limit = band.footprint if is_bounded else None
        footprint = limit if is_bounded else _union(band, filler)
        source = FilledPixels(band, filler, kind, limit)
        return replace(band, pixel_type=kind, footprint=footprint, source=source)

    fillers = _one_for_each("Image.unmask", image, value)
    bands = (fill(band, filler) for band, filler in zip(image.bands, fillers, strict=True))
    return replace(image, bands=tuple(bands))


def _union(band: Band, filler: Band) -> Footprint | None:
    """Return the footprint around both; None if either is everywhere."""
    if band.footprint is None or filler.footprint is None:
        return None
    other = filler.footprint.box_in(band.footprint.projection)
    if other is None:
        return None
    return Footprint(band.footprint.projection, band.footprint.box.union(other.snapped()))


def _where(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["input"]
    tests = _one_for_each("Image.where", image, arguments["test"])
    values = _one_for_each("Image.where", image, arguments["value"])
    bands = []
    for band, test, value in zip(image.bands, tests, values, strict=True):
        kind = union_of([band.pixel_type, value.pixel_type])
        valid_test = replace(test, source=MaskedPixels(test, test))
        chosen = replace(value, source=MaskedPixels(value, valid_test))
        # The chosen value, else the input; masked where the input is masked.
        filled = replace(chosen, pixel_type=kind, source=FilledPixels(chosen, band, kind, None))
        presence = replace(band, pixel_type=BOOLEAN, source=Validity(band))
        source = MaskedPixels(filled, presence)
        bands.append(replace(band, pixel_type=kind, source=source))
    return replace(image, bands=tuple(bands))


def _normalized_difference(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["input"]
    names = arguments["bandNames"]
    if names is not None and len(names) != 2:
        raise invalid_argument("Image.normalizedDifference: Exactly two band names are required.")
    bands = image.bands[:2] if names is None else select_bands(image, names)
    if len(bands) != 2:
        raise invalid_argument("Image.normalizedDifference: Two bands are required.")

    def difference(first: Numbers, second: Numbers) -> Numbers:
        total = first + second
        return np.where(total == 0, 0.0, (first - second) / np.where(total == 0, 1, total))

    band = computed_band("nd", bands, PixelType("float32", -1, 1), difference)
    not_negative = [_is_not_negative(band) for band in bands]
    for condition in not_negative:
        band = replace(band, source=MaskedPixels(band, condition))
    return Image((band,))


def _is_not_negative(band: Band) -> Band:
    source = ComputedPixels((band,), BOOLEAN, lambda values: values >= 0)
    return replace(band, pixel_type=BOOLEAN, source=source, footprint=shared_footprint([band]))


_MASKING = "a cloud mask of a DAG"

FUNCTIONS = (
    Function(
        "Image.updateMask",
        (Parameter("image", IMAGE), Parameter("mask", IMAGE)),
        IMAGE,
        _MASKING,
        _update_mask,
    ),
    Function("Image.selfMask", (Parameter("image", IMAGE),), IMAGE, _MASKING, _self_mask),
    Function(
        "Image.mask",
        (Parameter("image", IMAGE), Parameter("mask", IMAGE, None)),
        IMAGE,
        "xee for each chunk; a cloud mask of a DAG",
        _mask,
    ),
    Function(
        "Image.unmask",
        (
            Parameter("input", IMAGE),
            Parameter("value", IMAGE, None),
            Parameter("sameFootprint", "Boolean", True),
        ),
        IMAGE,
        "xee for each chunk; the provider for a nodata value",
        _unmask,
    ),
    Function(
        "Image.where",
        (Parameter("input", IMAGE), Parameter("test", IMAGE), Parameter("value", IMAGE)),
        IMAGE,
        "a composite of a DAG",
        _where,
    ),
    Function(
        "Image.normalizedDifference",
        (Parameter("input", IMAGE), Parameter("bandNames", "List<String>", None)),
        IMAGE,
        "an NDVI of a DAG",
        _normalized_difference,
    ),
)
