"""An item, as its collection sees it: where, when, on which lattice, and with which assets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider.earthengine.download.fields.layout import ITEM_SUFFIXES
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.publish.claim import is_claim
from airflow_provider.earthengine.download.publish.published_data import TIME_SOURCE
from airflow_provider.earthengine.download.publish.record import FINGERPRINT

# What differs from item to item, or is of one file only.
_OF_ONE_ITEM = ("href", "created", "updated", "statistics")
_OF_ONE_FILE = ("file:", "proj:", "earthengine:")


@dataclass(frozen=True)
class Member:
    """An item of a collection.

    :param collection_id: "" if the item names none.
    :param bbox: west, south, east, north; west is greater than east across the antimeridian. None
        for an item without a place.
    :param interval: the first and the last moment of the data; None if they are unknown.
    :param grids: of each band whose asset has one.
    :param assets: what is the same for the assets of all items, by their names.
    :param properties: of the item.
    :param extensions: the schemas that the item declares.
    """

    key: str
    collection_id: str
    bbox: tuple[float, float, float, float] | None
    interval: tuple[datetime, datetime] | None
    grids: Mapping[str, PixelGrid]
    assets: Mapping[str, Mapping[str, Any]]
    properties: Mapping[str, Any]
    extensions: tuple[str, ...]

    def title_below(self, prefix: str) -> str:
        """Return what tells the item from others below a prefix: its path, without the suffix."""
        path = self.key.removeprefix(prefix)
        suffix = next((each for each in ITEM_SUFFIXES if path.endswith(each)), "")
        return path.removesuffix(suffix)


def read_member(key: str, item: Foreign) -> Member | None:
    """Return what an item says; None for the claim of a download that is being replaced.

    :raises ForeignValueError: if this package did not write the item.
    """
    if is_claim(item):
        return None
    properties = item.at("properties")
    properties.at(FINGERPRINT).text()
    assets = {
        name: Foreign(asset, f"the asset {name}")
        for name, asset in item.at("assets").fields().items()
    }
    extensions = item.at("stac_extensions")
    return Member(
        key=key,
        collection_id=item.at("collection").optional_text(),
        bbox=read_bbox(item.at("bbox")),
        interval=_read_interval(properties),
        grids={
            band: grid
            for asset in assets.values()
            if (grid := read_grid(asset))
            for band in _band_names(asset)
        },
        assets={name: _shared(asset.fields()) for name, asset in assets.items()},
        properties=properties.fields(),
        extensions=()
        if extensions.is_absent
        else tuple(each.text() for each in extensions.items()),
    )


def read_bbox(value: Foreign) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north.

    :raises ForeignValueError: if the value is neither a bbox in two dimensions nor absent.
    """
    if value.is_absent:
        return None
    west, south, east, north = (each.finite() for each in value.items(4))
    return west, south, east, north


def read_grid(asset: Foreign) -> PixelGrid | None:
    """Return the grid of an asset; None if the asset does not say it.

    :raises ForeignValueError: if its fields cannot be those of a grid.
    """
    crs = asset.at("proj:code")
    crs = asset.at("proj:wkt2") if crs.is_absent else crs
    if crs.is_absent or asset.at("proj:transform").is_absent:
        return None
    # STAC also allows the three terms 0, 0, 1 of the last row.
    terms = asset.at("proj:transform").items()
    if len(terms) not in (6, 9):
        asset.at("proj:transform").refuse("a list of 6 or 9")
    a, b, c, d, e, f = (each.finite() for each in terms[:6])
    height, width = (each.whole(least=1) for each in asset.at("proj:shape").items(2))
    grid = PixelGrid(crs.text(), (a, b, c, d, e, f), width, height)
    if not grid.is_placed:
        raise ForeignValueError(f"{asset.place} has a transform that places no pixel")
    return grid


def _read_interval(properties: Foreign) -> tuple[datetime, datetime] | None:
    if properties.at(TIME_SOURCE).value == "unknown":
        return None
    start, end = properties.at("start_datetime"), properties.at("end_datetime")
    if start.is_absent or end.is_absent:
        moment = properties.at("datetime")
        return None if moment.is_absent else (moment.time(), moment.time())
    return start.time(), end.time()


def _band_names(asset: Foreign) -> list[str]:
    bands = asset.at("bands")
    return [] if bands.is_absent else [band.at("name").text() for band in bands.items()]


def _shared(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of an asset, and of its bands, that the assets of all items share."""
    shared = {
        name: value
        for name, value in fields.items()
        if name not in _OF_ONE_ITEM and not name.startswith(_OF_ONE_FILE)
    }
    if isinstance(shared.get("bands"), list):
        shared["bands"] = [_shared(band) for band in shared["bands"] if isinstance(band, Mapping)]
    return shared
