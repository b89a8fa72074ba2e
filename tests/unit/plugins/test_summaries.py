"""What the pages get of XCom: only what is as it should be, from whichever version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy
from airflow.models.xcom import XComModel
from sqlalchemy.orm import Session

from airflow_provider.earthengine.plugins.summaries import (
    find_summary,
    list_summaries,
    read_summary,
)
from tests.unit.plugins.pushed import PICTURE, SUMMARY, push


def test_a_summary_of_this_version_is_read_as_it_is() -> None:
    assert read_summary(SUMMARY) == {**SUMMARY, "is_newer": False}
    assert read_summary(json.dumps(SUMMARY)) == {**SUMMARY, "is_newer": False}


def test_an_older_summary_has_warnings_only() -> None:
    read = read_summary({"warnings": ["One."], "all_masked": ["x.tif"]})
    assert read is not None
    assert (read["version"], read["warnings"], read["all_masked"]) == (0, ["One."], ["x.tif"])
    assert (read["picture"], read["files"], read["asked"], read["links"]) == (None, [], None, {})


def test_of_a_newer_summary_what_is_known_is_read() -> None:
    read = read_summary({**SUMMARY, "version": 2, "files": {"a": 1}, "new": [1]})
    assert read is not None
    assert read["is_newer"]
    assert read["files"] == []
    assert read["bands"] == SUMMARY["bands"]
    assert "new" not in read


@pytest.mark.parametrize(
    "value",
    [None, 3, True, "", "x", "[" * 100_000, [], {}, [SUMMARY], {"warnings": 3}, {"files": []},
     {"warnings": [], "version": "1"}, {"warnings": [], "version": True}],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_what_is_none_of_ours_is_nothing(value: Any) -> None:
    assert read_summary(value) is None


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [[[]]], {"a": {"b": None}}, True, 1e400])
def test_each_field_is_of_its_type_or_missing(odd: Any) -> None:
    read = read_summary(dict.fromkeys(SUMMARY, odd) | {"warnings": [odd], "version": 1})
    assert read is not None
    json.dumps(read, allow_nan=False)
    for name in ("files", "bands", "all_masked", "bbox"):
        assert isinstance(read[name], list)
    for name in ("footprint", "asked", "datetime", "left_out"):
        assert read[name] is None or isinstance(read[name], dict)
    for name in ("item", "seconds", "requests"):
        assert not isinstance(read[name], list | dict)


@pytest.mark.parametrize(
    "picture",
    [
        "https://example.com/x.png",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,AAAA",
        "data:text/html;base64,AAAA",
        "data:image/png;base64,AA AA",
        "data:image/png;base64,AAAA\n",
        'data:image/png;base64,AAAA" onerror="alert(1)',
        f"data:image/png;base64,{'A' * 70_000}",
        7,
    ],
    ids=lambda value: str(value)[:40],
)
def test_only_a_small_picture_in_itself_is_a_picture(picture: Any) -> None:
    read = read_summary({**SUMMARY, "picture": picture})
    assert read is not None
    assert read["picture"] is None


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "s3://a/b", "//x", "http://a b", 'https://"', 3],
)  # fmt: skip
def test_only_the_address_of_a_page_is_a_link(address: Any) -> None:
    read = read_summary({**SUMMARY, "links": {"item": address, "catalog": "https://x/y?z=1"}})
    assert read is not None
    assert read["links"] == {"catalog": "https://x/y?z=1"}


@pytest.fixture
def session() -> Iterator[Session]:
    engine = sqlalchemy.create_engine("sqlite://")
    table: Any = XComModel.__table__
    table.create(engine)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def test_a_task_has_its_own_summary(session: Session) -> None:
    push(session, SUMMARY)
    push(session, {**SUMMARY, "item": "of another map index"}, map_index=2)
    push(session, ["another key"], key="return_value", task_id="u")
    found = find_summary(session, "d", "r", "t", -1)
    assert found is not None
    assert found["item"] == SUMMARY["item"]
    mapped = find_summary(session, "d", "r", "t", 2)
    assert mapped is not None
    assert mapped["item"] == "of another map index"
    for asked in [
        ("x", "r", "t", -1),
        ("d", "x", "t", -1),
        ("d", "r", "u", -1),
        ("d", "r", "t", 0),
    ]:
        assert find_summary(session, *asked) is None


def test_a_runs_pictures_come_page_by_page_in_order(session: Session) -> None:
    for number in range(10):
        push(session, {**SUMMARY, "item": f"s3://demo/{number}.tif.json"}, map_index=number)
    push(session, {"not": "ours"}, task_id="a")
    push(session, SUMMARY, run_id="another")
    pages, offset = [], 0
    while True:
        page = list_summaries(session, "d", "r", offset, 4)
        assert page["count"] == 11
        pages.append([each["map_index"] for each in page["pictures"]])
        offset = page["next"]
        if offset >= page["count"]:
            break
    assert pages == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]
    first = list_summaries(session, "d", "r", 1, 1)["pictures"]
    assert first == [
        {"task_id": "t", "map_index": 0, "picture": PICTURE, "item": "s3://demo/0.tif.json",
         "warnings": 1, "all_masked": False}
    ]  # fmt: skip
