"""The document of a STAC Collection: what it says of its items, and how one more changes it.

Everything but the texts follows from the items, so that it can be written anew from them at any
time. What else somebody has written into it stays.
Source: https://github.com/radiantearth/stac-spec/blob/v1.1.0/collection-spec/collection-spec.md,
read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider.earthengine.download.collection.extent import read_extent, write_extent
from airflow_provider.earthengine.download.collection.lattices import (
    check_same_lattices,
    read_grids,
    write_grids,
)
from airflow_provider.earthengine.download.collection.member import Member
from airflow_provider.earthengine.download.collection.summaries import (
    extensions_of,
    widen_item_assets,
    widen_summaries,
)
from airflow_provider.earthengine.download.fields.collection import (
    COLLECTION_NAME,
    OTHER_LICENSE,
    StacCollection,
    relative_link,
)
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError, parse_json
from airflow_provider.earthengine.download.publish.check_item import ITEM_MEDIA_TYPE

COLLECTION_MEDIA_TYPE = "application/json"
GRIDS = "earthengine:grids"
MIXED_GRIDS = "earthengine:mixed_grids"
MAX_ITEM_LINKS = 10_000
"""A document has links to no more items: each writer reads and writes all of it."""

_DERIVED = ("extent", "item_assets", "summaries", "stac_extensions", GRIDS)


def new_document(collection: StacCollection) -> dict[str, Any]:
    """Return the document of a collection without items."""
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": collection.id,
        "description": f"The rasters of {collection.id}, downloaded from Google Earth Engine.",
        "license": OTHER_LICENSE,
        "links": [],
        GRIDS: {},
    }


def parse_document(content: bytes, uri: str) -> dict[str, Any]:
    """Return the document.

    :raises ForeignValueError: if this package did not write it, or it is damaged.
    """
    document = parse_json(content, uri)
    if document.at("type").value != "Collection":
        raise ForeignValueError(f"{uri} is not a STAC Collection")
    document.at("id").text()
    if document.at(GRIDS).is_absent:
        raise ForeignValueError(f"{uri} was not written by this package")
    read_grids(document.at(GRIDS))
    read_extent(document.at("extent"))
    for link in document.at("links").items():
        link.fields()
    for name in ("summaries", "item_assets"):
        if not document.at(name).is_absent:
            document.at(name).fields()
    return dict(document.fields())


def encode_document(document: Mapping[str, Any]) -> bytes:
    """Return the content of the document's object."""
    return json.dumps(document, indent=2, allow_nan=False).encode()


def without_items(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document without anything that follows from items."""
    kept = {name: value for name, value in document.items() if name not in _DERIVED}
    links = [link for link in document["links"] if link.get("rel") != "item"]
    return {**kept, "stac_extensions": [], "links": links, GRIDS: {}}


def with_texts(document: Mapping[str, Any], collection: StacCollection) -> dict[str, Any]:
    """Return the document with what the user says of the collection; the rest stays."""
    changed = {**document, **collection.texts}
    if "license" in collection.texts:
        others = [link for link in document["links"] if link.get("rel") != "license"]
        url = collection.license_url
        changed["links"] = [*others, *([{"rel": "license", "href": url}] if url else [])]
    if collection.mixed_grids:
        changed[MIXED_GRIDS] = True
    return changed


def with_items(
    document: Mapping[str, Any], collection_uri: str, key: str, members: Sequence[Member]
) -> dict[str, Any]:
    """Return the document, widened by items.

    :param key: of the document.
    :raises DownloadParamsError: if the pixels of one lie on another lattice than the collection's.
    """
    grids = read_grids(Foreign(document[GRIDS]))
    is_mixed = document.get(MIXED_GRIDS) is True
    for member in members:
        if not is_mixed:
            check_same_lattices(collection_uri, grids, member.grids, f"the item {member.key}")
        grids = {**member.grids, **grids}
    widened = {
        **document,
        "extent": _widen_extent(document.get("extent"), members),
        "links": _widen_links(document["links"], collection_uri, key, members),
        "summaries": widen_summaries(document.get("summaries") or {}, members),
        "item_assets": widen_item_assets(document.get("item_assets") or {}, members),
        GRIDS: write_grids(grids),
    }
    if not widened["summaries"]:
        del widened["summaries"]
    widened["stac_extensions"] = extensions_of(widened, members)
    return widened


def _widen_extent(extent: Any, members: Iterable[Member]) -> dict[str, Any]:
    bboxes = [each.bbox for each in members if each.bbox]
    intervals: list[Any] = [each.interval for each in members if each.interval]
    if extent is not None:
        bbox, interval = read_extent(Foreign(extent, "extent"))
        bboxes, intervals = [bbox, *bboxes], [interval, *intervals]
    return write_extent(bboxes, intervals)


def _widen_links(
    links: Sequence[Mapping[str, Any]], collection_uri: str, key: str, members: Iterable[Member]
) -> list[Mapping[str, Any]]:
    """Return the links, with one to the document itself and one to each item, in their order."""
    by_href = {link.get("href"): link for link in links if link.get("rel") == "item"}
    for member in members:
        href = relative_link(key, member.key)
        if href not in by_href and len(by_href) < MAX_ITEM_LINKS:
            title = member.title_below(key.removesuffix(COLLECTION_NAME))
            by_href[href] = {
                "rel": "item", "href": href, "type": ITEM_MEDIA_TYPE, "title": title
            }  # fmt: skip
    to_self = {"rel": "self", "href": collection_uri, "type": COLLECTION_MEDIA_TYPE}
    others = [link for link in links if link.get("rel") not in ("item", "self")]
    return [to_self, *others, *(by_href[href] for href in sorted(by_href, key=str))]
