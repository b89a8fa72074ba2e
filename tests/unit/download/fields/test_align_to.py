"""The lattice of an item or a raster, whoever wrote it, or a refusal that says what is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.align_to import find_lattice, read_align_to
from airflow_provider.earthengine.download.fields.lattice import Lattice
from airflow_provider.earthengine.exceptions import DownloadParamsError

TRANSFORM = [10.0, 0.0, 500003.0, 0.0, -10.0, 4100007.0]
EXPECTED = Lattice("EPSG:32610", (10.0, 0.0, 500003.0, 0.0, -10.0, 4100007.0))
CODED = {"proj:code": "EPSG:32610", "proj:transform": TRANSFORM}


def item(*assets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    named = {f"a{number}": asset for number, asset in enumerate(assets)}
    return {"type": "Feature", "properties": properties, "assets": named}


def found(content: Any) -> Lattice:
    def no_raster(uri: str) -> Any:
        pytest.fail(f"{uri} was opened")

    return find_lattice("s3://b/k.json", lambda _: json.dumps(content).encode(), no_raster)


@pytest.mark.parametrize(
    "content",
    [
        item(CODED),
        item(CODED, {"href": "thumbnail.png"}),
        # Files of two regions on one lattice, one with the whole matrix.
        item(CODED, {**CODED, "proj:transform": [10, 0, 499003, 0, -10, 4200007, 0, 0, 1]}),
        item({"proj:epsg": 32610, "proj:transform": TRANSFORM}),
        item({"href": "x.tif"}, **CODED),
        item({"proj:transform": TRANSFORM}, **{"proj:code": "epsg:32610"}),
    ],
)
def test_an_item_says_where_its_pixels_are(content: dict[str, Any]) -> None:
    assert found(content) == EXPECTED or EXPECTED.has_edges_of(found(content))


def test_a_crs_without_a_code_is_wkt() -> None:
    wkt = 'PROJCRS["x"]'
    assert found(item({"proj:wkt2": wkt, "proj:transform": TRANSFORM})).crs == wkt


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (item({"href": "x.npy"}), "no proj:transform with a crs"),
        (item({"proj:transform": TRANSFORM}), "no proj:transform with a crs"),
        (item(CODED, {**CODED, "proj:transform": [20.0, *TRANSFORM[1:]]}), "different places or"),
        (item(CODED, {**CODED, "proj:transform": [*TRANSFORM[:2], 5e5, *TRANSFORM[3:]]}),
         "different places or sizes"),
        (item(CODED, {**CODED, "proj:code": "EPSG:32611"}), "different places or sizes"),
        (item({**CODED, "proj:transform": [0.0] * 6}), "not the transform of pixels with an area"),
        (item({**CODED, "proj:transform": [1, 2]}), "not the transform of pixels with an area"),
        (item({**CODED, "proj:transform": [None] * 6}), "not a number"),
        (item({**CODED, "proj:transform": ["NaN"] * 6}), "not a finite number"),
        ({"kind": "earthengine-claim"}, "not a STAC item"),
        ([], "not a STAC item"),
        ("text", "not a STAC item"),
    ],
)  # fmt: skip
def test_an_item_without_one_lattice_is_refused(content: Any, message: str) -> None:
    with pytest.raises(DownloadParamsError, match=message) as refused:
        found(content)
    assert "s3://b/k.json" in str(refused.value)


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(DownloadParamsError, match="not a STAC item: the item is not JSON"):
        find_lattice("s3://b/k.json", lambda _: b"<xml>", lambda _: ("", ()))


def test_a_raster_says_where_its_pixels_are() -> None:
    def read(uri: str) -> Any:
        return ("EPSG:32610", tuple(TRANSFORM)) if uri == "s3://b/k.tif" else None

    assert find_lattice("s3://b/k.tif", pytest.fail, read) == EXPECTED


@pytest.mark.parametrize("grid", [("", TRANSFORM), ("EPSG:32610", [0.0] * 6)])
def test_a_raster_without_a_place_is_refused(grid: Any) -> None:
    with pytest.raises(DownloadParamsError, match="a raster without a crs or a place"):
        find_lattice("s3://b/k.tif", pytest.fail, lambda _: grid)


@pytest.mark.parametrize(
    "value", ["first.tif", "https://x/y.tif", "s3://b", "s3:///k", 7, ["s3://b/k"]]
)
def test_what_is_no_uri_is_refused(value: Any) -> None:
    with pytest.raises(DownloadParamsError, match="align_to is"):
        read_align_to(value)


def test_a_uri_may_be_unset() -> None:
    assert (read_align_to(None), read_align_to("")) == (None, None)
    assert read_align_to(" s3://b/k.tif ") == "s3://b/k.tif"
