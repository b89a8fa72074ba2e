"""What a listing finds, as fields of the download operator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jinja2
import pytest

from airflow_provider.earthengine.catalog.listed_downloads import each_date, each_image
from airflow_provider.earthengine.catalog.prefix_pattern import read_prefix_pattern
from airflow_provider.earthengine.download.fields.image import read_image
from airflow_provider.earthengine.download.fields.source import ListedImage, read_source
from airflow_provider.earthengine.download.fields.templates import (
    check_no_template,
    keep_from_templates,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

VERSION = 1_610_000_000_000_000
MORNING = ListedImage("A/B/m", datetime(2021, 1, 9, 10, tzinfo=UTC), VERSION)
EVENING = ListedImage("A/B/e", datetime(2021, 1, 9, 22, tzinfo=UTC), VERSION + 1)
NEXT_DAY = ListedImage("A/B/n", datetime(2021, 1, 10, tzinfo=UTC), None)
TIMELESS = ListedImage("A/B/t", None, None)


def test_an_image_is_a_small_dict_of_plain_values() -> None:
    (fields,) = [each.to_fields() for each in each_image([MORNING])]
    assert fields == {
        "image": "A/B/m",
        "source": {
            "name": "m",
            "start_time": "2021-01-09T10:00:00Z",
            "update_time": "2021-01-07T06:13:20Z",
            "images": [["A/B/m", VERSION]],
        },
    }
    assert len(json.dumps(fields)) < 200


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


def test_a_date_is_the_mosaic_of_its_images_the_last_on_top() -> None:
    first, second = each_date([NEXT_DAY, MORNING, EVENING])
    assert (first.name, second.name) == ("2021-01-09", "2021-01-10")
    assert [each.asset_id for each in first.images] == ["A/B/m", "A/B/e"]
    images = {"arrayValue": {"values": [{"valueReference": "1"}, {"valueReference": "2"}]}}
    collection = call("ImageCollection.fromImages", images=images)
    mosaic = call(
        "Element.set",
        object=call("ImageCollection.mosaic", collection=collection),
        key={"constantValue": "system:time_start"},
        value={"constantValue": 1_610_150_400_000},  # date -u -d 2021-01-09 +%s
    )
    loads = [call("Image.load", id={"constantValue": name}) for name in ("A/B/m", "A/B/e")]
    values = {"0": mosaic, "1": loads[0], "2": loads[1]}
    assert json.loads(first.image) == {"result": "0", "values": values}
    assert first.to_fields()["source"]["update_time"] == "2021-01-07T06:13:20.000001Z"


def test_a_late_image_makes_a_date_another_program() -> None:
    (early,), (late,) = each_date([MORNING]), each_date([MORNING, EVENING])
    assert early.image != late.image
    assert each_date([MORNING])[0].image == early.image


def test_the_program_of_a_date_is_one_that_an_image_may_be() -> None:
    (date,) = each_date([MORNING, EVENING])
    assert read_image(date.image).asset_id is None


def test_an_image_without_a_time_has_no_date() -> None:
    with pytest.raises(DownloadParamsError, match="use 'image'"):
        each_date([TIMELESS])
    (fields,) = [each.to_fields() for each in each_image([TIMELESS])]
    assert fields["source"]["start_time"] is None


@pytest.mark.parametrize(
    ("pattern", "wanted", "fixed"),
    [
        ("s2", "s2", "s2"),
        ("s2/%Y/%m/%d", "s2/2021/01/09", "s2"),
        ("/a/x-%j/", "a/x-009", "a"),
        ("%Y", "2021", ""),
        ("a/100%%", "a/100%", "a"),
    ],
)
def test_a_prefix_may_hold_the_date(pattern: str, wanted: str, fixed: str) -> None:
    read = read_prefix_pattern(pattern)
    assert read.at(MORNING.start) == wanted
    assert read.fixed == fixed


@pytest.mark.parametrize("pattern", ["%x", "a%", "%-d"])
def test_other_parts_of_a_prefix_are_refused(pattern: str) -> None:
    with pytest.raises(DownloadParamsError, match="is not one of %Y"):
        read_prefix_pattern(pattern)


def test_a_dated_prefix_needs_a_time() -> None:
    with pytest.raises(DownloadParamsError, match="without a date"):
        read_prefix_pattern("%Y").at(None)
    assert read_prefix_pattern("a").at(None) == "a"


def test_what_was_listed_is_read_again_as_it_was() -> None:
    (fields,) = [each.to_fields() for each in each_image([MORNING])]
    source = read_source(json.loads(json.dumps(fields["source"])))
    assert source.name == "m"
    assert source.to_item() == {
        "earthengine:source_images": [{"asset_id": "A/B/m", "version": VERSION}]
    }
    assert read_source(None).to_item() == {}


@pytest.mark.parametrize(
    "value", ["text", {"images": ["x"]}, {"images": [["a", "b"]]}, {"name": "a/b"}, [1]]
)
def test_another_source_is_refused(value: Any) -> None:
    with pytest.raises(DownloadParamsError):
        read_source(value)


HOSTILE = "A/B/{{ nothing.here }}{% raw %}{# x"


def rendered(text: str) -> str:
    """Return what Airflow may make of a text before it is read."""
    return jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render()


@pytest.mark.parametrize("is_rendered", [False, True])
def test_an_id_is_never_a_template(is_rendered: bool) -> None:
    hostile = ListedImage(HOSTILE, MORNING.start, 1)
    for ingestion in (*each_image([hostile]), *each_date([hostile, MORNING])):
        text = ingestion.to_fields()["image"]
        program = read_image(rendered(text) if is_rendered else text).expression
        assert json.dumps(HOSTILE) in json.dumps(program)


def test_a_program_that_is_kept_from_templates_is_the_same_program() -> None:
    text = json.dumps({"a": ['x{"', "{{ y }}", "\\", {"b{": {}}], "c": {"d": "e"}})
    assert json.loads(rendered(keep_from_templates(text))) == json.loads(text)


@pytest.mark.parametrize("key", ["a/{{ b }}", "{% c %}", "{# d"])
def test_a_key_that_would_be_a_template_is_refused(key: str) -> None:
    with pytest.raises(DownloadParamsError, match="rename or remove"):
        check_no_template(key)
    assert check_no_template("a/{b}") == "a/{b}"
