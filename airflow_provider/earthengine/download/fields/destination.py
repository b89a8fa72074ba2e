"""Which download this is, and where it goes: :class:`Identity` and :class:`Destination`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import ascii_letters, digits
from typing import Any
from urllib.parse import urlencode

from airflow_provider.earthengine.download.fields.image import ImageSource
from airflow_provider.earthengine.download.fields.key_pattern import KeyNames
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.values import (
    read_boolean,
    read_choice,
    read_dict,
    read_key_prefix,
    read_text,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, read 2026-11.
_MAX_KEY_BYTE_COUNT = 1024

KEY_NAMES = "earthengine:s3_key"
"""The property of an item that has the prefix and the base that a pattern was given."""
# Of items, pictures and markers; the key of an object never ends so.
_BESIDE_OBJECTS = (".json", ".png", ".webp")

_ID_TEXT = {ord(each): each for each in f"{ascii_letters}{digits}._-"} | {ord("/"): "~"}

# The names that the S3 client accepts. Source: https://github.com/boto/botocore,
# ``botocore/handlers.py``, ``VALID_BUCKET`` and ``VALID_S3_ARN``, release 1.44.
_BUCKET_NAME = re.compile(
    r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}|arn:aws[\w-]*:s3[\w-]*:[\w:/-]+", re.ASCII
)

# Encryption, tags, storage class and access; nothing that affects content, keys or conditions.
_EXTRA_ARGS_IN_ORDER = (
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "SSEKMSEncryptionContext",
    "BucketKeyEnabled",
    "Tagging",
    "StorageClass",
    "ACL",
)
EXTRA_ARGS = frozenset(_EXTRA_ARGS_IN_ORDER)
"""The keys that ``s3_extra_args`` may have."""


class IfExists(StrEnum):
    """What to do if the destination already holds a download.

    ``FAIL`` keeps a different download and fails; ``REPLACE_CHANGED`` replaces it; ``REPLACE``
    replaces even the same download, once per run of the task, so that a retry does not repeat what
    the first try did. With the first two, an identical download found there is the result.
    """

    FAIL = "fail"
    REPLACE_CHANGED = "replace_changed"
    REPLACE = "replace"


@dataclass(frozen=True)
class Destination:
    """Where a download goes: names known before anything is fetched.

    :param prefix: of the item's key.
    :param base: of the item's name, and of the objects' names unless a pattern sets these.
    :param names: the objects' names, if a pattern sets them.
    """

    bucket: str
    prefix: str
    base: str
    item_suffix: str
    names: KeyNames | None = None

    def key(self, suffix: str) -> str:
        """Return the key of the object with this suffix, or of the item, its picture or the marker.

        :raises DownloadParamsError: if the key is longer than S3 allows.
        """
        if self.names and not suffix.endswith(_BESIDE_OBJECTS):
            key = self.names.key(suffix)
        else:
            key = self._beside(suffix)
        if len(key.encode()) > _MAX_KEY_BYTE_COUNT:
            raise DownloadParamsError(
                f"The key {shown(key)} is {len(key.encode()):,} bytes long, but S3 allows at most "
                f"{_MAX_KEY_BYTE_COUNT:,}; shorten s3_prefix or name.",
                field="s3_prefix",
            )
        return key

    @property
    def listing_prefix(self) -> str:
        """How the keys of all objects, of the item and of the marker begin."""
        beside = self._beside(".")
        return self.names.shared_with(beside) if self.names else beside

    def holds(self, key: str) -> bool:
        """Return whether an object of the download may have the key."""
        return self.names.holds(key) if self.names else key.startswith(self._beside("."))

    def name(self, suffix: str) -> str:
        """Return the key of the object with this suffix, without the prefix of the item."""
        return self.key(suffix).removeprefix(f"{self.prefix}/")

    def to_item(self) -> dict[str, Any]:
        """Return the properties that the item records of names that a pattern has set."""
        names = self.names
        return {KEY_NAMES: {"prefix": names.prefix, "name": names.name}} if names else {}

    def _beside(self, suffix: str) -> str:
        return f"{self.prefix}/{self.base}{suffix}" if self.prefix else f"{self.base}{suffix}"

    @property
    def item_key(self) -> str:
        """The item's key."""
        return self.key(self.item_suffix)

    @property
    def item_uri(self) -> str:
        """The item's URI."""
        return self.uri(self.item_key)

    @property
    def item_id(self) -> str:
        """The item's id."""
        return item_id_of(self.item_key)

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self.bucket}/{key}"


