"""A published download -> the pages on which a person finds it and its image."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from airflow_provider.earthengine.download.publish.record import CommitRecord, Target

_CATALOG = "https://developers.google.com/earth-engine/datasets/catalog"
_CODE_EDITOR = "https://code.earthengine.google.com"
_PUBLIC = "projects/earthengine-public/assets/"
# The ids of images in the catalog's collections have a date: ``20210109T185751``, ``2020_01_01``.
_DATED = re.compile(r"(?<!\d)(?:19|20)\d\d(?:_\d\d_\d\d|\d{4})(?!\d{2})")
# Source: https://docs.aws.amazon.com/general/latest/gr/s3.html, read 2026-11.
_AWS_HOST = re.compile(r"(?:.+\.)?s3[a-z0-9.-]*\.amazonaws\.com(?:\.cn)?")


def pages_of(record: CommitRecord, target: Target, asset_id: str | None) -> dict[str, str]:
    """Return the addresses: "item", "object" and "catalog", those that there are.

    :param asset_id: of the image; None if it is computed.
    """
    item_key = target.destination.item_key
    pages = {
        "item": _page_in_console(target, item_key) or _address(target, item_key),
        "object": _page_in_console(target, record.objects[0].key) if record.objects else None,
        "catalog": _page_of_asset(asset_id),
    }
    return {name: page for name, page in pages.items() if page}


def _page_in_console(target: Target, key: str) -> str | None:
    """Return the page of AWS's console; None elsewhere, and for the ARN of an access point."""
    bucket, region = target.destination.bucket, target.endpoint.region
    host = urlsplit(target.endpoint.url).hostname or ""
    if ":" in bucket or not region or not _AWS_HOST.fullmatch(host):
        return None
    if region.startswith("us-gov-"):
        console = "console.amazonaws-us-gov.com"
    else:
        console = (
            f"{region}.console.{'amazonaws.cn' if region.startswith('cn-') else 'aws.amazon.com'}"
        )
    return f"https://{console}/s3/object/{bucket}?region={region}&prefix={quote(key, safe='')}"


def _address(target: Target, key: str) -> str | None:
    """Return the address of an object that is not in AWS, for browsers that may read it."""
    endpoint = urlsplit(target.endpoint.url)
    host = endpoint.hostname or ""
    if endpoint.scheme not in ("http", "https") or endpoint.username or _AWS_HOST.fullmatch(host):
        return None
    return f"{endpoint.scheme}://{endpoint.netloc}/{target.destination.bucket}/{quote(key)}"


def _page_of_asset(asset_id: str | None) -> str | None:
    """Return the page of the dataset; of an asset of somebody's own, that in the Code Editor."""
    if not asset_id:
        return None
    public = asset_id.removeprefix(_PUBLIC)
    if public.startswith(("projects/", "users/")):
        return f"{_CODE_EDITOR}/?asset={quote(public)}"
    collection, _, last = public.rpartition("/")
    dataset = collection if collection and _DATED.search(last) else public
    return f"{_CATALOG}/{quote(dataset.replace('/', '_'))}"
