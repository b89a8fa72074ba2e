"""Descriptions of a collection's images: one per interval of days, with gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.emulator.catalog.formulas import read_window
from airflow_provider.earthengine.emulator.strict_json import Description
from airflow_provider.earthengine.emulator.values.pixels import Window


@dataclass(frozen=True)
class Series:
    """The images of a collection by their 0-based numbers; gaps count.

    :param index: the ``system:index`` of an image, as a pattern for its time.
    :param visible_from: the numbers of late images, with the time (seconds since 1970) from which
        they are visible.
    :param reprocessed_at: the numbers of reprocessed images, with the time from which the new
        version exists.
    :param masked: the numbers of images with masked windows.
    :param cycles: properties whose values alternate between the images.
    """

    start: datetime
    step: timedelta
    count: int
    gaps: frozenset[int]
    index: str
    visible_from: Mapping[int, float]
    reprocessed_at: Mapping[int, float]
    masked: tuple[tuple[frozenset[int], Window], ...]
    cycles: Mapping[str, list[Any]]

    def numbers(self) -> Iterator[int]:
        return (number for number in range(self.count) if number not in self.gaps)

    def index_of(self, number: int) -> str:
        return self._time_of(number).strftime(self.index)

    def masked_in(self, number: int) -> tuple[Window, ...]:
        return tuple(window for numbers, window in self.masked if number in numbers)

    def properties_of(self, number: int) -> dict[str, Any]:
        cycling = {name: values[number % len(values)] for name, values in self.cycles.items()}
        milliseconds = round(self._time_of(number).timestamp() * 1000)
        return {
            **cycling,
            "system:index": self.index_of(number),
            "system:time_start": milliseconds,
        }

    def _time_of(self, number: int) -> datetime:
        return self.start + number * self.step


def read_series(description: Description) -> Series:
    """Return the field ``series`` of a collection's description."""
    fields = description.take_inner("series")
    start = _take_time(fields, "start")
    step = timedelta(days=fields.take_positive("step_days"))
    count = fields.take_integer("count", 0)
    gaps = _take_numbers(fields, "gaps", count, [])
    index = fields.take_text("index", "%Y%m%d")
    late = dict(_read_change(item, count) for item in fields.take_objects("late", []))
    again = dict(_read_change(item, count) for item in fields.take_objects("reprocessed", []))
    masked = tuple(_read_masked(item, count) for item in fields.take_objects("masked", []))
    cycles = fields.take_object("image_properties", {})
    for name, values in cycles.items():
        if not isinstance(values, list) or not values:
            raise fields.error(f"image_properties.{name}", "must be a list of alternating values")
    fields.finish()
    series = Series(start, step, count, gaps, index, late, again, masked, cycles)
    indexes = [series.index_of(number) for number in series.numbers()]
    if len(set(indexes)) < len(indexes):
        raise description.error("series.index", f"{index!r} gives two images the same name")
    return series


def _read_change(fields: Description, count: int) -> tuple[int, float]:
    number = fields.take_integer("image", 0)
    if number >= count:
        raise fields.error("image", f"must be less than {count}, not {number}")
    visible_from = _take_time(fields, "visible_from").timestamp()
    fields.finish()
    return number, visible_from


def _read_masked(fields: Description, count: int) -> tuple[frozenset[int], Window]:
    numbers = _take_numbers(fields, "images", count)
    return numbers, read_window(fields)


def _take_numbers(
    fields: Description, name: str, count: int, default: object = ...
) -> frozenset[int]:
    """Return the numbers of images."""
    numbers = fields.take(name, default)
    is_numbers = isinstance(numbers, list) and all(
        isinstance(number, int) and not isinstance(number, bool) and 0 <= number < count
        for number in numbers
    )
    if not is_numbers:
        raise fields.error(name, f"must be a list of integers from 0 to {count - 1}")
    return frozenset(numbers)


def _take_time(fields: Description, name: str) -> datetime:
    text = fields.take_text(name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise fields.error(name, f"must be a date or time, not {text!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
