"""A record -> what a person is shown of the download, as one JSON value that XCom can hold.

It has at most 64 KiB, as JSON in ASCII. What does not fit is left out and counted in ``left_out``.
Readers ignore fields that they do not know; a change that they would misunderstand raises
``VERSION``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError
from airflow_provider.earthengine.download.publish.record import THUMBNAIL, USAGE, CommitRecord

VERSION = 1
MAX_BYTE_COUNT = 64 << 10

_MOST_WARNINGS = 20
_TEXT_LENGTH = 500
_STATISTICS = ("minimum", "maximum", "mean", "valid_percent")
# Most of each part, in bytes; files and bands share what is left.
_WARNINGS, _MASKED, _FOOTPRINT, _ASKED, _LINKS = 4_000, 1_000, 3_000, 2_000, 2_000
_SPARE = 1_500
_DECIMALS = 6


@dataclass(frozen=True)
class Work:
    """What a task did for a download.

    :param was_there: whether it was published before, so that nothing was fetched.
    :param seconds: from the beginning of the task until everything was published.
    """

    was_there: bool
    seconds: float


class _Budget:
    """The bytes that are left, and what did not fit."""

    def __init__(self, byte_count: int) -> None:
        self.left = byte_count
        self.left_out: dict[str, int] = {}

    def take(self, name: str, values: Sequence[Any], most: int | None = None) -> list[Any]:
        """Return as many of the first values as fit; count the others.

        :param most: how many bytes they may take; None for all that are left.
        """
        room = self.left if most is None else min(most, self.left)
        taken: list[Any] = []
        for value in values:
            byte_count = _byte_count(value) + 2
            if byte_count > room:
                break
            room -= byte_count
            self.left -= byte_count
            taken.append(value)
        if len(taken) < len(values):
            self.left_out[name] = len(values) - len(taken)
        return taken

    def take_one(self, name: str, value: Any, most: int) -> Any:
        """Return a value, or None if it does not fit."""
        return next(iter(self.take(name, [value], most)), None)


def summarize(
    record: CommitRecord,
    picture: tuple[bytes, str] | None,
    work: Work,
    pages: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the summary.

    :param picture: content and media type; None if there is none.
    :param pages: addresses of what a person may look at, by name.
    """
    picture_uri = None if picture is None else _data_uri(*picture)
    budget = _Budget(MAX_BYTE_COUNT - _byte_count(picture_uri) - _SPARE)
    properties = _part(record.item, "properties")
    files, bands = _describe_assets(record.item)
    warnings = [_cut(each) for each in record.warnings]
    summary: dict[str, Any] = {
        "version": VERSION,
        "item": budget.take_one("item", record.item_uri, 4_000),
        "warnings": budget.take("warnings", warnings[:_MOST_WARNINGS], _WARNINGS),
        "all_masked": budget.take("all_masked", record.all_masked, _MASKED),
        "picture": picture_uri,
        "bbox": _numbers(_part(record.item, "bbox"), 6),
        "links": budget.take_one("links", dict(pages or {}), _LINKS) or {},
        "footprint": budget.take_one("footprint", _footprint(record.item), _FOOTPRINT),
        "datetime": {
            name: _text(properties.get(name))
            for name in ("datetime", "start_datetime", "end_datetime")
        },
        "asked": _describe_request(properties, budget),
        "files": budget.take("files", files, budget.left // 2),
        "bands": budget.take("bands", bands),
        "published_before": work.was_there,
        "seconds": round(work.seconds, 1),
        "requests": None if work.was_there else _number(_count_of_requests(properties)),
        "byte_count": sum(stored.byte_count for stored in record.objects),
    }
    if len(warnings) > _MOST_WARNINGS:
        budget.left_out["warnings"] = len(warnings) - len(summary["warnings"])
    return {**summary, "left_out": budget.left_out}


def _count_of_requests(properties: Mapping[str, Any]) -> Any:
    """Return the requests that were counted, those of other tasks of a group included."""
    usage = properties.get(USAGE)
    return usage.get("requests") if isinstance(usage, Mapping) else None


def _describe_request(properties: Mapping[str, Any], budget: _Budget) -> dict[str, Any]:
    """Return which image was requested, and with which parameters, those that are short."""
    given = properties.get("earthengine:params")
    params = _plain(given) if isinstance(given, Mapping) else {}
    room = _ASKED
    kept: dict[str, Any] = {}
    for name, value in params.items():
        entry = {_cut(name): value}
        if (byte_count := _byte_count(entry)) <= min(room, budget.left):
            kept |= entry
            room -= byte_count
            budget.left -= byte_count
    if len(kept) < len(params):
        budget.left_out["params"] = len(params) - len(kept)
    return {
        "asset_id": _text(properties.get("earthengine:asset_id")),
        "asset_version": _text(properties.get("earthengine:asset_version")),
        "params": kept,
    }


def _describe_assets(item: Foreign) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the files, and the bands with the numbers of their files."""
    files: list[dict[str, Any]] = []
    bands: list[dict[str, Any]] = []
    for asset in _part(item, "assets").values():
        if not isinstance(asset, Mapping) or THUMBNAIL in (asset.get("roles") or ()):
            continue
        shape = _numbers(asset.get("proj:shape"), 2) or [None, None]
        files.append(
            {
                "uri": asset.get("href"),
                "byte_count": _number(asset.get("file:size")),
                "media_type": _text(asset.get("type")),
                "crs": _crs(asset),
                "height": shape[0],
                "width": shape[1],
            }
        )
        described = asset.get("bands")
        bands += [
            {"file": len(files) - 1, **_describe_band(band)}
            for band in (described if isinstance(described, list) else [])
        ]
    return files, bands


def _describe_band(band: Any) -> dict[str, Any]:
    fields = band if isinstance(band, Mapping) else {}
    statistics = fields.get("statistics")
    found = statistics if isinstance(statistics, Mapping) else {}
    nodata = fields.get("nodata")
    return {
        "name": _text(fields.get("name")),
        "data_type": _text(fields.get("data_type")),
        "nodata": _number(nodata) if _number(nodata) is not None else _text(nodata),
        **{name: _number(found.get(name)) for name in _STATISTICS},
    }


def _crs(asset: Mapping[str, Any]) -> str | None:
    """Return the code of the crs, or the name in its WKT."""
    if code := _text(asset.get("proj:code")):
        return code
    wkt = asset.get("proj:wkt2")
    return _text(wkt.split('"')[1]) if isinstance(wkt, str) and wkt.count('"') > 1 else None


def _footprint(item: Foreign) -> Any:
    """Return the geometry, to a tenth of a metre."""
    geometry = _plain(_part(item, "geometry") or None)
    return _each_number(geometry, lambda number: round(number, _DECIMALS))


def _each_number(value: Any, change: Callable[[float], float]) -> Any:
    if isinstance(value, Mapping):
        return {name: _each_number(each, change) for name, each in value.items()}
    if isinstance(value, list):
        return [_each_number(each, change) for each in value]
    return change(value) if isinstance(value, float) else value


def _part(item: Foreign, name: str) -> Any:
    """Return a part of the item that is a mapping or list; an empty mapping if it has none."""
    try:
        part = item.at(name).value
    except ForeignValueError:
        return {}
    return part if isinstance(part, Mapping | list) else {}


def _plain(value: Any) -> Any:
    try:
        return Foreign(value).plain()
    except ForeignValueError:
        return None


def _numbers(value: Any, most: int) -> list[Any] | None:
    if not isinstance(value, list) or len(value) > most:
        return None
    numbers = [_number(each) for each in value]
    return None if None in numbers else numbers


def _number(value: Any) -> float | int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    plain = _plain(value) if is_number else None
    return None if isinstance(plain, str) else plain


def _text(value: Any) -> str | None:
    return None if value is None else _cut(str(_plain(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LENGTH else f"{text[: _TEXT_LENGTH - 1]}…"


def _data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _byte_count(value: Any) -> int:
    return len(json.dumps(value))
