"""A bucket's STAC items and the rasters that they name, read back and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stack.processes import StackError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The STAC file extension writes a multihash: two bytes for "sha2-256, 32 bytes", then the digest.
# Source: https://github.com/stac-extensions/file#checksums, https://github.com/multiformats/multicodec
# (2026-11-22)
_SHA256_MULTIHASH = "1220"


@dataclass(frozen=True)
class StoredRaster:
    """One GeoTIFF of the bucket, as rasterio reads it."""

    uri: str
    bands: int
    width: int
    height: int
    crs: str
    sha256: str


def list_keys(client: S3Client, bucket: str) -> list[str]:
    """Return the keys of a bucket, in order, but for those of pictures: each is another one."""
    return [key for key in _keys(client, bucket) if not is_picture(key)]


def list_pictures(client: S3Client, bucket: str) -> list[str]:
    """Return the keys of the pictures in a bucket."""
    return [key for key in _keys(client, bucket) if is_picture(key)]


def is_picture(key: str) -> bool:
    """Return whether an object with this key is the picture of a download."""
    return ".thumbnail." in key


def _keys(client: S3Client, bucket: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def read_rasters(client: S3Client, bucket: str) -> list[StoredRaster]:
    """Return every GeoTIFF that an item of this bucket names.

    :raises StackError: if the bytes do not have the sha256 that the item records.
    """
    items = [read_item(client, bucket, key) for key in list_keys(client, bucket) if _is_item(key)]
    return [
        read_raster(client, asset["href"], recorded_sha256(asset))
        for item in items
        for asset in item["assets"].values()
        if urlsplit(asset["href"]).path.endswith(".tif")
    ]


def _is_item(key: str) -> bool:
    is_collection = key.rpartition("/")[2] == "collection.json"
    return key.endswith(".json") and not key.endswith(".empty.json") and not is_collection


def read_item(client: S3Client, bucket: str, key: str) -> dict[str, Any]:
    """Return a STAC item as a dictionary."""
    item: dict[str, Any] = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return item


def recorded_sha256(asset: dict[str, Any]) -> str:
    """Return the hexadecimal sha256 that an item's asset records."""
    return str(asset["file:checksum"]).removeprefix(_SHA256_MULTIHASH)


def read_raster(client: S3Client, uri: str, wanted_sha256: str) -> StoredRaster:
    """Fetch one GeoTIFF, compare its bytes with the record, and read its metadata.

    :raises StackError: if the digest differs.
    """
    from rasterio.io import MemoryFile

    address = urlsplit(uri)
    body = client.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"].read()
    sha256 = hashlib.sha256(body).hexdigest()
    if sha256 != wanted_sha256:
        raise StackError(f"{uri} has the sha256 {sha256}, but its item records {wanted_sha256}")
    with MemoryFile(body) as file, file.open() as raster:
        crs = str(raster.crs)
        return StoredRaster(uri, raster.count, raster.width, raster.height, crs, sha256)


def table(rasters: Sequence[StoredRaster]) -> str:
    """Return rasters as aligned lines of text under a heading."""
    heading = ("URI", "bands", "size (w x h)", "crs", "sha256")
    rows = [
        (r.uri, str(r.bands), f"{r.width} x {r.height}", r.crs, r.sha256[:12])
        for r in sorted(rasters, key=lambda raster: raster.uri)
    ]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heading, *rows)
    )
