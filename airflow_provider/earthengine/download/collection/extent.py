"""The extent of a collection in space and time, widened by items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.publish.footprint import enclosing_longitudes

BBox = tuple[float, float, float, float]
Interval = tuple[datetime | None, datetime | None]

# STAC requires a bbox, also of a collection none of whose items has a place.
_GLOBE: BBox = (-180.0, -90.0, 180.0, 90.0)
_UNKNOWN: Interval = (None, None)


def read_extent(extent: Foreign) -> tuple[BBox, Interval]:
    """Return the bbox and the interval of a collection's extent.

    :raises ForeignValueError: if they are not of two dimensions, or no times.
    """
    bbox = extent.at("spatial").at("bbox").items()[:1] or [extent.at("spatial").at("bbox")]
    west, south, east, north = (each.finite() for each in bbox[0].items(4))
    interval = extent.at("temporal").at("interval")
    start, end = (interval.items()[:1] or [interval])[0].items(2)
    times = (None if each.is_absent else each.time() for each in (start, end))
    first, last = times
    return (west, south, east, north), (first, last)


def write_extent(bboxes: Sequence[BBox], intervals: Sequence[Interval]) -> dict[str, Any]:
    """Return the extent that contains all bboxes and intervals, as STAC has it."""
    bbox = enclosing_bbox(bboxes) if bboxes else _GLOBE
    start, end = enclosing_interval(intervals)
    return {
        "spatial": {"bbox": [list(bbox)]},
        "temporal": {"interval": [[_text(start), _text(end)]]},
    }


def enclosing_bbox(bboxes: Iterable[BBox]) -> BBox:
    """Return the bbox around all of them; west is greater than east across the antimeridian."""
    wests, souths, easts, norths = zip(*bboxes, strict=True)
    spans = []
    for west, east in zip(wests, easts, strict=True):
        spans += [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    west, east = enclosing_longitudes(sorted(spans))
    return west, min(souths), east, max(norths)


def enclosing_interval(intervals: Iterable[Interval]) -> Interval:
    """Return the interval around all of them; one that is open at both ends is unknown."""
    known = [each for each in intervals if each != _UNKNOWN]
    if not known:
        return _UNKNOWN
    starts, ends = zip(*known, strict=True)
    return (
        None if None in starts else min(starts),
        None if None in ends else max(ends),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
