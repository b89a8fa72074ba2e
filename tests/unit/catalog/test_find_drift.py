"""What items record of their sources, and what the catalog has made of these since."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider.earthengine.catalog.drift import (
    Drift,
    RecordedDownload,
    find_drift,
    read_recorded,
)
from airflow_provider.earthengine.catalog.listed_downloads import (
    ListedDownload,
    each_date,
    each_image,
)
from airflow_provider.earthengine.download.fields.source import ListedImage
from tests.support.memory_s3 import Store, bucket_on

DAY = datetime(2021, 1, 9, tzinfo=UTC)
NEXT_DAY = datetime(2021, 1, 10, tzinfo=UTC)
A, B = ListedImage("c/a", None, 1), ListedImage("c/b", None, 2)
OF_IMAGE = RecordedDownload("p/x.tif.json", "p", "x", (A,), False, DAY)
OF_DATE = RecordedDownload("q/y.tif.json", "q", "y", (A, B), True, DAY)
CURRENT = {"c/a": 1, "c/b": 2}


def at(image: ListedImage, moment: datetime) -> ListedImage:
    return replace(image, start=moment)


def drift(
    *recorded: RecordedDownload,
    versions: dict[str, int | None] = CURRENT,
    present: list[ListedDownload] | None = None,
    by_date: bool = False,
) -> Drift:
    return find_drift(recorded, versions, present, by_date=by_date)


def test_nothing_drifted_where_all_versions_are_the_recorded_ones() -> None:
    assert drift(OF_IMAGE, OF_DATE) == Drift((), (), ())


@pytest.mark.parametrize("version", [2, None])
def test_an_image_of_another_version_is_downloaded_again_under_its_name(version: Any) -> None:
    found = drift(OF_IMAGE, versions={"c/a": version})
    ((prefix, again),) = found.changed
    now = ListedImage("c/a", DAY, version)
    assert (prefix, again) == ("p", ListedDownload("x", "c/a", DAY, (now,)))
    assert (found.vanished, found.appeared) == ((), ())


def test_a_mosaic_is_made_again_of_the_images_that_are_left() -> None:
    ((prefix, again),) = drift(OF_DATE, versions={"c/b": 2}).changed
    assert (prefix, again.name, again.start) == ("q", "y", DAY)
    assert again.images == (B,)
    assert "c/b" in again.image
    assert "c/a" not in again.image


def test_what_has_no_source_left_has_vanished() -> None:
    assert drift(OF_IMAGE, OF_DATE, versions={}) == Drift((), (OF_IMAGE, OF_DATE), ())


def test_a_date_is_made_again_of_all_images_that_it_has_now() -> None:
    late = ListedImage("c/late", None, 3)
    (listed,) = each_date([at(A, DAY), at(B, DAY), at(late, DAY)])
    ((prefix, again),) = drift(OF_DATE, present=[listed], by_date=True).changed
    assert (prefix, again) == ("q", replace(listed, name="y"))
    (same,) = each_date([at(A, DAY), at(B, DAY)])
    assert drift(OF_DATE, present=[same], by_date=True) == Drift((), (), ())


def test_a_single_image_is_compared_with_itself_and_not_with_its_date() -> None:
    (listed,) = each_date([at(A, DAY), at(B, DAY)])
    assert drift(OF_IMAGE, present=[listed], by_date=True) == Drift((), (), (listed,))


def test_images_and_dates_that_no_item_records_have_appeared() -> None:
    images = each_image([at(A, DAY), at(B, DAY)])
    assert drift(OF_IMAGE, present=images) == Drift((), (), (images[1],))
    # A mosaic of it is no download of the image.
    assert drift(OF_DATE, present=images).appeared == tuple(images)
    dates = each_date([at(A, DAY), at(B, DAY), at(A, NEXT_DAY)])
    assert drift(OF_DATE, present=dates, by_date=True).appeared == (dates[1],)


def item(**properties: Any) -> dict[str, Any]:
    return {"properties": {"earthengine:fingerprint": "v1:f", **properties}}


IMAGE = {"earthengine:asset_id": "c/a", "earthengine:asset_version": 1}
SOURCES = {"earthengine:source_images": [
    {"asset_id": "c/a", "version": 1}, {"asset_id": "c/b", "version": None},
]}  # fmt: skip
TIME = "2021-01-09T00:00:00Z"


def read(content: Any, key: str = "p/x.tif.json") -> tuple[list[RecordedDownload], int]:
    store = Store()
    store.put(key, json.dumps(content).encode())
    return read_recorded(bucket_on(store), "p")


@pytest.mark.parametrize(
    ("properties", "images", "is_mosaic", "start"),
    [
        ({**IMAGE, "datetime": TIME}, (A,), False, DAY),
        ({"earthengine:asset_id": "c/a"}, (replace(A, version=None),), False, None),
        ({**IMAGE, **SOURCES}, (A,), False, None),
        ({**SOURCES, "datetime": None, "start_datetime": TIME},
         (A, replace(B, version=None)), True, DAY),
        ({**IMAGE, "datetime": TIME, "start_datetime": "2021-01-10T00:00:00Z"}, (A,), False, DAY),
        ({**IMAGE, "datetime": TIME, "earthengine:time_source": "image"}, (A,), False, DAY),
        ({**IMAGE, "datetime": TIME, "earthengine:time_source": "listing"}, (A,), False, DAY),
        ({**IMAGE, "datetime": TIME, "earthengine:time_source": "run"}, (A,), False, None),
    ],
)  # fmt: skip
def test_an_item_records_its_images_their_versions_and_their_time(
    properties: dict[str, Any], images: tuple[ListedImage, ...], is_mosaic: bool, start: Any
) -> None:
    recorded = RecordedDownload("p/x.tif.json", "p", "x", images, is_mosaic, start)
    assert read(item(**properties)) == ([recorded], 0)
    assert recorded.asset_ids == {each.asset_id for each in images}


def test_an_item_without_a_source_is_counted() -> None:
    assert read(item()) == ([], 1)


@pytest.mark.parametrize(
    "content",
    [
        [1], {"properties": []}, {"properties": {"earthengine:asset_id": "c/a"}},
        item(**{"earthengine:asset_id": " c/a"}), item(**{"earthengine:asset_id": 5}),
        item(**{"earthengine:asset_id": "c/a", "earthengine:asset_version": -1}),
        item(**IMAGE, datetime="soon"),
    ],
)  # fmt: skip
def test_what_is_no_item_of_ours_is_left_out(content: Any) -> None:
    assert read(content) == ([], 0)


def test_only_items_below_the_prefix_are_read() -> None:
    assert read(item(**IMAGE), "pq/x.tif.json") == ([], 0)
    assert read(item(**IMAGE), "p/x.json") == ([], 0)
