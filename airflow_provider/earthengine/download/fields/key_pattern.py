"""The operator's field ``s3_key``: a pattern with named fields -> the keys of a download's objects.

What the pattern says apart from the bands is also where the item is, so that downloads with other
keys have other items.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from string import Formatter
from typing import Any

from airflow_provider.earthengine.download.fields.layout import ZIP
from airflow_provider.earthengine.download.fields.params import (
    NPY,
    ZIPPED_GEO_TIFF_PER_BAND,
    DownloadParams,
)
from airflow_provider.earthengine.download.fields.read_params import read_name
from airflow_provider.earthengine.download.fields.source import KnownSource
from airflow_provider.earthengine.download.fields.values import (
    is_unset,
    read_key_prefix,
    read_text,
    shown,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

_DATES = {"date": "%Y-%m-%d", "year": "%Y", "month": "%m", "day": "%d"}
FIELDS = ("base", "band", "suffix", *_DATES)
"""The names of a pattern's fields."""
_BAND, _SUFFIX = "{band}", "{suffix}"
# A band with what ties it to its neighbours: "_{band}", "band={band}", ".{band}".
_TIED_BAND = re.compile(r"(?:[._-]*(?:(?<![a-z])bands?[=._-])|[._-]+)?\{band\}", re.IGNORECASE)
_EXTENSIONS = (".tif", ".npy", ".zip")


