"""Which download this is, where it goes, and what its item records of it.

The item is the commit record: what is parsed here was written by the item step, last of all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.values import (
    read_boolean,
    read_json,
    read_key_prefix,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, read 2026-11.
_MAX_KEY_BYTE_COUNT = 1024

# Encryption, tags, class and access; nothing that would touch content, names or conditions.
_EXTRA_ARGS = (
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "SSEKMSEncryptionContext",
    "BucketKeyEnabled",
    "Tagging",
    "StorageClass",
    "ACL",
)


class IfExists(StrEnum):
    """What becomes of another download that is at the destination already.

    ``FAIL`` leaves it and fails; ``REPLACE_CHANGED`` replaces it; ``REPLACE`` replaces even the
    same download, once a run of the task, so that a retry does not do again what the first try
    did. With the first two, the same download found there is the result.
    """

    FAIL = "fail"
    REPLACE_CHANGED = "replace_changed"
    REPLACE = "replace"


@dataclass(frozen=True)
class Destination:
    """Where a download goes: names that are known before anything is fetched."""

    bucket: str
    prefix: str
    base: str
    item_suffix: str

    def key(self, suffix: str) -> str:
        """Return the key of the object with this suffix.

        :raises DownloadParamsError: it is longer than a key may be.
        """
        key = f"{self.prefix}/{self.base}{suffix}" if self.prefix else f"{self.base}{suffix}"
        if len(key.encode()) > _MAX_KEY_BYTE_COUNT:
            raise DownloadParamsError(
                f"The key {shown(key)} is {len(key.encode()):,} bytes long, and a key has at most "
                f"{_MAX_KEY_BYTE_COUNT:,}; shorten s3_prefix or name.",
                field="s3_prefix",
            )
        return key

    @property
    def item_key(self) -> str:
        """The item's key."""
        return self.key(self.item_suffix)

    @property
    def item_uri(self) -> str:
        """The item's URI."""
        return self.uri(self.item_key)

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self.bucket}/{key}"


@dataclass(frozen=True)
class Identity:
    """Which download this is, and which run of the task makes it.

    :param fingerprint: the same for the same program, parameters and layout.
    :param generation: the same for all tries of one run of the task.
    """

    fingerprint: str
    generation: str
    if_exists: IfExists

    def owns(self, fingerprint: str, generation: str) -> bool:
        """Return whether what carries these is what this attempt would have written."""
        if fingerprint != self.fingerprint:
            return False
        return self.if_exists is not IfExists.REPLACE or generation == self.generation


def fingerprint_download(
    image: ImageSource,
    params: DownloadParams,
    layout: str,
    nodata: float | None = None,
    compression: str | None = None,
) -> str:
    """Return what is the same for the same program, parameters, layout and nodata alone.

    :param compression: as the user named it; None: not named.

    The project, the endpoint, the run and the versions of libraries do not enter it.
    """
    parts: dict[str, Any] = {
        "expression": image.expression, "params": params.to_request(), "layout": layout
    }  # fmt: skip
    if nodata is not None:
        parts["nodata"] = nodata
    if compression is not None:
        parts["compression"] = compression
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"v1:{hashlib.sha256(canonical.encode()).hexdigest()}"


def read_if_exists(value: Any) -> IfExists:
    """Return the mode.

    :raises DownloadParamsError: for an unknown one.
    """
    try:
        return IfExists(value)
    except ValueError:
        raise DownloadParamsError(
            f"if_exists is {shown(value)}; known are {', '.join(IfExists)}.", field="if_exists"
        ) from None


def read_prefix(value: Any) -> str:
    """Return what the keys begin with, without slashes around it; "" for none.

    :raises DownloadParamsError: when a key would not be where it says, or not be readable.
    """
    return read_key_prefix("s3_prefix", value)


def read_extra_args(value: Any) -> dict[str, Any]:
    """Return arguments for every object that is written, as the S3 client takes them.

    :param value: a dict, or JSON text of one; tags may be a dict.
    :raises DownloadParamsError: for an argument that is not among those that may be given.
    """
    given = read_json("s3_extra_args", value) or {}
    if not isinstance(given, Mapping):
        raise DownloadParamsError(
            f"s3_extra_args is {shown(value)}; write a dict.", field="s3_extra_args"
        )
    for key in given:
        if key not in _EXTRA_ARGS:
            raise DownloadParamsError(
                f"s3_extra_args has {key!r}; what may be given is {', '.join(_EXTRA_ARGS)}.",
                field="s3_extra_args",
            )
    arguments = dict(given)
    if isinstance(arguments.get("Tagging"), Mapping):
        arguments["Tagging"] = urlencode(arguments["Tagging"])
    if "BucketKeyEnabled" in arguments:
        arguments["BucketKeyEnabled"] = read_boolean(
            "BucketKeyEnabled", arguments["BucketKeyEnabled"]
        )
    return arguments
