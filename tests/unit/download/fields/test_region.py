"""Regions in all forms that people have: what is meant by each, or the reason why it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.fields.region import read_region, read_region_file
from airflow_provider.earthengine.exceptions import DownloadParamsError


def square(x: float, y: float = 0, side: float = 1) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def polygon(x: float, y: float = 0, side: float = 1, **members: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [square(x, y, side)], **members}


def feature(geometry: Any, **members: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": geometry, **members}


def features(*geometries: Any, **members: Any) -> dict[str, Any]:
    return {
        "type": "FeatureCollection", "features": [feature(each) for each in geometries], **members
    }  # fmt: skip


def named(name: Any) -> dict[str, Any]:
    return {"crs": {"type": "name", "properties": {"name": name}}}


UTM = polygon(500_000, 4_100_000, 1000, **named("EPSG:32610"))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("EPSG:32610", "EPSG:32610"),
        ("epsg:32610", "EPSG:32610"),
        ("urn:ogc:def:crs:EPSG::32610", "EPSG:32610"),
        ("urn:ogc:def:crs:EPSG:6.9:32610", "EPSG:32610"),
        ("urn:x-ogc:def:crs:EPSG::32610", "EPSG:32610"),
        ("http://www.opengis.net/def/crs/EPSG/0/32610", "EPSG:32610"),
        ("https://www.opengis.net/def/crs/EPSG/0/32610", "EPSG:32610"),
        ("SR-ORG:6974", "SR-ORG:6974"),
    ],
)
def test_a_projected_crs_is_sent_by_its_code_as_the_client_takes_it(name: str, sent: str) -> None:
    written = polygon(500_000, 4_100_000, 1000, **named(name))
    wanted = polygon(500_000, 4_100_000, 1000, **named(sent))
    assert read_region(written) == wanted
    assert read_params({"region": json.dumps(written)}).to_request()["region"] == wanted


@pytest.mark.parametrize(
    "name",
    [
        "EPSG:4326",
        "urn:ogc:def:crs:EPSG::4326",
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:OGC::CRS84",
        "OGC:CRS84",
        "CRS84",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
    ],
)
def test_longitude_and_latitude_by_any_name_are_what_is_meant_without_one(name: str) -> None:
    assert read_region(polygon(5, **named(name))) == polygon(5)


@pytest.mark.parametrize("name", ["EPSG:4267", "urn:ogc:def:crs:OGC:1.3:CRS27"])
def test_degrees_of_another_datum_are_sent_with_it(name: str) -> None:
    assert read_region(polygon(5, **named(name))) == polygon(5, **named("EPSG:4267"))
    with pytest.raises(DownloadParamsError, match="may be swapped"):
        read_region(polygon(40, -120, **named(name)))


@pytest.mark.parametrize(
    "region",
    [
        UTM,
        feature(UTM),
        feature(polygon(500_000, 4_100_000, 1000), **named("EPSG:32610")),
        features(UTM),
        features(polygon(500_000, 4_100_000, 1000), **named("EPSG:32610")),
        features(UTM, **named("urn:ogc:def:crs:EPSG::32610")),
    ],
    ids=["geometry", "in a feature", "of a feature", "in a collection", "of a collection", "both"],
)
def test_a_crs_counts_wherever_geojson_has_it(region: dict[str, Any]) -> None:
    assert read_region(region) == UTM


def test_the_union_of_features_keeps_their_crs() -> None:
    both = features(UTM, polygon(501_000, 4_100_000, 1000, **named("EPSG:32610")))
    union = read_region(both)
    assert isinstance(union, dict)
    assert (union["type"], union["crs"]) == ("Polygon", named("EPSG:32610")["crs"])


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (polygon(5, crs=None), "has the crs member None; use a named crs"),
        (polygon(5, crs="EPSG:32610"), "use a named crs, such as"),
        (
            polygon(5, crs={"type": "link", "properties": {"href": "x"}}),
            "use a named crs, such as",
        ),
        (
            polygon(5, crs={"type": "name", "properties": {}}),
            "use a named crs, such as",
        ),
        (polygon(5, **named("")), "use a named crs, such as"),
        (polygon(5, **named(4326)), "use a named crs, such as"),
        (features(UTM, polygon(5)), "uses EPSG:32610 and EPSG:4326; transform its features"),
        (features(UTM, **named("EPSG:32611")), "uses EPSG:32610 and EPSG:32611"),
        (polygon(5, geodesic=True), "has the member 'geodesic' with the value True"),
        (polygon(5, evenOdd=False), "has the member 'evenOdd' with the value False"),
        (
            polygon(500_000, 4_100_000, 1000),
            "write degrees, or GeoJSON with a crs",
        ),
        ([500_000, 4_100_000, 501_000, 4_101_000], "not a longitude and latitude"),
        (square(500_000, 4_100_000, 1000), "not a longitude and latitude"),
    ],
)
def test_a_member_that_would_be_ignored_or_cannot_be_meant_is_refused_by_name(
    region: Any, words: str
) -> None:
    with pytest.raises(DownloadParamsError) as caught:
        read_region(region)
    assert words in str(caught.value)


def test_members_that_say_what_is_meant_anyway_change_nothing() -> None:
    assert read_region(polygon(5, geodesic=False, evenOdd=True, bbox=[1, 2, 3, 4])) == polygon(5)


@pytest.mark.parametrize("nothing", [None, {"type": "Polygon", "coordinates": []}])
def test_features_without_a_geometry_are_left_out(nothing: Any) -> None:
    assert read_region(features(nothing, polygon(5), nothing)) == polygon(5)
    with pytest.raises(DownloadParamsError, match="none of 2 features has a geometry"):
        read_region(features(nothing, nothing))


def test_parts_that_share_an_edge_or_overlap_become_one_area() -> None:
    def corners(*parts: list[list[float]]) -> tuple[str, set[tuple[float, float]]]:
        region = read_region({"type": "MultiPolygon", "coordinates": [[part] for part in parts]})
        assert isinstance(region, dict)
        (ring,) = region["coordinates"]
        return region["type"], {(x, y) for x, y in ring}

    edge, overlapping = corners(square(0), square(1)), corners(square(0, side=2), square(1, side=1))
    assert edge[0] == overlapping[0] == "Polygon"
    assert edge[1] >= {(0, 0), (2, 0), (2, 1), (0, 1)}
    assert overlapping[1] >= {(0, 0), (2, 0), (2, 2), (0, 2)}


def test_parts_that_are_apart_stay_as_they_are_written() -> None:
    apart = {"type": "MultiPolygon", "coordinates": [[square(5)], [square(0)]]}
    assert read_region(apart) == apart


def test_a_part_that_crosses_itself_is_refused_beside_good_ones() -> None:
    bow_tie = [[0, 5], [1, 6], [1, 5], [0, 6], [0, 5]]
    with pytest.raises(DownloadParamsError, match="edges cross"):
        read_region({"type": "MultiPolygon", "coordinates": [[square(0)], [bow_tie]]})


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ([170, -20, -170, -10], [170, -20, 190, -10]),
        ([179.9, -17, -179.9, -16], [179.9, -17, 180.1, -16]),
        ([180, -17, -179, -16], [180, -17, 181, -16]),
        (["170", -20, "-170.0", -10], [170, -20, 190, -10]),
        ([170, -20, 190, -10], [170, -20, 190, -10]),
        ([-180, -60, 180, 75], [-180, -60, 180, 75]),
    ],
)
def test_a_box_whose_west_is_beyond_its_east_crosses_180_degrees(
    written: list[Any], sent: list[float]
) -> None:
    assert read_region(written) == sent


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([5.1, 43, 5, 43.1], "crosses 180 degrees of longitude would be 359.9 degrees wide"),
        ([170, -10, -170, -20], "the order is west, south, east, north in degrees."),
        ([5, 43, 5, 44], "the order is west, south, east, north in degrees."),
        ([5, 44, 6, 43], "the order is west, south, east, north in degrees."),
    ],
)
def test_a_box_in_the_wrong_order_is_told_from_one_across_180_degrees(
    written: list[float], words: str
) -> None:
    with pytest.raises(DownloadParamsError) as caught:
        read_region(written)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("west", "east", "is_odd"), [(-179, 179, True), (179, 181, False), (-180, 180, False)]
)
def test_a_polygon_that_seems_to_go_the_long_way_round_is_warned_of(
    west: float, east: float, is_odd: bool
) -> None:
    ring = [[west, -17], [east, -17], [east, -16], [west, -16], [west, -17]]
    params = read_params({"region": {"type": "Polygon", "coordinates": [ring]}})
    assert [("358 degrees wide" in each) for each in params.warnings] == [True] * is_odd


@pytest.mark.parametrize(
    "content",
    [
        b"root:x:SECRET:0",
        b'"SECRET"',
        b'"SECRET/of/a/file"',
        b'{"type": "SECRET"}',
        b'{"private_key": "SECRET"}',
        b'{"type": "Polygon", "coordinates": "SECRET"}',
        b'{"type": "Polygon", "coordinates": ["SECRET"]}',
        b'{"type": "Polygon", "coordinates": [["SECRET"]]}',
        b'{"type": "Polygon", "coordinates": [[["SECRET", 1]]]}',
        b'{"type": "Polygon", "coordinates": [[[1, 2], [2, 3], [3, 1]]], "crs": "SECRET"}',
        b'{"type": "FeatureCollection", "features": ["SECRET"]}',
        b'[5, 43, "SECRET", 44]',
        b'["SECRET"]',
        b'{"SECRET": ' + b"[" * 100_000,
        b"\xff\xfeSECRET",
    ],
)
def test_nothing_of_what_a_region_file_holds_is_in_an_error(content: bytes) -> None:
    with pytest.raises(DownloadParamsError, match=r"region file 'a\.json'") as caught:
        read_region_file("a.json", content)
    assert "SECRET" not in str(caught.value)
