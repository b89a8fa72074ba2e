"""What XCom keeps of a download: complete where it is short, and never longer than 64 KiB."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.destination import Destination
from airflow_provider.earthengine.download.publish.record import parse_record
from airflow_provider.earthengine.download.publish.summary import Work, summarize

DESTINATION = Destination("demo", "a", "scene", ".tif.json")
MOST = 64 << 10
WORK = Work(was_there=False, seconds=1.25)
PICTURE = (b"\x89PNG" + bytes(range(256)) * 143, "image/png")
ODD = '<script>alert("x")</script>'


def band(name: str = "B3", **changes: Any) -> dict[str, Any]:
    statistics = {"minimum": 1, "maximum": 9, "mean": 4.5, "valid_percent": 75.0}
    return {"name": name, "data_type": "uint16", "nodata": 0, "statistics": statistics, **changes}


def asset(key: str = "a/scene.tif", bands: Any = None, **changes: Any) -> dict[str, Any]:
    return {
        "href": f"s3://demo/{key}",
        "type": "image/tiff",
        "roles": ["data"],
        "file:size": 1234,
        "file:checksum": "1220" + "ab" * 32,
        "earthengine:etag": '"etag"',
        "bands": [band()] if bands is None else bands,
        "proj:code": "EPSG:32610",
        "proj:shape": [86, 105],
        **changes,
    }


def item(*assets: dict[str, Any], geometry: Any = None, **properties: Any) -> dict[str, Any]:
    return {
        "geometry": geometry,
        "bbox": [-122.1, 37.0, -122.0, 37.1],
        "properties": {
            "datetime": "2021-01-09T18:57:51Z",
            "earthengine:fingerprint": "v1:f",
            "earthengine:generation": "dag/run/0",
            "earthengine:asset_id": "A/scene",
            "earthengine:asset_version": 1610218671000123,
            "earthengine:params": {"bands": ["B3"], "scale": 20},
            **properties,
        },
        "assets": {f"asset{number}": each for number, each in enumerate(assets or (asset(),))},
    }


def summary(
    given: dict[str, Any], picture: tuple[bytes, str] | None = None, work: Work = WORK
) -> dict[str, Any]:
    """Return the summary as it comes out of XCom; it is never too long."""
    record = parse_record(DESTINATION, json.dumps(given).encode(), '"item"')
    text = json.dumps(summarize(record, picture, work), allow_nan=False)
    assert len(text.encode()) <= MOST
    made: dict[str, Any] = json.loads(text)
    assert made["version"] == 1
    return made


def test_a_short_summary_is_complete() -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [1.12345678, 0], [1, 1], [0, 0]]]}
    made = summary(item(geometry=square), PICTURE)
    assert made.pop("picture") == f"data:image/png;base64,{base64.b64encode(PICTURE[0]).decode()}"
    assert made == {
        "version": 1,
        "item": "s3://demo/a/scene.tif.json",
        "warnings": [],
        "all_masked": [],
        "bbox": [-122.1, 37.0, -122.0, 37.1],
        "footprint": {
            "type": "Polygon", "coordinates": [[[0, 0], [1.123457, 0], [1, 1], [0, 0]]]
        },
        "datetime": {
            "datetime": "2021-01-09T18:57:51Z", "start_datetime": None, "end_datetime": None
        },
        "links": {},
        "asked": {
            "asset_id": "A/scene",
            "asset_version": "1610218671000123",
            "params": {"bands": ["B3"], "scale": 20},
        },
        "files": [
            {
                "uri": "s3://demo/a/scene.tif",
                "byte_count": 1234,
                "media_type": "image/tiff",
                "crs": "EPSG:32610",
                "height": 86,
                "width": 105,
            }
        ],
        "bands": [
            {
                "file": 0, "name": "B3", "data_type": "uint16", "nodata": 0,
                "minimum": 1, "maximum": 9, "mean": 4.5, "valid_percent": 75.0,
            }
        ],
        "published_before": False,
        "seconds": 1.2,
        "requests": None,
        "byte_count": 1234,
        "left_out": {},
    }  # fmt: skip


def test_the_picture_is_no_file() -> None:
    picture = asset(f"a/scene.tif.thumbnail.{'0' * 32}.png", roles=["thumbnail"], type="image/png")
    made = summary(item(asset(), picture))
    assert [each["uri"] for each in made["files"]] == ["s3://demo/a/scene.tif"]
    assert made["byte_count"] == 1234


def test_sixty_four_bands_are_all_there_beside_the_largest_picture() -> None:
    bands = [band(f"band_{number}") for number in range(64)]
    made = summary(item(asset(bands=bands)), (bytes(36 << 10), "image/png"))
    assert len(made["bands"]) + made["left_out"].get("bands", 0) == 64
    assert len(made["bands"]) >= 50
    without = summary(item(asset(bands=bands)))
    assert [each["name"] for each in without["bands"]] == [each["name"] for each in bands]


@pytest.mark.slow
@pytest.mark.parametrize("has_picture", [False, True])
def test_what_is_too_long_is_left_out_and_counted(has_picture: bool) -> None:
    files = [
        asset(f"a/{'é' * 400}{number}.tif", [band(f"{'ü' * 900}{number}")]) for number in range(900)
    ]
    ring = [[number / 7, 0.123456789] for number in range(9000)]
    made = summary(
        item(
            *files,
            geometry={"type": "Polygon", "coordinates": [ring]},
            **{
                "earthengine:warnings": [f"{number}: {ODD * 500}" for number in range(1000)],
                "earthengine:all_masked": [f"{number}{'x' * 300}" for number in range(900)],
                "earthengine:params": {"bands": ["x" * 50] * 900, "region": ring, "scale": 10},
                "earthengine:asset_id": "A/" * 40_000,
            },
        ),
        (bytes(36 << 10), "image/webp") if has_picture else None,
    )
    assert made["files"]
    assert made["bands"]
    assert made["warnings"]
    assert made["footprint"] is None
    assert made["asked"]["params"] == {"scale": 10}
    counts = {"files": 900, "bands": 900, "warnings": 1000, "all_masked": 900}
    for name, count in counts.items():
        assert len(made[name]) + made["left_out"][name] == count
    assert made["left_out"]["footprint"] == 1
    assert made["left_out"]["params"] == 2


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [[1]], {"a": {"b": [None]}}, True, 1e400])
def test_an_item_that_holds_anything_is_summarized(odd: Any) -> None:
    made = summary(
        {
            **item(
                asset(bands=odd, **{"proj:code": odd, "proj:shape": odd, "proj:wkt2": odd}),
                asset("a/scene.B.tif", [odd, band(odd, statistics=odd, nodata=odd)]),
                **{"earthengine:params": odd, "earthengine:asset_id": odd, "datetime": odd},
            ),
            "geometry": odd,
            "bbox": odd,
        }
    )
    assert len(made["files"]) == 2


def test_markup_and_lone_surrogates_stay_text() -> None:
    made = summary(item(asset(bands=[band(ODD), band("\ud800")])))
    assert [each["name"] for each in made["bands"]] == [ODD, "\\ud800"]


def test_the_crs_of_a_raster_without_a_code_is_named() -> None:
    wkt = 'PROJCRS["MODIS Sinusoidal",BASEGEOGCRS["x"]]'
    given = asset(**{"proj:code": None, "proj:wkt2": wkt})
    assert summary(item(given))["files"][0]["crs"] == "MODIS Sinusoidal"


def test_a_download_that_was_there_says_so() -> None:
    made = summary(item(), work=Work(was_there=True, seconds=0.04))
    assert (made["published_before"], made["requests"], made["seconds"]) == (True, None, 0.0)
