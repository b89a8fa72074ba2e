"""The item of objects that do not exist yet: can it be written, and read again?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_provider.earthengine.download.fields.destination import Destination
from airflow_provider.earthengine.download.publish.record import StoredObject, parse_record
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    StoredObjectMismatchError,
)

BuildItem = Callable[[Sequence[StoredObject]], bytes]
"""Makes the content of an item from the stored objects, in the order of the files."""

ITEM_MEDIA_TYPE = "application/geo+json"
MAX_ITEM_BYTE_COUNT = 8 << 20
"""No larger item is written; in a claim, its quotes and line breaks take two bytes each."""


def check_item(
    destination: Destination, build_item: BuildItem, objects: Sequence[StoredObject]
) -> None:
    """Build the item, and raise if it cannot be written or read.

    :param objects: as they will be, but for their ETags.
    :raises DownloadParamsError: if it is too large.
    """
    content = build_item(objects)
    if len(content) > MAX_ITEM_BYTE_COUNT:
        raise DownloadParamsError(
            f"{destination.item_uri} would have {len(content):,} bytes, but an item has at most "
            f"{MAX_ITEM_BYTE_COUNT:,}; use fewer bands, or an image with fewer properties."
        )
    if parse_record(destination, content, "").objects != tuple(objects):
        raise StoredObjectMismatchError(
            f"{destination.item_uri} would not name the objects of the download."
        )
