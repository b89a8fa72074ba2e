"""Does each requested band have a grid of its own, if the parameters set none?

Composites and constants have none. Earth Engine gives them pixels of one degree, so that a small
region of them becomes a single pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider.earthengine.download.client import ValueComputer
from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.plan.describe import Description
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo, read_info
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.exceptions import PermanentError, PlanError

# An image of more sources is a mosaic, which never has a grid of its own.
_SOURCES_ASKED = 10


def check_own_grids(
    client: ValueComputer, source: ImageSource, description: Description, params: DownloadParams
) -> None:
    """Raise if a band has no grid of its own, and the parameters set none.

    An asset can have the grid of one degree too. An image that is loaded or computed from it has it
    as its own.

    :raises PlanError: if there is such a band.
    """
    whole = description.whole
    if whole.id is not None:
        return
    bands = {band.id: band for band in whole.bands}
    asked = [bands[band.id] for band in description.asked.bands if band.id in bands]
    has_placeholders = any(not band.is_on_default_grid for band in whole.bands)
    suspects = [
        band
        for band in asked
        if band.is_on_default_grid
        and not params.names_pixels_of(band.id)
        and not (has_placeholders and _is_placeholder(band))
    ]
    unbounded = [band for band in suspects if band.grid is None]
    if suspects and (unbounded or not _any_source_has_them(client, source)):
        raise PlanError(
            f"Band {(unbounded or suspects)[0].id} has no grid of its own, like all composites and "
            "constants; give crs and scale, or crs and crs_transform."
        )


def _is_placeholder(band: BandInfo) -> bool:
    """Return whether the band is a single masked pixel, a placeholder for a missing band.

    Source: the Sentinel-2 images without cloud probabilities in the tests of
    https://github.com/leftfield-geospatial/geedim, read 2026-11.
    """
    grid = band.grid
    return grid is not None and (grid.width, grid.height, *grid.corner(0, 0)) == (1, 1, 0, 0)


def _any_source_has_them(client: ValueComputer, source: ImageSource) -> bool:
    """Return whether the program loads an asset that has the grid of one degree itself."""
    import ee

    asset_ids = list(dict.fromkeys(_loaded_by(source.expression)))
    if not 0 < len(asset_ids) <= _SOURCES_ASKED:
        return False
    try:
        answer = client.compute_value(ee.List([ee.Image(asset_id) for asset_id in asset_ids]))
        with reading_answer("the images that an image is computed from"):
            infos = [read_info(each.value) for each in Foreign(answer).items(len(asset_ids))]
    except PermanentError:
        # For example, one of them does not exist, and is in a branch that is not computed.
        return False
    return any(_has_default_grid(info) for info in infos)


def _has_default_grid(info: ImageInfo) -> bool:
    return any(
        band.is_on_default_grid and band.grid is not None and not _is_placeholder(band)
        for band in info.bands
    )


def _loaded_by(expression: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of the images that a program loads by name."""
    waiting: list[Any] = [expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            if node.get("functionName") == "Image.load":
                yield from _constants_of(node.get("arguments"))
            waiting += node.values()
        elif isinstance(node, list | tuple):
            waiting += node


def _constants_of(arguments: Any) -> Iterator[str]:
    asset_id = arguments.get("id") if isinstance(arguments, Mapping) else None
    constant = asset_id.get("constantValue") if isinstance(asset_id, Mapping) else None
    if isinstance(constant, str):
        yield constant
