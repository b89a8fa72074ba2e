"""Where an item is, and the entries of Earth Engine's catalog that its pixels are from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider.earthengine.download.fields.collection import StacCollection
from airflow_provider.earthengine.download.fields.destination import Destination

# The catalog has a document for each collection, and for each image outside of collections. Source:
# https://developers.google.com/earth-engine/guides/access and
# https://github.com/google/earthengine-catalog, read 2026-11.
_CATALOG = "https://storage.googleapis.com/earthengine-stac/catalog"


def build_links(
    destination: Destination, catalogued: Iterable[str], collection: StacCollection | None
) -> list[dict[str, Any]]:
    """Return the item's links.

    :param catalogued: ids of assets as the catalog has them.
    """
    return [
        {"rel": "self", "href": destination.item_uri, "type": "application/geo+json"},
        *([collection.link_from(destination.item_key)] if collection else []),
        *(
            {
                "rel": "derived_from",
                "href": _catalog_url(asset_id),
                "type": "application/json",
                "title": asset_id,
            }
            for asset_id in catalogued
        ),
    ]


def _catalog_url(asset_id: str) -> str:
    folder = asset_id.partition("/")[0]
    return f"{_CATALOG}/{folder}/{asset_id.replace('/', '_')}.json"
