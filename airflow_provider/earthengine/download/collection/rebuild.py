"""The items below a prefix -> the document of their collection, written anew.

Extents become those of the items that there are now, and whatever a writer could not add is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.collection.document import (
    new_document,
    with_items,
    with_texts,
    without_items,
)
from airflow_provider.earthengine.download.collection.member import Member, read_member
from airflow_provider.earthengine.download.collection.store import CollectionStore, Document
from airflow_provider.earthengine.download.fields.collection import StacCollection, read_collection
from airflow_provider.earthengine.download.fields.layout import ITEM_SUFFIXES
from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.download.publish.below_prefix import read_below
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadParamsError,
    ObjectExistsError,
)


@dataclass(frozen=True)
class Rebuilt:
    """A collection that was written anew.

    :param other_count: items below the prefix that name another collection, or none.
    """

    uri: str
    id: str
    item_count: int
    other_count: int


def rebuild_collection(store: CollectionStore, given: dict[str, Any]) -> Rebuilt:
    """Write the document from the items below its prefix.

    :param given: what the user says of the collection, as in the operator's field; the id is that
        of the document or the items if it is not given.
    :raises AssetNotFoundError: if no item names the collection.
    :raises DownloadParamsError: if the items name several collections, or lie on several lattices.
    :raises ObjectExistsError: if the document is another collection's, or not of this package.
    """
    counts: list[int] = []

    def change(before: Document | None) -> Document:
        members = read_below(
            store.bucket,
            store.prefix,
            ITEM_SUFFIXES,
            lambda place, item: read_member(place.key, item),
        )
        collection = _describe(store, given, before, members)
        joined = [each for each in members if each.collection_id == collection.id]
        if not joined:
            raise AssetNotFoundError(
                f"No item below {store.bucket.uri(store.prefix)} names the collection "
                f"{collection.id}; publish items with the operator's field collection."
            )
        counts[:] = [len(joined), len(members) - len(joined)]
        document = without_items(before) if before else new_document(collection)
        return with_items(with_texts(document, collection), store.uri, store.key, joined)

    document = store.change(change)
    return Rebuilt(store.uri, document["id"], *counts)


def _describe(
    store: CollectionStore, given: dict[str, Any], before: Document | None, members: list[Member]
) -> StacCollection:
    ids = sorted({each.collection_id for each in members if each.collection_id})
    known = [before["id"]] if before else ids
    chosen = given.get("id") or (known[0] if len(known) == 1 else None)
    if chosen is None and not known:
        raise AssetNotFoundError(
            f"No item below {store.bucket.uri(store.prefix)} names a collection; publish items "
            "with the operator's field collection."
        )
    if chosen is None:
        raise DownloadParamsError(
            f"The items below {store.bucket.uri(store.prefix)} name the collections "
            f"{shown_names(ids)}; give one as id, or a prefix with items of one.",
            field="collection",
        )
    if before and before["id"] != chosen:
        raise ObjectExistsError(
            f"{store.uri} is the collection {before['id']}, and not {chosen}; remove it, or use "
            "its id."
        )
    described = read_collection({**given, "id": chosen, "prefix": store.prefix or "/"})
    assert described is not None  # It has an id.
    return described
