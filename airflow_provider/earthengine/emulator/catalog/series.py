"""Descriptions of a collection's images: one per interval of days, with gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider.earthengine.emulator.catalog.formulas import read_window
from airflow_provider.earthengine.emulator.catalog.landscape import Scene
from airflow_provider.earthengine.emulator.strict_json import Description
from airflow_provider.earthengine.emulator.values.pixels import Window

# A series without a count goes on for a server that keeps running.
_DAYS_AHEAD = 366


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
    :param is_taken: whether there is an image, alternating; empty for all but the gaps.
    :param hours_late: how long after its time an image is visible, alternating; empty for always.
    :param cloud_property: the property of a landscape's images that says how cloudy they are.
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
    is_taken: tuple[bool, ...] = ()
    hours_late: tuple[float, ...] = ()
    cloud_property: str | None = None

    def numbers(self) -> Iterator[int]:
        taken = self.is_taken or (True,)
        return (
            number
            for number in range(self.count)
            if number not in self.gaps and taken[number % len(taken)]
        )

    def visible_from_of(self, number: int) -> float:
        """Return the time from which an image is visible, in seconds since 1970; 0 for always."""
        if number in self.visible_from or not self.hours_late:
            return self.visible_from.get(number, 0.0)
        late = timedelta(hours=self.hours_late[number % len(self.hours_late)])
        return (self._time_of(number) + late).timestamp()

    def scene_of(self, number: int, change: int = 0) -> Scene:
        """Return what distinguishes the pixels of an image.

        :param change: the number to add to its seed.
        """
        properties = self.properties_of(number)
        cloud_percent = properties.get(self.cloud_property, 0.0) if self.cloud_property else 0.0
        day = self._time_of(number).timetuple().tm_yday
        return Scene(number + 1 + change, day, cloud_percent)

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
    hours_late = _take_hours(fields)
    ahead = datetime.now(UTC) + timedelta(days=_DAYS_AHEAD) - start
    count = fields.take_integer("count", 0, max(0, ahead // step) if hours_late else ...)
    is_taken = _take_pattern(fields)
    gaps = _take_numbers(fields, "gaps", count, [])
    index = fields.take_text("index", "%Y%m%d")
    late = dict(_read_change(item, count) for item in fields.take_objects("late", []))
    again = dict(_read_change(item, count) for item in fields.take_objects("reprocessed", []))
    masked = tuple(_read_masked(item, count) for item in fields.take_objects("masked", []))
    cycles = fields.take_object("image_properties", {})
    for name, values in cycles.items():
        if not isinstance(values, list) or not values:
            raise fields.error(f"image_properties.{name}", "must be a list of alternating values")
    cloudy = fields.take_text("cloud_property") if fields.has("cloud_property") else None
    if cloudy is not None and not _are_percent(cycles.get(cloudy)):
        raise fields.error("cloud_property", f"{cloudy!r} is not an image property in percent")
    fields.finish()
    series = Series(
        start, step, count, gaps, index, late, again, masked, cycles, is_taken, hours_late, cloudy
    )
    indexes = [series.index_of(number) for number in series.numbers()]
    if len(set(indexes)) < len(indexes):
        raise description.error("series.index", f"{index!r} gives two images the same name")
    return series


def _take_hours(fields: Description) -> tuple[float, ...]:
    hours = fields.take("hours_late", [])
    if not isinstance(hours, list) or not all(_is_number(value) and value >= 0 for value in hours):
        raise fields.error("hours_late", f"must be a list of hours, not {hours!r}")
    return tuple(hours)


def _take_pattern(fields: Description) -> tuple[bool, ...]:
    pattern = fields.take("pattern", [])
    if not isinstance(pattern, list) or not all(value in (0, 1) for value in pattern):
        raise fields.error("pattern", f"must be a list of 1 and 0, not {pattern!r}")
    return tuple(bool(value) for value in pattern)


def _are_percent(values: Any) -> bool:
    return isinstance(values, list) and all(
        _is_number(each) and 0 <= each <= 100 for each in values
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
