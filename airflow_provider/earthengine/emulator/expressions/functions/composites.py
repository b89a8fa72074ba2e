"""Functions that combine many images into one: mosaics, and statistics per pixel."""

from __future__ import annotations

from collections.abc import Callable

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
    ReducedPixels,
    shared_footprint,
)
from airflow_provider.earthengine.emulator.values.elements import Collection, Reducer
from airflow_provider.earthengine.emulator.values.images import Band, Image, PixelType, union_of
from airflow_provider.earthengine.emulator.values.pixels import PixelSource
from airflow_provider.earthengine.emulator.values.statistics import STATISTICS, Statistic


def stacks_of(function: str, collection: Collection) -> list[tuple[Band, ...]]:
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
    for stack in stacks_of(function, collection):
        kind, source = make(stack)
        bands.append(Band(stack[0].id, kind, DEFAULT_PROJECTION, None, source))
    return Image(tuple(bands))


def _mosaic(session: Session, arguments: Arguments) -> Image:
    def make(stack: tuple[Band, ...]) -> tuple[PixelType, PixelSource]:
        kind = union_of([band.pixel_type for band in stack])
        return kind, MosaicPixels(stack, kind)

    return _composite("ImageCollection.mosaic", arguments["collection"], make)


def _reducer(name: str) -> Function:
    """Return a function that reduces a collection to one statistic of the same band names."""
    statistic = STATISTICS[name]
    full_name = f"reduce.{name}"

    def call(session: Session, arguments: Arguments) -> Image:
        def make(stack: tuple[Band, ...]) -> tuple[PixelType, PixelSource]:
            return reduced(stack, statistic)

        return _composite(full_name, arguments["collection"], make)

    sent_by = f"a composite of a DAG: ImageCollection.{name}()"
    return Function(full_name, (Parameter("collection", "ImageCollection"),), IMAGE, sent_by, call)


def reduced(stack: tuple[Band, ...], statistic: Statistic) -> tuple[PixelType, PixelSource]:
    """Return the type and the pixels of a statistic of several bands."""
    kind = statistic.kind([band.pixel_type for band in stack])
    return kind, ReducedPixels(stack, kind, statistic.over_bands)


def _reduce_bands(session: Session, arguments: Arguments) -> Image:
    """Return, for each output, one band computed from all bands of an image where not masked."""
    image: Image = arguments["image"]
    outputs = statistics_of("Image.reduce", arguments["reducer"])
    if not image.bands:
        return Image(())
    place = image.bands[0].projection, shared_footprint(image.bands)
    return Image(
        tuple(
            Band(name, kind, *place, source)
            for name, (kind, source) in (
                (name, reduced(image.bands, statistic)) for name, statistic in outputs
            )
        )
    )


def _reduce_images(session: Session, arguments: Arguments) -> Image:
    """Return, for each band and output, one band computed from that band of all images."""
    name = "ImageCollection.reduce"
    outputs = statistics_of(name, arguments["reducer"])
    bands = []
    for stack in stacks_of(name, arguments["collection"]):
        for output, statistic in outputs:
            kind, source = reduced(stack, statistic)
            band_id = f"{stack[0].id}_{output}"
            bands.append(Band(band_id, kind, DEFAULT_PROJECTION, None, source))
    return Image(tuple(bands))


def statistics_of(function: str, reducer: Reducer) -> tuple[tuple[str, Statistic], ...]:
    """Return the outputs of a reducer that makes numbers.

    :raises ApiError: if it does not; names it.
    """
    if not reducer.outputs:
        raise unsupported(f"{function} with Reducer.{reducer.name}")
    return reducer.outputs


FUNCTIONS = (
    Function(
        "Image.reduce",
        (Parameter("image", IMAGE), Parameter("reducer", "Reducer")),
        IMAGE,
        "geedim, for the fill mask of the images of a composite; a DAG, for a statistic of bands",
        _reduce_bands,
    ),
    Function(
        "ImageCollection.reduce",
        (
            Parameter("collection", "ImageCollection"),
            Parameter("reducer", "Reducer"),
            Parameter("parallelScale", "Float", 1.0),
        ),
        IMAGE,
        "a composite of a DAG: ImageCollection.reduce(ee.Reducer.percentile([50]))",
        _reduce_images,
    ),
    Function(
        "ImageCollection.mosaic",
        (Parameter("collection", "ImageCollection"),),
        IMAGE,
        "a mosaic of a DAG; geedim",
        _mosaic,
    ),
    *map(_reducer, ("median", "mean", "max", "min", "count", "sum")),
)
