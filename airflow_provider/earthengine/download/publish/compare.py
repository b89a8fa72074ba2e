"""What a bucket holds, compared with what the items there record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.bucket.errors import ConditionFailedError
from airflow_provider.earthengine.download.fields.collection import COLLECTION_NAME
from airflow_provider.earthengine.download.fields.destination import Destination, read_prefix
from airflow_provider.earthengine.download.fields.layout import ITEM_SUFFIXES
from airflow_provider.earthengine.download.foreign import ForeignValueError, parse_json
from airflow_provider.earthengine.download.publish.below_prefix import place_of
from airflow_provider.earthengine.download.publish.claim import is_claim
from airflow_provider.earthengine.download.publish.record import StoredObject, read_item
from airflow_provider.earthengine.exceptions import AssetNotFoundError, DownloadParamsError

_BAND_OF_A_RASTER = re.compile(r"\.[^./]+\.tif$")


@dataclass(frozen=True)
class Finding:
    """One object, and what is wrong with it; "" if it is as recorded.

    :param uri: ``s3://`` URI of an item or of an object that it names.
    """

    uri: str
    problem: str = ""


def read_object_uri(uri: str) -> tuple[str, str]:
    """Return (bucket, key) of an ``s3://`` URI; the key of a prefix is "" or ends with a slash.

    :raises DownloadParamsError: if it is another text.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise DownloadParamsError(
            f"{uri[:200]!r} is not a URI; write s3://bucket/key of an item or a raster, or "
            "s3://bucket/prefix/ for all items below it.",
            field="uri",
        )
    return bucket, key


def read_prefix_uri(uri: str) -> tuple[str, str]:
    """Return (bucket, prefix) of an ``s3://`` URI, or of its collection's; without a last slash.

    :raises DownloadParamsError: if it is another text, or the prefix cannot be one.
    """
    bucket, key = read_object_uri(uri)
    name = f"/{COLLECTION_NAME}"
    return bucket, read_prefix(f"/{key}".removesuffix(name))


def find_item_keys(bucket: Bucket, key: str) -> list[str]:
    """Return the keys of the items that a key means: an item, a raster's, or all below a prefix.

    :raises AssetNotFoundError: if there is none.
    """
    if not key or key.endswith("/"):
        listed = bucket.list_objects(key)
        found = sorted(each for each in listed if each.endswith(ITEM_SUFFIXES))
    elif key.endswith(".json"):
        found = [key]
    else:
        names = (f"{key}.json", _BAND_OF_A_RASTER.sub(".bands.json", key))
        # A pattern may have put the raster elsewhere; it says itself where its item is.
        head = bucket.head_object(key)
        named = unquote(head.metadata.get("item", "")) if head else ""
        wanted = [each for each in (*names, named) if each.endswith(ITEM_SUFFIXES)]
        found = [each for each in wanted if bucket.head_object(each)][:1]
    if not found:
        raise AssetNotFoundError(
            f"{bucket.uri(key)} has no item; without one, there is no complete download."
        )
    return found


def compare_item(bucket: Bucket, key: str) -> list[Finding]:
    """Return a finding for the item and each object that it names; each object is read whole."""
    uri = bucket.uri(key)
    content = bucket.read_object(key)
    if content is None:
        return [Finding(uri, "does not exist")]
    suffix = next((each for each in ITEM_SUFFIXES if key.endswith(each)), ".json")
    try:
        place, item = place_of(key, suffix), parse_json(content[0], key)
        if is_claim(item):
            return [Finding(uri, "is a claim: a download is being replaced, or was not finished")]
        destination = Destination(bucket.name, place.prefix, place.base, suffix)
        record = read_item(destination, item, content[1])
    except ForeignValueError as error:
        return [Finding(uri, f"is not an item that this package wrote: {error}")]
    return [Finding(uri), *(_compare(bucket, stored) for stored in record.objects)]


def _compare(bucket: Bucket, stored: StoredObject) -> Finding:
    uri = bucket.uri(stored.key)
    if stored.key.startswith("s3://"):
        return Finding(stored.key, "is outside the place of its item")
    headed = bucket.head_object(stored.key)
    if headed is None:
        return Finding(uri, "does not exist")
    if headed.byte_count != stored.byte_count:
        text = f"has {headed.byte_count:,} bytes; the item records {stored.byte_count:,}"
        return Finding(uri, text)
    try:
        sha256 = bucket.digest_object(stored.key, headed.etag)
    except ConditionFailedError:
        return Finding(uri, "changed while it was read")
    if sha256 != stored.sha256:
        return Finding(uri, f"has the SHA-256 {sha256}; the item records {stored.sha256}")
    return Finding(uri)