@dataclass(frozen=True)
class KeyNames:
    """The keys of a download's objects, with nothing left to fill in but the band.

    :param prefix: the field ``s3_prefix``.
    :param name: the base, as ``{base}`` has it.
    :param pattern: below the prefix, with ``{band}`` and ``{suffix}`` only.
    :param item_stem: what stands before the suffix of the item's key, below the prefix.
    """

    prefix: str
    name: str
    pattern: str
    item_stem: str

    def key(self, suffix: str) -> str:
        """Return the key of an object.

        :param suffix: what would follow the base by default, for example ".B3.tif".
        """
        extension = f".{suffix.rpartition('.')[2]}"
        band = suffix[1 : -len(extension)]
        follows = extension if _BAND in self.pattern else suffix
        return self._below(self.pattern.replace(_BAND, band).replace(_SUFFIX, follows))

    def shared_with(self, stem: str) -> str:
        """Return how the keys of all objects begin, and another one does."""
        before_suffix = self.pattern.replace(_SUFFIX, f".{_SUFFIX}")
        static = self._below(re.split(r"\{(?:band|suffix)\}", before_suffix)[0])
        pairs = zip(static, stem, strict=False)
        return "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def holds(self, key: str) -> bool:
        """Return whether an object of the download may have the key."""
        pattern = re.escape(self._below(self.pattern))
        for field, kind in ((_BAND, "[^/]+"), (_SUFFIX, "[.][^/]+")):
            pattern = pattern.replace(re.escape(field), kind)
        return re.fullmatch(pattern, key) is not None and not key.endswith(".json")

    def place(self) -> tuple[str, str]:
        """Return the prefix and the base of the item: those of the keys without the band."""
        prefix, _, base = self._below(self.item_stem).rpartition("/")
        return prefix, base

    def _below(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key


def read_key_pattern(value: Any) -> str | None:
    """Return the pattern; None if it is unset.

    :raises DownloadParamsError: if it has unknown fields, or leads out of the prefix.
    """
    if is_unset(value):
        return None
    pattern = read_text("s3_key", value)
    for name in _names_in(pattern):
        if name not in FIELDS:
            raise _wrong(f"s3_key has the field {shown(name)}; use {', '.join(FIELDS)}.")
    if pattern.startswith("/") or pattern.endswith("/") or "://" in pattern:
        raise _wrong(
            f"s3_key is {shown(value)}; write a key below s3_prefix, such as "
            "'year={year}/{base}.{band}.tif', without a bucket or a slash at its ends."
        )
    read_key_prefix("s3_key", pattern)
    last = pattern.rpartition("/")[2]
    if pattern.count(_SUFFIX) > 1 or (_SUFFIX in pattern and not last.endswith(_SUFFIX)):
        raise _wrong(f"s3_key is {shown(value)}; {_SUFFIX} belongs at its end, once.")
    if f".{_SUFFIX}" in pattern:
        raise _wrong(f"s3_key is {shown(value)}; {_SUFFIX} begins with a dot of its own.")
    return pattern


def check_files(pattern: str | None, params: DownloadParams, layout: str) -> None:
    """Raise unless each of a download's files has a key of its own, with its extension.

    :param pattern: None if there is none, which is always right.
    :raises DownloadParamsError: if two files have one key, or a key says another format.
    """
    if pattern is None:
        return
    extension = _extension_of(params, layout)
    is_per_band = params.file_format == ZIPPED_GEO_TIFF_PER_BAND and extension == ".tif"
    if is_per_band and _BAND not in pattern and _SUFFIX not in pattern:
        raise _wrong(
            f"s3_key is {shown(pattern)}, one key for the files of all bands; add {_BAND}, or use "
            "format GEO_TIFF, which makes one file."
        )
    if not is_per_band and _BAND in pattern:
        raise _wrong(
            f"s3_key is {shown(pattern)}, but there is one file for all bands; leave {_BAND} out, "
            "or use format ZIPPED_GEO_TIFF_PER_BAND with another layout than 'zip'."
        )
    if _SUFFIX not in pattern and not pattern.endswith(extension):
        raise _wrong(
            f"s3_key is {shown(pattern)}, and the files are of format {params.file_format}; let it "
            f"end in {extension} or {_SUFFIX}."
        )


def fill_in(pattern: str, prefix: str, name: str, moment: datetime | None) -> KeyNames:
    """Return the names with all but the band filled in.

    :param moment: of the data, in UTC; None if it is not known.
    :raises DownloadParamsError: if the time is needed and not known, or a key leads elsewhere.
    """
    values: dict[str, str] = {"base": name, "band": _BAND, "suffix": _SUFFIX}
    used = _names_in(pattern)
    if dates := [each for each in used if each in _DATES]:
        if moment is None:
            raise _wrong(
                f"s3_key has {', '.join(dates)}, and nobody knows the time of the data: neither "
                "source nor record nor the run has one; add datetime to record, or write a "
                "template."
            )
        # Not %Y, which has fewer than four digits before the year 1000.
        values |= {key: moment.strftime(text.replace("%Y", f"{moment.year:04}"))
                   for key, text in _DATES.items()}  # fmt: skip
    filled = (each.format_map(values) for each in (pattern, _item_stem(pattern)))
    names = KeyNames(prefix, name, *filled)
    read_key_prefix("s3_key", names.pattern)
    read_name("s3_key, whose last part", names.place()[1])
    return names


def _item_stem(pattern: str) -> str:
    """Return a pattern without the band, what ties it to its neighbours, and the extension."""
    folders, _, name = pattern.rpartition("/")
    for extension in (_SUFFIX, *_EXTENSIONS):
        if name.endswith(extension):
            name = name.removesuffix(extension)
            break
    parts = [_TIED_BAND.sub("", part).strip("._-") for part in (*folders.split("/"), name)]
    return "/".join([*filter(None, parts[:-1]), parts[-1] or "{base}"])


def known_moment(
    source: KnownSource, record: Mapping[str, str], run: Mapping[str, Any]
) -> datetime | None:
    """Return the time of the data as far as it is known without Earth Engine; None if it is not.

    :param record: what the user adds to the item.
    :param run: values of the run, by name.
    """
    if source.start is not None:
        return source.start
    if text := record.get("datetime") or record.get("start_datetime"):
        return datetime.fromisoformat(text)
    for name in ("data_interval_start", "logical_date"):
        if isinstance(moment := run.get(name), datetime):
            return moment.astimezone(UTC)
    return None


def _extension_of(params: DownloadParams, layout: str) -> str:
    """Return how the files' names end."""
    if layout == ZIP:
        return ".zip"
    return ".npy" if params.file_format == NPY else ".tif"


def _names_in(pattern: str) -> list[str]:
    """Return the names of a pattern's fields, which have neither formats nor attributes."""
    try:
        parsed = list(Formatter().parse(pattern))
    except ValueError:
        parsed = [("", None, "", "")]
    names = []
    for text, name, form, conversion in parsed:
        if name is None and ("{" in text or "}" in text or not text):
            raise _wrong(f"s3_key is {shown(pattern)}, whose braces do not enclose fields.")
        if name is not None and (form or conversion):
            raise _wrong(
                f"s3_key is {shown(pattern)}; write the field {shown(name)} without a format."
            )
        if name is not None:
            names.append(name)
    if "{{" in pattern or "}}" in pattern:
        raise _wrong(f"s3_key is {shown(pattern)}, whose braces do not enclose fields.")
    return names


def _wrong(message: str) -> DownloadParamsError:
    return DownloadParamsError(message, field="s3_key")
