"""When a download has an asset event, and what it says: bounded JSON, whatever the item says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider.earthengine.download.fields.destination import Destination
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.publish.published_data import PublishedData
from airflow_provider.earthengine.download.publish.record import (
    FINGERPRINT,
    GENERATION,
    CommitRecord,
    read_item,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.task.asset_events import (
    AssetEvents,
    announce,
    describe_published,
    describe_together,
    read_asset_events,
)

SCENE = Asset("scene")
NOON = datetime(2021, 1, 9, 12, tzinfo=UTC)
EVENT = {"item": "s3://demo/a/scene.tif.json", "changed": True, "date": "2021-01-09"}


def record_of(*, bucket: str = "demo", base: str = "scene", **item: Any) -> CommitRecord:
    """Return the record of an item that says little but what a test gives it."""
    properties = {FINGERPRINT: "v1:a", GENERATION: "dag/run/0", **item.pop("properties", {})}
    content = {"properties": properties, "assets": {}, **item}
    return read_item(Destination(bucket, "a", base, ".tif.json"), Foreign(content), "etag")


def described(**item: Any) -> dict[str, Any]:
    event = describe_published(record_of(**item), is_changed=True)
    assert json.loads(json.dumps(event, allow_nan=False)) == event
    return event


def test_an_event_says_where_the_item_is_and_what_it_is_made_of() -> None:
    event = described(
        bbox=[-122.1, 37.0, -122.0, 37.1],
        properties={
            "datetime": "2021-01-09T18:57:51Z",
            "earthengine:asset_id": "A/B/C",
            "earthengine:asset_version": 1610218671000000,
        },
    )
    assert event == {
        "item": "s3://demo/a/scene.tif.json",
        "fingerprint": "v1:a",
        "changed": True,
        "date": "2021-01-09",
        "datetime": "2021-01-09T18:57:51Z",
        "start_datetime": None,
        "end_datetime": None,
        "bbox": [-122.1, 37.0, -122.0, 37.1],
        "image_count": 1,
        "images": [{"asset_id": "A/B/C", "version": 1610218671000000}],
    }


def test_the_images_of_a_listing_are_the_sources_of_their_mosaic() -> None:
    images = [{"asset_id": "A/B/1", "version": 7}, {"asset_id": "A/B/2", "version": None}]
    event = described(properties={"earthengine:source_images": images})
    assert (event["image_count"], event["images"]) == (2, images)


@pytest.mark.parametrize(
    ("times", "date"),
    [
        ({"datetime": "2021-01-09T18:57:51Z"}, "2021-01-09"),
        # In UTC, whoever wrote the item.
        ({"datetime": "2021-01-09T23:30:00-05:00"}, "2021-01-10"),
        # The nominal time decides, as of a composite of eight days.
        (
            {
                "datetime": "2021-01-01T00:00:00Z",
                "start_datetime": "2021-01-01T00:00:00Z",
                "end_datetime": "2021-01-09T00:00:00Z",
            },
            "2021-01-01",
        ),
        (
            {
                "datetime": None,
                "start_datetime": "2021-01-09T00:00:00Z",
                "end_datetime": "2021-01-10T00:00:00Z",
            },
            "2021-01-09",
        ),
        (
            {
                "datetime": None,
                "start_datetime": "2021-01-01T00:00:00Z",
                "end_datetime": "2021-02-01T00:00:00Z",
            },
            None,
        ),
        (
            {
                "datetime": None,
                "start_datetime": "1678-01-01T00:00:00Z",
                "end_datetime": "2262-01-01T00:00:00Z",
                "earthengine:time_source": "unknown",
            },
            None,
        ),
        ({}, None),
    ],
)
def test_the_date_is_that_of_the_data_where_there_is_a_single_one(
    times: dict[str, Any], date: str | None
) -> None:
    assert described(properties=times)["date"] == date


@pytest.mark.parametrize(
    "odd",
    [
        {"bbox": "everywhere"},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, 3, float("nan")]},
        {"bbox": None},
        {"properties": {"datetime": "yesterday"}},
        {"properties": {"datetime": "2021-01-09T00:00:00"}},
        {"properties": {"datetime": "0001-01-01T00:00:00+10:00"}},
        {"properties": {"datetime": 7}},
        {"properties": {"earthengine:asset_id": 7}},
        {"properties": {"earthengine:asset_id": {"a": "b"}}},
    ],
)
def test_what_an_edited_item_says_otherwise_is_left_out_and_nothing_fails(
    odd: dict[str, Any],
) -> None:
    event = described(**odd)
    assert event["item"] == "s3://demo/a/scene.tif.json"
    assert (event["images"], event["date"]) == ([], None)
    assert (event["bbox"], event["datetime"]) == (None, None)


def test_an_event_is_at_most_16_kib_however_many_images_there_are() -> None:
    images = [{"asset_id": f"A/B/{number:0900d}", "version": number} for number in range(5_000)]
    event = described(base="ö" * 400, properties={"earthengine:source_images": images})
    assert event["image_count"] == 5_000
    assert 10 <= len(event["images"]) <= 18
    assert event["images"] == images[: len(event["images"])]
    assert 15_000 < len(json.dumps(event)) <= 16_384


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("changed", AssetEvents("changed", "date")),
        ("always", AssetEvents("always", "date")),
        ({"partition_key": "none"}, AssetEvents("changed", "none")),
        ('{"when": "always", "partition_key": "date"}', AssetEvents("always", "date")),
        ({}, AssetEvents("changed", "date")),
    ],
)
def test_the_field_is_one_word_or_says_each(given: Any, read: AssetEvents) -> None:
    assert read_asset_events(given) == read


@pytest.mark.parametrize(
    "given",
    ["never", "", None, 1, True, ["always"], {"when": "date"}, {"partition_key": None},
     {"partitions": "date"}, {"when": ["always"]}, "{", '{"when"'],
)  # fmt: skip
def test_anything_else_is_refused_by_the_name_of_the_field(given: Any) -> None:
    with pytest.raises(DownloadParamsError, match="asset_events") as refused:
        read_asset_events(given)
    assert refused.value.facts["field"].startswith("asset_events")


def test_each_outlet_has_the_event_with_the_date_as_its_partition() -> None:
    other = Asset(name="other", uri="s3://demo/other")
    accessors = OutletEventAccessors()
    accessors[SCENE].extra["mine"] = "kept"
    seen = announce([SCENE, other], AssetEvents(), EVENT, {"outlet_events": accessors})  # type: ignore[typeddict-item]  # no more is needed
    assert seen == [SCENE, other]
    assert accessors[SCENE].extra == {"mine": "kept", **EVENT}
    assert accessors[other].extra == EVENT
    assert accessors[SCENE].partition_keys == accessors[other].partition_keys == {"2021-01-09"}


@pytest.mark.parametrize(
    ("events", "date"), [(AssetEvents(partition_key="none"), "2021-01-09"), (AssetEvents(), None)]
)
def test_an_event_has_no_partition_without_a_date_or_where_none_is_wanted(
    events: AssetEvents, date: str | None
) -> None:
    accessors = OutletEventAccessors()
    announce([SCENE], events, {**EVENT, "date": date}, {"outlet_events": accessors})  # type: ignore[typeddict-item]  # no more is needed
    assert accessors[SCENE].partition_keys == set()
    assert accessors[SCENE].extra["item"] == EVENT["item"]


def test_without_a_change_airflow_sees_no_asset_unless_it_is_asked_for() -> None:
    unchanged = {**EVENT, "changed": False}
    outlets = [SCENE, Asset.ref(name="scene"), AssetAlias("scenes"), "no asset"]
    assert announce(outlets, AssetEvents(), unchanged, {}) == ["no asset"]  # type: ignore[typeddict-item]  # nothing is needed
    accessors = OutletEventAccessors()
    context: Any = {"outlet_events": accessors}
    assert announce([SCENE], AssetEvents("always"), unchanged, context) == [SCENE]
    assert accessors[SCENE].extra["changed"] is False


@pytest.mark.parametrize(
    ("item", "uri"),
    [
        ("s3://demo/a/scene.tif.json", "s3://demo/a/scene.tif.json"),
        ("s3://demo/São Paulo/x?y#z.tif.json", "s3://demo/S%C3%A3o%20Paulo/x%3Fy%23z.tif.json"),
        (
            "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ap/a.tif.json",
            "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ap/a.tif.json",
        ),
    ],
)
def test_an_alias_passes_on_the_event_of_the_item(item: str, uri: str) -> None:
    alias, accessors = AssetAlias("scenes"), OutletEventAccessors()
    context: Any = {"outlet_events": accessors}
    announce([alias], AssetEvents(), {**EVENT, "item": item}, context)
    (event,) = accessors[alias].asset_alias_events
    assert (event.dest_asset_key.uri, event.dest_asset_key.name) == (uri, uri)
    assert event.extra["item"] == item


def test_keys_too_long_for_the_name_of_an_asset_stay_apart() -> None:
    uris = set()
    for last in ("x", "y"):
        alias, accessors = AssetAlias("scenes"), OutletEventAccessors()
        context: Any = {"outlet_events": accessors}
        announce([alias], AssetEvents(), {**EVENT, "item": f"s3://demo/{'ö' * 500}{last}"}, context)
        uris.add(accessors[alias].asset_alias_events[0].dest_asset_key.uri)
    assert len(uris) == 2
    assert {len(uri) for uri in uris} == {1500}


def download(number: int, **changes: Any) -> dict[str, Any]:
    moment = NOON + timedelta(days=number)
    data = PublishedData(bbox=(number, 0.0, number + 1.0, 1.0), moment=moment)
    record = record_of(base=f"scene{number}")
    event = describe_published(record, is_changed=True)
    times = {"date": data.date, "datetime": moment.isoformat(), "bbox": list(data.bbox or ())}
    return {**event, **times, **changes}


def test_one_event_of_many_spans_them() -> None:
    together = describe_together([download(2), download(0), download(1, changed=False)])
    assert together == {
        "changed": True,
        "date": None,
        "start_datetime": "2021-01-09T12:00:00Z",
        "end_datetime": "2021-01-11T12:00:00Z",
        "bbox": [0, 0, 3, 1],
        "item_count": 3,
        "items": [f"s3://demo/a/scene{number}.tif.json" for number in (2, 0, 1)],
    }


def test_one_event_of_many_of_a_date_is_of_that_date() -> None:
    assert describe_together([download(1), download(1)])["date"] == "2021-01-10"


def test_one_event_of_downloads_across_the_antimeridian_goes_around_the_earth() -> None:
    fiji = download(0, bbox=[177.0, -20.0, -178.0, -12.0])
    assert describe_together([fiji, download(5)])["bbox"] == [-180.0, -20.0, 180.0, 1.0]


def test_one_event_of_thousands_is_at_most_16_kib() -> None:
    together = describe_together([download(0) for _ in range(3_000)])
    assert together["item_count"] == 3_000
    assert len(together["items"]) > 100
    assert len(json.dumps(together)) <= 16_384


def test_one_event_of_downloads_without_time_or_place_says_neither() -> None:
    bare = download(0, date=None, datetime=None, bbox=None)
    together = describe_together([bare])
    assert (together["bbox"], together["start_datetime"], together["date"]) == (None, None, None)


@pytest.mark.parametrize("name", ["date", "datetime", "bbox", "changed"])
@pytest.mark.parametrize("odd", [7, [], {}, "text", [1, 2, 3, "4"], {"a": []}])
def test_what_another_version_wrote_into_xcom_differently_breaks_nothing(
    name: str, odd: Any
) -> None:
    together = describe_together([download(0, **{name: odd}), download(1)])
    assert together == json.loads(json.dumps(together))
    assert (together["item_count"], together["changed"]) == (2, True)
    assert together["end_datetime"] == "2021-01-10T12:00:00Z"
    assert together["bbox"][1:] == [0, 2, 1]
