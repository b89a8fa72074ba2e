"""The items below a prefix, as pystac's objects."""

from __future__ import annotations

from datetime import UTC, datetime

import pystac

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.layout import ITEM_SUFFIXES
from airflow_provider.earthengine.download.foreign import MAX_JSON_DEPTH, Foreign, ForeignValueError
from airflow_provider.earthengine.download.publish.below_prefix import Place, read_below
from airflow_provider.earthengine.download.publish.claim import is_claim
from airflow_provider.earthengine.download.publish.record import FINGERPRINT
from airflow_provider.earthengine.exceptions import AssetNotFoundError

_NEVER = datetime.max.replace(tzinfo=UTC)


def read_items(bucket: Bucket, prefix: str) -> list[pystac.Item]:
    """Return the items below the prefix, in order of time, then of key.

    :raises AssetNotFoundError: if there is none.
    """

    def read(place: Place, item: Foreign) -> pystac.Item | None:
        if is_claim(item):
            return None
        item.at("properties").at(FINGERPRINT).text()
        try:
            return pystac.Item.from_dict(item.plain(MAX_JSON_DEPTH), href=bucket.uri(place.key))
        except (pystac.STACError, KeyError, TypeError, ValueError) as error:
            raise ForeignValueError(f"{place.key} is not a STAC item: {error}") from None

    items = read_below(bucket, prefix, ITEM_SUFFIXES, read)
    if not items:
        raise AssetNotFoundError(f"There is no item below {bucket.uri(prefix)}; correct the URI.")
    return sorted(items, key=_time_of)


def _time_of(item: pystac.Item) -> datetime:
    # STAC requires the one or the other.
    return item.datetime or item.common_metadata.start_datetime or _NEVER
