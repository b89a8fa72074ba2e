"""The items or markers below a prefix, each read by itself, whoever wrote them.

A key, not what is written there, decides where a download is. A file that cannot be what its name
says is skipped and named in the log; it must not keep the others from being read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider.earthengine.download.bucket.bucket import Bucket
from airflow_provider.earthengine.download.fields.destination import read_prefix
from airflow_provider.earthengine.download.fields.read_params import read_name
from airflow_provider.earthengine.download.fields.templates import check_no_template
from airflow_provider.earthengine.download.fields.values import shown_names
from airflow_provider.earthengine.download.foreign import (
    Foreign,
    ForeignValueError,
    parse_json,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

log = logging.getLogger(__name__)

T = TypeVar("T")

_READERS = 8


@dataclass(frozen=True)
class Place:
    """The place of a download, in terms of the operator's fields.

    :param key: of its item or marker.
    """

    key: str
    prefix: str
    base: str


@dataclass(frozen=True)
class GivenNames:
    """What a pattern of keys was given; the operator's fields that lead to a place again.

    :param prefix: the field ``s3_prefix``.
    :param name: the base of the objects' names.
    """

    prefix: str
    name: str


def read_given(place: Place, value: Foreign) -> GivenNames:
    """Return the fields that lead to a place: those that are written there, if a pattern was used.

    :param value: absent if none was; what cannot lead to the place is not followed.
    :raises ForeignValueError: if it is not of the form that this package writes.
    """
    if value.is_absent:
        return GivenNames(place.prefix, place.base)
    prefix, name = value.at("prefix").optional_text(), value.at("name").text()
    try:
        is_given = (read_prefix(prefix), read_name("name", name)) == (prefix, name)
        check_no_template(prefix)
    except DownloadParamsError:
        is_given = False
    if not is_given or (prefix and not f"{place.prefix}/".startswith(f"{prefix}/")):
        value.refuse("what a pattern of this key was given")
    return GivenNames(prefix, name)


def place_of(key: str, suffix: str) -> Place:
    """Return the place of the download whose item or marker has this key.

    :raises ForeignValueError: if no download has such keys.
    """
    prefix, _, name = key.rpartition("/")
    base = name.removesuffix(suffix)
    try:
        is_place = (read_prefix(prefix), read_name("name", base)) == (prefix, base)
        check_no_template(key)
    except DownloadParamsError:
        is_place = False
    if not is_place or key != f"{prefix}/{base}{suffix}".removeprefix("/"):
        raise ForeignValueError(f"{shown(key)} is not the key of a download")
    return Place(key, prefix, base)


def read_below(
    bucket: Bucket,
    prefix: str,
    suffixes: tuple[str, ...],
    read: Callable[[Place, Foreign], T | None],
) -> list[T]:
    """Return what ``read`` makes of each JSON file below the prefix, in the order of their keys.

    :param suffixes: of the keys to read.
    :param read: takes the place and the parsed content; returns None to leave a file out, and
        raises ForeignValueError if it cannot be read.
    """
    return read_keys(bucket, list_below(bucket, prefix, suffixes), suffixes, read)


def list_below(bucket: Bucket, prefix: str, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Return the ETag of each object below the prefix whose key ends so, by its key, in order."""
    listed = bucket.list_objects(f"{prefix}/" if prefix else "")
    return {key: listed[key].etag for key in sorted(listed) if key.endswith(suffixes)}


def read_keys(
    bucket: Bucket,
    keys: Iterable[str],
    suffixes: tuple[str, ...],
    read: Callable[[Place, Foreign], T | None],
) -> list[T]:
    """Return what ``read`` makes of each of these JSON files, as :func:`read_below` does."""
    found = [(key, suffix) for key in keys for suffix in suffixes if key.endswith(suffix)]
    skipped: list[str] = []

    def read_one(key_and_suffix: tuple[str, str]) -> T | None:
        key, suffix = key_and_suffix
        content = bucket.read_object(key)
        if content is None:
            return None
        try:
            return read(place_of(key, suffix), parse_json(content[0], key))
        except ForeignValueError:
            skipped.append(key)
            return None

    with ThreadPoolExecutor(_READERS, thread_name_prefix="earthengine-items") as pool:
        values = list(pool.map(read_one, found))
    _warn(bucket, skipped)
    return [value for value in values if value is not None]


def _warn(bucket: Bucket, skipped: Sequence[str]) -> None:
    if skipped:
        log.warning(
            "Skipped %d files below s3://%s that are not in the format of this package: %s",
            len(skipped),
            bucket.name,
            shown_names([ascii(key)[1:-1] for key in sorted(skipped)]),
        )
