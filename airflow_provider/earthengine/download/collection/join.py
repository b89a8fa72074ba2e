"""A download and its collection: may it join, and its item joins once it is published.

The item does not depend on it: whatever fails here, the download is complete.
"""

from __future__ import annotations

import logging

from airflow_provider.earthengine.download.collection.document import (
    GRIDS,
    MAX_ITEM_LINKS,
    MIXED_GRIDS,
    new_document,
    with_items,
    with_texts,
)
from airflow_provider.earthengine.download.collection.lattices import (
    Grids,
    check_same_lattices,
    read_grids,
)
from airflow_provider.earthengine.download.collection.member import Member, read_member
from airflow_provider.earthengine.download.collection.store import CollectionStore, Document
from airflow_provider.earthengine.download.fields.collection import StacCollection
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError, parse_json
from airflow_provider.earthengine.exceptions import (
    DownloadCancelledError,
    DownloadParamsError,
    EarthEngineProviderError,
    ObjectExistsError,
    ServiceUnavailableError,
)
from airflow_provider.earthengine.one_line import one_line

log = logging.getLogger(__name__)


def check_may_join(store: CollectionStore, collection: StacCollection, grids: Grids) -> None:
    """Raise, before anything is fetched, if the download cannot be of the collection.

    :param grids: the planned grid of each band that has one.
    :raises ObjectExistsError: if the document is another collection's.
    :raises DownloadParamsError: if the pixels lie on another lattice than the collection's.
    """
    try:
        document, _ = store.read()
    except DownloadCancelledError:
        raise
    except EarthEngineProviderError as error:
        # No raster should fail for it.
        log.warning("%s", one_line(str(error)))
        return
    if document is None:
        return
    _check_id(store, collection, document)
    if not (collection.mixed_grids or document.get(MIXED_GRIDS) is True):
        known = read_grids(Foreign(document[GRIDS]))
        check_same_lattices(store.uri, known, grids, "this download")


def join(store: CollectionStore, collection: StacCollection, item_key: str) -> None:
    """Add a published item to its collection, whose document is created if there is none.

    :raises ObjectExistsError: if the document is another collection's, or not of this package.
    :raises DownloadParamsError: if the item is not of the collection.
    :raises ServiceUnavailableError: if other writers come first each time.
    """
    member = _read_published(store, collection, item_key)

    def change(before: Document | None) -> Document:
        if before is not None:
            _check_id(store, collection, before)
        document = with_texts(before or new_document(collection), collection)
        return with_items(document, store.uri, store.key, [member])

    document = store.change(change)
    count = sum(link.get("rel") == "item" for link in document["links"])
    if count >= MAX_ITEM_LINKS:
        log.warning(
            "%s has links to %s items and gets no more; use an index of the prefix.",
            store.uri, f"{count:,}",
        )  # fmt: skip


def _read_published(store: CollectionStore, collection: StacCollection, item_key: str) -> Member:
    uri = store.bucket.uri(item_key)
    found = store.bucket.read_object(item_key)
    try:
        member = None if found is None else read_member(item_key, parse_json(found[0], uri))
    except ForeignValueError as error:
        raise ObjectExistsError(f"{uri} is not an item of this package: {error}.") from None
    if member is None:
        raise ServiceUnavailableError(f"{uri} has just been replaced by another attempt.")
    if member.collection_id != collection.id:
        said = (
            f"names the collection {member.collection_id}"
            if member.collection_id
            else "names no collection"
        )
        raise DownloadParamsError(
            f"{uri} {said}, and not {collection.id}: it was published before; publish it again "
            "with if_exists='replace'.",
            field="collection",
        )
    return member


def _check_id(store: CollectionStore, collection: StacCollection, document: Document) -> None:
    if document["id"] != collection.id:
        raise ObjectExistsError(
            f"{store.uri} is the collection {document['id']}, and not {collection.id}; give "
            "another prefix in collection, or the same id."
        )
