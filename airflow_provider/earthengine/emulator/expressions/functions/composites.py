"""Functions that combine many images into one: mosaics, and statistics per pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from airflow_provider.earthengine.emulator.expressions.functions.image import DEFAULT_PROJECTION
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.computed_pixels import (
    MosaicPixels,
    Numbers,
    ReducedPixels,
    shared_footprint,
)
from airflow_provider.earthengine.emulator.values.elements import Collection, Reducer
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType, union_of
from airflow_provider.earthengine.emulator.values.pixels import PixelSource

Validity = npt.NDArray[np.bool_]
Reduce = Callable[[Numbers, Validity], Numbers]


def _stacks(function: str, collection: Collection) -> list[tuple[Band, ...]]:
    """Return, for each band name, the bands of that name in the order of the images."""
    images = collection.images()
    if not images:
        return []
    first = images[0].band_ids()
    for image in images:
        if set(image.band_ids()) != set(first):
            # The first part is the real service's text, seen in public error reports.
            raise invalid_argument(
                f"{function}: Expected a homogeneous image collection, but an image with "
                f"incompatible bands was encountered. First image type: {len(first)} bands "
                f"([{', '.join(first)}]). Current image type: {len(image.bands)} bands "
                f"([{', '.join(image.band_ids())}]). Some bands might require explicit casts."
            )
    by_id = [{band.id: band for band in image.bands} for image in images]
    return [tuple(bands[band_id] for bands in by_id) for band_id in first]


def _composite(
    function: str,
    collection: Collection,
    make: Callable[[tuple[Band, ...]], tuple[PixelType, PixelSource]],
) -> Image:
    """Return the composite: unbounded, and in degrees until it gets another projection.

    Source: https://developers.google.com/earth-engine/guides/projections (2025-08).
    """
    bands = []
    for stack in _stacks(function, collection):
        kind, source = make(stack)
        bands.append(Band(stack[0].id, kind, DEFAULT_PROJECTION, None, source))
    return Image(tuple(bands))


def _mosaic(session: Session, arguments: Arguments) -> Image:
    def make(stack: tuple[Band, ...]) -> tuple[PixelType, PixelSource]:
        kind = union_of([band.pixel_type for band in stack])
        return kind, MosaicPixels(stack, kind)

    return _composite("ImageCollection.mosaic", arguments["collection"], make)


def _reducer(name: str, reduce: Reduce, kind: PixelType | None = None) -> Function:
    """Return a function that reduces a collection.

    :param kind: the type of its result; None for the type that holds all images' values.
    """
    full_name = f"reduce.{name}"

    def call(session: Session, arguments: Arguments) -> Image:
        def make(stack: tuple[Band, ...]) -> tuple[PixelType, PixelSource]:
            result = kind or union_of([band.pixel_type for band in stack])
            return result, ReducedPixels(stack, result, reduce)

        return _composite(full_name, arguments["collection"], make)

    sent_by = f"a composite of a DAG: ImageCollection.{name}()"
    return Function(full_name, (Parameter("collection", "ImageCollection"),), IMAGE, sent_by, call)


def _median(values: Numbers, is_valid: Validity) -> Numbers:
    """Return the middle of the valid values, or the mean of the two in the middle."""
    ordered = np.sort(np.where(is_valid, values, np.inf), axis=0)
    count = np.maximum(is_valid.sum(axis=0), 1)[np.newaxis]
    low = np.take_along_axis(ordered, (count - 1) // 2, axis=0)[0]
    high = np.take_along_axis(ordered, count // 2, axis=0)[0]
    return np.where(is_valid.any(axis=0), low + (high - low) / 2, 0.0)


def _mean(values: Numbers, is_valid: Validity) -> Numbers:
    total = np.where(is_valid, values, 0).sum(axis=0, dtype=np.float64)
    mean: Numbers = total / np.maximum(is_valid.sum(axis=0), 1)
    return mean


def _extreme(choose: Callable[..., Numbers], is_greatest: bool) -> Reduce:
    def reduce(values: Numbers, is_valid: Validity) -> Numbers:
        if values.dtype.kind == "f":
            worst: float = -np.inf if is_greatest else np.inf
        else:
            limits = np.iinfo(values.dtype)
            worst = limits.min if is_greatest else limits.max
        chosen = choose(np.where(is_valid, values, worst), axis=0)
        return np.where(is_valid.any(axis=0), chosen, 0)

    return reduce


def _all_non_zero(values: Numbers, is_valid: Validity) -> Numbers:
    return np.asarray(np.where(is_valid, values != 0, True).all(axis=0))


def _reduce_bands(session: Session, arguments: Arguments) -> Image:
    """Return one band computed from all bands of an image, without masked values."""
    image: Image = arguments["image"]
    reducer: Reducer = arguments["reducer"]
    if reducer != Reducer("allNonZero"):
        raise unsupported(f"Image.reduce with Reducer.{reducer.name}")
    if not image.bands:
        return Image(())
    kind = PixelType("uint8", 0, 1)
    source = ReducedPixels(image.bands, kind, _all_non_zero)
    first = image.bands[0]
    return Image((Band("all", kind, first.projection, shared_footprint(image.bands), source),))


FUNCTIONS = (
    Function(
        "Image.reduce",
        (Parameter("image", IMAGE), Parameter("reducer", "Reducer")),
        IMAGE,
        "geedim, for the fill mask of the images of a composite",
        _reduce_bands,
    ),
    Function(
        "ImageCollection.mosaic",
        (Parameter("collection", "ImageCollection"),),
        IMAGE,
        "a mosaic of a DAG; geedim",
        _mosaic,
    ),
    _reducer("median", _median, PixelType("float64")),
    _reducer("mean", _mean, PixelType("float64")),
    _reducer("max", _extreme(np.max, is_greatest=True)),
    _reducer("min", _extreme(np.min, is_greatest=False)),
)
