"""All properties of an image come back from a GeoTIFF's tags, as GDAL stores and copies them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given
from hypothesis import strategies as st
from rasterio.io import MemoryFile

from airflow_provider.earthengine.download.raster.property_tags import encode_properties
from tests.support.drawn import examples

GRID = {
    "width": 8,
    "height": 8,
    "count": 1,
    "dtype": "uint8",
    "crs": "EPSG:32610",
    "transform": rasterio.Affine(10, 0, 600_000, 0, -10, 4_100_000),
}


def stored_tags(properties: dict[str, Any]) -> dict[str, str]:
    """Return the tags that GDAL reads from the COG of a GeoTIFF that was given the properties."""
    with MemoryFile(ext=".tif") as canvas, MemoryFile(ext=".tif") as cog:
        with canvas.open(driver="GTiff", **GRID) as dataset:
            dataset.update_tags(**encode_properties(properties))
            dataset.write(np.ones((1, 8, 8), "uint8"))
        rasterio.shutil.copy(canvas.name, cog.name, driver="COG")
        with cog.open() as dataset:
            tags: dict[str, str] = dataset.tags()
            assert dataset.transform == GRID["transform"]
            assert tags.pop("AREA_OR_POINT") == "Area"
            return tags


def read_back(properties: dict[str, Any]) -> Any:
    return json.loads(stored_tags(properties)["EARTHENGINE_PROPERTIES"])


ODD = {
    "system:index": "20210109T185751_T10SEG",
    "system:time_start": 1610218671000,
    "system:time_end": 1610218672000,
    "system:footprint": {"type": "LinearRing", "coordinates": [[-122.5, 37.0], [-122.0, 37.5]]},
    "a=b": "c=d",
    "formula": "x=1:2",
    "newlines": "one\ntwo\r\nthree\n",
    "nul": "before\0after",
    "spaces": "  both  ",
    "empty": "",
    "nothing": None,
    "yes": True,
    "text of a number": "1.0",
    "number": 1.0,
    "whole": 2**60,
    "Ünïcode ☃": "naïve 𝄞 <&\"'>",
    "half a character": "\ud800",
    "infinite": float("-inf"),
    "list": [1, "2", None, {"x": 0.1}],
    "Scale": 1,
    "scale": 2,
    "AREA_OR_POINT": "Point",
    "TIFFTAG_RESOLUTIONUNIT": 3,
    "ns": "a domain",
    "bidx": 1,
    "EARTHENGINE_PROPERTIES": "mine",
    "a name " * 100: "long",
}


def test_odd_properties_come_back_as_they_were() -> None:
    assert read_back(ODD) == ODD


@pytest.mark.parametrize("name", ["system:index", "plain"])
def test_a_property_of_a_mebibyte_comes_back_as_it_was(name: str) -> None:
    properties = {name: "x=\n\0" * (1 << 18), "other": "y"}
    assert read_back(properties) == properties
    assert stored_tags(properties)["other"] == "y"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@examples(30)
@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=6))
def test_any_properties_come_back_as_they_were(properties: dict[str, Any]) -> None:
    assert read_back(properties) == properties


@examples(30)
@given(st.dictionaries(st.text("aA.:= _-é", min_size=1), st.text(max_size=5), max_size=6))
def test_a_tag_of_its_own_holds_what_the_property_holds(properties: dict[str, Any]) -> None:
    tags = stored_tags(properties)
    tags.pop("EARTHENGINE_PROPERTIES", None)
    assert tags.items() <= properties.items()


def test_plain_properties_have_tags_of_their_own() -> None:
    tags = stored_tags({"MGRS_TILE": "10SEG", "CLOUDS": 12.5, "ORBIT": 13, "x.y-z": "a b=c:d"})
    assert tags.pop("EARTHENGINE_PROPERTIES")
    assert tags == {"MGRS_TILE": "10SEG", "CLOUDS": "12.5", "ORBIT": "13", "x.y-z": "a b=c:d"}


def test_a_property_that_gdal_would_obey_has_no_tag_of_its_own() -> None:
    assert set(encode_properties(ODD)) == {
        "formula", "number", "whole", "infinite", "EARTHENGINE_PROPERTIES",
    }  # fmt: skip


def test_no_properties_are_no_tags() -> None:
    assert encode_properties({}) == {}
