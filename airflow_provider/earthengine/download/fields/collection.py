"""The operator's field ``collection`` -> the STAC Collection that a download belongs to.

Source of names and rules:
https://github.com/radiantearth/stac-spec/blob/v1.1.0/collection-spec/collection-spec.md, read
2026-11.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_boolean,
    read_choice,
    read_dict,
    read_key_prefix,
    read_text,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

COLLECTION_NAME = "collection.json"
"""The last part of a collection's key."""
OTHER_LICENSE = "other"
"""STAC's name of a licence that SPDX does not list."""
ROLES = ("licensor", "producer", "processor", "host")

# Catalogues put it into paths of URLs.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
# Source: https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/licensing.json, read 2026-11.
_LICENSE = re.compile(r"[A-Za-z0-9_.+-]{1,100}")
_URL = re.compile(r"https?://[^\s/]+\S*")
# Characters that end the path of a URL, and the one that begins an escape.
_NOT_IN_PATH = str.maketrans({each: f"%{ord(each):02X}" for each in "%?#"})


@dataclass(frozen=True)
class StacCollection:
    """The collection of a series, as the user describes it.

    :param prefix: of its document's key; all of its items are below it.
    :param texts: what the user gave of ``title``, ``description``, ``license``, ``keywords`` and
        ``providers``, under STAC's names.
    :param license_url: the page of a licence that is given as a URL; None for a name.
    :param mixed_grids: whether its items may lie on different lattices of pixels.
    """

    id: str
    prefix: str
    texts: Mapping[str, Any]
    license_url: str | None = None
    mixed_grids: bool = False

    @property
    def key(self) -> str:
        """The key of its document."""
        return collection_key(self.prefix)

    def link_from(self, item_key: str) -> dict[str, str]:
        """Return an item's link to the collection."""
        return {
            "rel": "collection",
            "href": relative_link(item_key, self.key),
            "type": "application/json",
            **({"title": self.texts["title"]} if "title" in self.texts else {}),
        }


def collection_key(prefix: str) -> str:
    """Return the key of the collection's document below a prefix."""
    return f"{prefix}/{COLLECTION_NAME}" if prefix else COLLECTION_NAME


def relative_link(source: str, target: str) -> str:
    """Return the reference from one key to another, so that it holds wherever the prefix is read.

    It is relative, because readers come by ``s3://``, over HTTP or to a copy on disk.
    """
    path = posixpath.relpath(f"/{target}", posixpath.dirname(f"/{source}"))
    path = path.translate(_NOT_IN_PATH)
    return path if path.startswith("../") else f"./{path}"


def read_collection(value: Any, s3_prefix: str | None = None) -> StacCollection | None:
    """Return the collection; None if none is given.

    :param value: a dict, or JSON text of one.
    :param s3_prefix: of the download; None if it is not known yet.
    :raises DownloadParamsError: for an unknown key, a value that STAC does not allow, or a prefix
        that the download is not below.
    """
    if is_unset(value):
        return None
    given = read_collection_keys(read_dict("collection", value))
    if "id" not in given:
        raise DownloadParamsError(
            f"collection is {shown(value)} and has no id; write a dict such as "
            "{'id': 'ndvi', 'licence': 'CC-BY-4.0', 'prefix': 'ndvi'}.",
            field="collection",
        )
    prefix = given.get("prefix", s3_prefix or "")
    if s3_prefix is not None and prefix and not f"{s3_prefix}/".startswith(f"{prefix}/"):
        raise DownloadParamsError(
            f"collection has the prefix {shown(prefix)}, and s3_prefix {shown(s3_prefix)} is not "
            "below it; a collection lies above all of its items, so shorten its prefix.",
            field="collection",
        )
    url = given.get("license") if _is_url(given.get("license")) else None
    texts = {key: given[key] for key in _TEXTS if key in given}
    if url:
        texts["license"] = OTHER_LICENSE
    return StacCollection(given["id"], prefix, texts, url, given.get("mixed_grids", False))


def read_collection_keys(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of those keys that are given, under STAC's names.

    :raises DownloadParamsError: for an unknown key, or a value that STAC does not allow.
    """
    if not set(given) <= COLLECTION_KEYS:
        raise DownloadParamsError(
            f"collection is {shown(given)}; write a dict with any of the keys "
            f"{', '.join(_READERS)}.",
            field="collection",
        )
    named = {key: each for key, each in given.items() if not is_unset(each)}
    if named.get("licence", named.get("license")) != named.get("license", named.get("licence")):
        raise DownloadParamsError(
            f"collection has licence {shown(named['licence'])} and license "
            f"{shown(named['license'])}; write one of them.",
            field="collection",
        )
    if "licence" in named:
        named["license"] = named.pop("licence")
    return {key: _READERS[key](f"collection[{key!r}]", each) for key, each in named.items()}


def _read_id(field: str, value: Any) -> str:
    text = read_text(field, value)
    if not _ID.fullmatch(text):
        raise DownloadParamsError(
            f"{field} is {shown(value)} and becomes part of URLs; use at most 200 letters, digits "
            "and . _ - ~ of ASCII, such as 'ndvi-monthly'.",
            field="collection",
        )
    return text


def _read_license(field: str, value: Any) -> str:
    text = read_text(field, value)
    if _is_url(text) or _LICENSE.fullmatch(text):
        return text
    raise DownloadParamsError(
        f"{field} is {shown(value)}; write an identifier of https://spdx.org/licenses such as "
        "'CC-BY-4.0', the URL of the licence's text, or 'other'.",
        field="collection",
    )


def _read_list(field: str, value: Any, read: Callable[[str, Any], Any]) -> list[Any]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise DownloadParamsError(f"{field} is {shown(value)}; write a list.", field="collection")
    return [read(f"{field}[{number}]", each) for number, each in enumerate(value)]


def _read_provider(field: str, value: Any) -> dict[str, Any]:
    known = ("name", "description", "roles", "url")
    if not isinstance(value, Mapping) or "name" not in value or not set(value) <= set(known):
        raise DownloadParamsError(
            f"{field} is {shown(value)}; write a dict with name and any of the keys "
            f"{', '.join(known[1:])}.",
            field="collection",
        )
    provider: dict[str, Any] = {
        key: read_text(f"{field}[{key!r}]", value[key])
        for key in ("name", "description", "url")
        if key in value
    }
    if "url" in provider and not _is_url(provider["url"]):
        raise DownloadParamsError(
            f"{field} has the url {shown(value['url'])}; write one that begins with https://.",
            field="collection",
        )
    if "roles" in value:
        provider["roles"] = _read_list(
            f"{field}['roles']", value["roles"], lambda name, role: read_choice(name, role, ROLES)
        )
    return provider


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and _URL.fullmatch(value) is not None


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "id": _read_id,
    "prefix": read_key_prefix,
    "title": read_text,
    "description": read_text,
    "licence": _read_license,
    "license": _read_license,
    "keywords": lambda field, value: _read_list(field, value, read_text),
    "providers": lambda field, value: _read_list(field, value, _read_provider),
    "mixed_grids": read_boolean,
}
_TEXTS = ("title", "description", "license", "keywords", "providers")
COLLECTION_KEYS = frozenset(_READERS)
"""The keys that ``collection`` may have."""
