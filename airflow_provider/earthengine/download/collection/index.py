"""The items below a prefix -> one table of them in GeoParquet, beside them in the bucket.

A table of thousands of items is read in one request, where reading the items takes thousands. It
has one row for each item, as STAC GeoParquet defines it. Source:
https://github.com/stac-utils/stac-geoparquet/blob/main/spec/stac-geoparquet-spec.md, read 2026-11.
"""

from __future__ import annotations

import json
import logging
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.download.fields.destination import item_id_of
from airflow_provider.earthengine.download.fields.index_key import INDEX_NAME
from airflow_provider.earthengine.download.fields.layout import ITEM_SUFFIXES
from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.download.foreign import MAX_JSON_DEPTH, Foreign
from airflow_provider.earthengine.download.publish.below_prefix import (
    Place,
    list_below,
    read_keys,
)
from airflow_provider.earthengine.download.publish.claim import is_claim
from airflow_provider.earthengine.download.publish.record import FINGERPRINT
from airflow_provider.earthengine.exceptions import (
    AssetNotFoundError,
    DownloadParamsError,
    ObjectExistsError,
    ServiceUnavailableError,
)

log = logging.getLogger(__name__)

Row = dict[str, Any]

ITEM_ETAG = "earthengine:item_etag"
"""The column with the ETag of the item when it was read."""
MEDIA_TYPE = "application/vnd.apache.parquet"

_TRIES = 5
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Index:
    """An index as it was left.

    :param read_count: the items that were read, because they are new or have changed.
    :param without_place: the keys of items that no table can hold, because they have no geometry.
    """

    uri: str
    item_count: int
    read_count: int
    without_place: tuple[str, ...]


@dataclass(frozen=True)
class IndexStore:
    """Where items are, and where their index is.

    :param key: of the index.
    :param sleep: waits for a number of seconds.
    """

    bucket: Bucket
    prefix: str
    key: str
    sleep: Callable[[float], None]

    @property
    def uri(self) -> str:
        """The index's URI."""
        return self.bucket.uri(self.key)


def index_items(store: IndexStore, *, anew: bool) -> Index:
    """Write the index of the items that there are.

    :param anew: read all items; by default, only those that are new or have changed.
    :raises AssetNotFoundError: if there is no item.
    :raises ObjectExistsError: if its key holds something that is no index of this package.
    :raises ServiceUnavailableError: if others write it each time.
    """
    for number in range(_TRIES):
        known, state = _read_index(store)
        rows, without_place, read_count = _collect(store, {} if anew else known)
        if not rows:
            raise AssetNotFoundError(
                f"There is no item with a place below {store.bucket.uri(store.prefix)}; correct "
                "the bucket or the prefix."
            )
        if (rows == known and not anew) or _write(store, rows, state):
            index = Index(store.uri, len(rows), read_count, without_place)
            _warn(index)
            return index
        store.sleep(random.uniform(0, 2**number))
    raise ServiceUnavailableError(
        f"{store.uri} was written by others {_TRIES} times; run this again."
    )


def _collect(
    store: IndexStore, known: Mapping[str, Row]
) -> tuple[dict[str, Row], tuple[str, ...], int]:
    """Return the rows of all items, the keys of those without a place, and how many were read."""
    etags = list_below(store.bucket, store.prefix, ITEM_SUFFIXES)
    rows = _still_right(known, etags)
    changed = [key for key in etags if item_id_of(key) not in rows]

    def read_one(place: Place, item: Foreign) -> tuple[str, Row | None] | None:
        return _read_row(place.key, item, etags[place.key])

    read = read_keys(store.bucket, changed, ITEM_SUFFIXES, read_one)
    rows |= {row["id"]: row for _, row in read if row}
    return rows, tuple(key for key, row in read if row is None), len(read)


def _read_row(key: str, item: Foreign, etag: str) -> tuple[str, Row | None] | None:
    """Return an item's key and its row; None for an item that is being replaced.

    The row is None if the item has no place: tables have none without a geometry.

    All items have the same types in each column, whatever version of this package wrote them: what
    is nested in a property of ours is JSON text.

    :raises ForeignValueError: if this package did not write the item.
    """
    if is_claim(item):
        return None
    item.at("properties").at(FINGERPRINT).text()
    if item.at("geometry").is_absent:
        return key, None
    row: Row = dict(item.plain(MAX_JSON_DEPTH))
    row["properties"] = {
        **{
            name: json.dumps(value, ensure_ascii=False)
            if name.startswith("earthengine:") and isinstance(value, dict | list)
            else value
            for name, value in row["properties"].items()
        },
        ITEM_ETAG: etag,
    }
    for asset in row["assets"].values():
        for band in asset.get("bands", ()):
            # STAC's "nan" is a text, and the column has numbers.
            if isinstance(band.get("nodata"), str):
                del band["nodata"]
    return key, {**row, "id": item_id_of(key)}


def _still_right(known: Mapping[str, Row], etags: Mapping[str, str]) -> dict[str, Row]:
    """Return the rows of items that are as they were read."""
    present = {item_id_of(key): etag for key, etag in etags.items()}
    return {
        item_id: row
        for item_id, row in known.items()
        if present.get(item_id) == row["properties"].get(ITEM_ETAG)
    }


def _read_index(store: IndexStore) -> tuple[dict[str, Row], Precondition]:
    found = store.bucket.read_object(store.key, _MOST_BYTES)
    if found is None:
        return {}, Precondition()
    content, etag = found
    rustac = _rustac()
    with tempfile.TemporaryDirectory(prefix="earthengine-index-") as folder:
        path = Path(folder) / INDEX_NAME
        path.write_bytes(content)
        try:
            rows = rustac.read_sync(str(path))["features"]
            if not all(ITEM_ETAG in row["properties"] for row in rows):
                raise KeyError(ITEM_ETAG)
        except (rustac.RustacError, KeyError, TypeError):
            raise ObjectExistsError(
                f"{store.uri} is not an index that this package wrote; remove it, or give another "
                "key."
            ) from None
    return {row["id"]: row for row in rows}, Precondition(etag)


def _write(store: IndexStore, rows: Mapping[str, Row], state: Precondition) -> bool:
    """Return whether the index was written: its key was still in that state."""
    content = _encode([rows[item_id] for item_id in sorted(rows)])
    store.bucket.find_out_conditions(store.prefix)
    try:
        store.bucket.write_object(store.key, content, MEDIA_TYPE, state)
    except (ConditionFailedError, UploadConflictError):
        return False
    return True


def _encode(rows: Sequence[Row]) -> bytes:
    rustac = _rustac()
    with tempfile.TemporaryDirectory(prefix="earthengine-index-") as folder:
        path = Path(folder) / INDEX_NAME
        try:
            rustac.write_sync(str(path), list(rows))
        except rustac.RustacError as error:
            raise DownloadParamsError(
                f"The {len(rows):,} items do not go into one table ({error}); index prefixes "
                "whose items have the same bands and properties."
            ) from None
        return path.read_bytes()


def _warn(index: Index) -> None:
    if index.without_place:
        log.warning(
            "%d items have no place, and are not in %s: %s",
            len(index.without_place), index.uri, shown_names(index.without_place),
        )  # fmt: skip


def _rustac() -> Any:
    try:
        import rustac
    except ImportError:
        raise DownloadParamsError(
            "An index is written by rustac, which is not installed; use "
            "pip install 'airflow-provider-earthengine[index]'."
        ) from None
    return rustac