def item_id_of(key: str) -> str:
    """Return an item's id: its key without ".json", of characters that a URL holds as they are.

    Each ``/`` becomes ``~``, and each byte of UTF-8 that is no letter, digit, ``.``, ``_`` or ``-``
    of ASCII ``~~`` and two hexadecimal digits. No two keys become one id: between two slashes of a
    key there is always something. STAC advises against ``/``, ``:`` and whatever else is
    percent-encoded. Source:
    https://github.com/radiantearth/stac-spec/blob/v1.1.0/best-practices.md#item-ids, read 2026-11.
    """
    path = key.removesuffix(".json")
    return "".join(_ID_TEXT.get(byte, f"~~{byte:02X}") for byte in path.encode())


@dataclass(frozen=True)
class Identity:
    """Which download this is, and which run of the task makes it.

    :param fingerprint: the same for the same program, parameters, layout, nodata and compression.
    :param generation: the same for all tries of one run of the task.
    :param task_id: "" outside of Airflow.
    :param map_index: -1 for a task that is not mapped.
    :param collections: those that a listing found the images in; none without a listing.
    """

    fingerprint: str
    generation: str
    if_exists: IfExists
    task_id: str = ""
    map_index: int = -1
    collections: frozenset[str] = frozenset()

    def owns(self, fingerprint: str, generation: str) -> bool:
        """Return whether an object with these values is what this attempt would have written."""
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
    """Return a digest of the program, the parameters, the layout, nodata and compression.

    :param compression: as the user set it; None if unset.

    It does not depend on the project, the endpoint, the run or library versions.
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

    :raises DownloadParamsError: if the mode is unknown.
    """
    return IfExists(read_choice("if_exists", value, tuple(IfExists)))


def read_bucket_name(value: Any) -> str:
    """Return the name of a bucket, or the ARN of an access point.

    :raises DownloadParamsError: if the value is neither, for example a URI.
    """
    name = read_text("s3_bucket", value)
    if _BUCKET_NAME.fullmatch(name):
        return name
    bucket, _, prefix = name.partition("://")[2].strip("/").partition("/")
    hint = f"{bucket!r}" if bucket else "such as 'my-bucket'"
    hint += f", and put {prefix!r} into s3_prefix" if prefix else ""
    raise DownloadParamsError(
        f"s3_bucket is {shown(value)}; write only the bucket's name, {hint}.", field="s3_bucket"
    )


def read_prefix(value: Any) -> str:
    """Return the key prefix without leading or trailing slashes; "" if there is none.

    :raises DownloadParamsError: if it holds a bucket, an empty part, "." or "..", or characters
        that do not print.
    """
    return read_key_prefix("s3_prefix", value)


def read_extra_args(value: Any) -> dict[str, Any]:
    """Return the S3 client's arguments for every object written.

    :param value: a dict, or JSON text of one; tags may be a dict.
    :raises DownloadParamsError: if an argument is not in the allow-list.
    """
    given = read_dict("s3_extra_args", value)
    for key in given:
        if key not in EXTRA_ARGS:
            raise DownloadParamsError(
                f"s3_extra_args has the key {shown(key)}; use only "
                f"{', '.join(_EXTRA_ARGS_IN_ORDER)}.",
                field="s3_extra_args",
            )
    return {key: _read_extra_arg(key, each) for key, each in given.items()}


def _read_extra_arg(key: str, value: Any) -> Any:
    name = f"s3_extra_args[{key!r}]"
    if key == "BucketKeyEnabled":
        return read_boolean(name, value)
    if key != "Tagging" or not isinstance(value, Mapping):
        return read_text(name, value)
    for tag, text in value.items():
        if not isinstance(text, str | int | float):
            raise DownloadParamsError(
                f"{name} has {shown(text)} for {shown(tag)}; write text.", field="s3_extra_args"
            )
    return urlencode(value)
