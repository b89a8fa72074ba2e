import json
import math
from typing import Any

import pytest

from airflow_provider.earthengine.download.client import DownloadId
from airflow_provider.earthengine.download.fields.params import BandParams, DownloadParams
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.fields.region import is_region_file, read_region_file
from airflow_provider.earthengine.exceptions import DownloadParamsError

REGION = {"type": "Polygon", "coordinates": [[[5, 43], [5.1, 43], [5.1, 43.1], [5, 43]]]}


def test_nothing_asked_for_is_a_zip_of_one_geotiff_a_band() -> None:
    assert read_params({}) == DownloadParams(file_format="ZIPPED_GEO_TIFF_PER_BAND")
    assert read_params({}).to_request() == {"format": "ZIPPED_GEO_TIFF_PER_BAND"}


@pytest.mark.parametrize(
    ("given", "file_format"),
    [
        ({"filePerBand": False}, "ZIPPED_GEO_TIFF"),
        ({"filePerBand": True}, "ZIPPED_GEO_TIFF_PER_BAND"),
        ({"filePerBand": "False"}, "ZIPPED_GEO_TIFF"),
        ({"filePerBand": True, "format": "ZIPPED_GEO_TIFF"}, "ZIPPED_GEO_TIFF"),
        ({"filePerBand": False, "format": "ZIPPED_GEO_TIFF_PER_BAND"}, "ZIPPED_GEO_TIFF_PER_BAND"),
        ({"format": "geo_tiff"}, "GEO_TIFF"),
    ],
)
def test_a_format_wins_over_file_per_band(given: dict[str, Any], file_format: str) -> None:
    assert read_params(given).file_format == file_format


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("scale", "20", 20),
        ("scale", "0.5", 0.5),
        ("bands", '["B3", "B8"]', (BandParams("B3"), BandParams("B8"))),
        ("bands", "B3, B8", (BandParams("B3"), BandParams("B8"))),
        ("dimensions", "[10, 20]", (10, 20)),
        ("dimensions", "10x20", (10, 20)),
        ("dimensions", "512", (512,)),
        ("region", "[5, 43, 5.1, 43.1]", [5, 43, 5.1, 43.1]),
        ("name", " scene ", "scene"),
    ],
)
def test_the_text_that_a_template_gives_is_read_as_what_was_meant(
    key: str, text: str, value: object
) -> None:
    assert getattr(read_params({key: text}), key) == value


def test_a_whole_dict_may_come_as_json_text() -> None:
    assert read_params('{"scale": 20, "format": "GEO_TIFF"}') == read_params(
        {"scale": "20", "format": "GEO_TIFF"}
    )


def test_a_transform_may_come_as_text() -> None:
    terms = "[30, 0, 254220, 0, -30, 6273760]"
    wanted = (30, 0, 254220, 0, -30, 6273760)
    assert read_params({"crs": "EPSG:32735", "crs_transform": terms}).crs_transform == wanted


def test_the_request_is_what_the_user_wrote() -> None:
    given = {
        "name": "scene",
        "bands": ["B3", "B8"],
        "region": REGION,
        "scale": 20,
        "format": "GEO_TIFF",
    }
    assert read_params(given).to_request() == given


def test_transformations_of_a_band_are_sent_with_the_band() -> None:
    bands = [{"id": "B3", "scale": 10}, {"id": "B11", "scale": 20}]
    assert read_params({"bands": bands}).to_request()["bands"] == bands


def test_the_users_dict_is_not_changed() -> None:
    given = {"bands": ["B3"], "filePerBand": False}
    read_params(given)
    assert given == {"bands": ["B3"], "filePerBand": False}


TRANSFORM = [1, 0, 0, 0, -1, 0]
REFUSED = [
    ({"scael": 20}, "did you mean 'scale'"),
    ({"crsTransform": TRANSFORM}, "did you mean 'crs_transform'"),
    ({"fileFormat": "GEO_TIFF"}, "unknown key 'fileFormat'"),
    ({"id": "USGS/SRTMGL1_003"}, "deprecated key 'id'; pass the asset id as the operator's image"),
    ({"image": "USGS/SRTMGL1_003"}, "as the operator's image"),
    ({"format": None}, "format=None"),
    ({"scale": None}, "leave the key out"),
    ({"bands": [{"id": "B3", "scale": None}]}, "scale=None"),
    ({"format": "JPEG"}, "use one of GEO_TIFF, ZIPPED_GEO_TIFF"),
    ({"format": "GeoTIFF"}, "use one of GEO_TIFF"),
    ({"bands": ("B3",)}, "write a list of band ids"),
    ({"bands": []}, "leave it out for all bands"),
    ({"bands": [1, 2]}, "write text"),
    ({"bands": ["B3", {"id": "B8"}]}, "mixes ids and dicts"),
    ({"bands": [{"scale": 10}]}, "every band needs an id"),
    ({"bands": ["B3", "B3"]}, "B3 more than once"),
    ({"bands": "['B3', 'B8']"}, "tojson"),
    ({"bands": [{"id": "B3", "region": REGION}]}, "unknown key 'region'"),
    ({"format": "GEO_TIFF", "bands": [{"id": "B3", "scale": 10}]}, "own scale, which Earth Engine"),
    ({"crs_transform": TRANSFORM}, "without crs"),
    ({"crs": "EPSG:4326", "crs_transform": TRANSFORM[:5]}, "six numbers"),
    ({"crs": "EPSG:4326", "crs_transform": [0, 0, 0, 0, -1, 0]}, "no area"),
    ({"crs": "EPSG:4326", "crs_transform": [math.nan, 0, 0, 0, -1, 0]}, "crs_transform is nan"),
    ({"crs": ""}, "crs is ''"),
    ({"scale": 0}, "above 0"),
    ({"scale": -10}, "above 0"),
    ({"scale": "twenty"}, "write a number"),
    ({"scale": True}, "write a number"),
    ({"scale": math.inf}, "finite"),
    ({"dimensions": [10, 0]}, "above 0"),
    ({"dimensions": [10, 2.5]}, "whole number"),
    ({"dimensions": [1, 2, 3]}, "width, height"),
    ({"dimensions": "axb"}, "write a number"),
    ({"dimensions": [10, 10], "scale": 10}, "would ignore scale"),
    (
        {"region": REGION, "crs": "EPSG:4326", "crs_transform": TRANSFORM, "dimensions": [1, 1]},
        "does not accept together",
    ),
    (
        {"crs": "EPSG:4326", "crs_transform": TRANSFORM, "dimensions": 512},
        "write dimensions as [width, height]",
    ),
    ({"filePerBand": "maybe"}, "true or false"),
    ({"name": "a/b"}, "no slash"),
    ({"name": ".."}, "letters, digits"),
    ({"name": "a\x00b"}, "letters, digits"),
    ({"name": "x" * 300}, "at most 200"),
    ({"region": "foo"}, "write a GeoJSON"),
    ({"region": 5}, "write a GeoJSON"),
    ({"region": [5.1, 43, 5, 43.1]}, "west, south, east, north"),
    ({"region": [[5, 43], [6, 44]]}, "at least 3"),
    ({"region": {"type": "Point", "coordinates": [5, 43]}}, "of type 'Point'"),
    ({"region": {"type": "Polygon", "coordinates": []}}, "where coordinates belong"),
    ({"region": {"type": "Polygon", "coordinates": [[5, 43]]}}, "an [x, y] pair belongs"),
    ({"region": {"type": "FeatureCollection", "features": []}}, "without features"),
    ({"region": {"type": "FeatureCollection", "features": [5]}}, "where features belong"),
    ({"region": {"type": "Feature", "geometry": None}}, "of type 'Feature'"),
    ({"region": [[0, 0], [1, 1], [1, 0], [0, 1]]}, "edges cross"),
    ({"region": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, "not a polygon"),
    ({"region": [[0, 0], [1, 1], [2, 2]]}, "region"),
    ({"region": [43, -122, 44, -121]}, "may be swapped"),
    ({"region": [[43, -122], [44, -122], [44, -121]]}, "may be swapped"),
    ({"region": [[math.nan, 43], [6, 44], [6, 43]]}, "finite"),
    ("not a dict", "write a dict"),
    ("{'scale': 20}", "tojson"),
    ("[" * 100_000, "nested too deeply"),
]


# Which one a program is told of, where it is not the first.
FIELDS = {
    "scale=None": "scale",
    "write text": "a band id in bands",
    "unknown key 'region'": "region",
    "own scale, which Earth Engine": "bands",
    "without crs": "crs",
    "six numbers": "crs_transform",
    "no area": "crs_transform",
    "crs_transform is nan": "crs_transform",
    "would ignore scale": "scale",
    "write dimensions as [width, height]": "dimensions",
}


def keys_of(given: dict[str, Any] | str) -> list[str]:
    return list(given) if isinstance(given, dict) else ["download_params"]


@pytest.mark.parametrize(("given", "words"), REFUSED)
def test_a_mistake_is_refused_in_one_sentence_that_says_what_to_do(
    given: dict[str, Any] | str, words: str
) -> None:
    with pytest.raises(DownloadParamsError) as caught:
        read_params(given)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
    assert caught.value.facts["field"] == FIELDS.get(words, keys_of(given)[0])


def test_a_feature_is_read_as_its_geometry() -> None:
    feature = {"type": "Feature", "geometry": REGION, "properties": {}}
    assert read_params({"region": feature}).region == REGION
    collection = {"type": "FeatureCollection", "features": [feature]}
    assert read_params({"region": collection}).region == REGION


def test_several_features_are_read_as_the_union_of_their_areas() -> None:
    def square(x: int) -> dict[str, Any]:
        ring = [[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]
        return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}

    def union(*features: dict[str, Any]) -> Any:
        return read_params(
            {"region": {"type": "FeatureCollection", "features": list(features)}}
        ).region

    apart = union(square(0), square(5))
    assert apart["type"] == "MultiPolygon"
    assert sorted(part[0][0][0] // 5 for part in apart["coordinates"]) == [0, 1]
    together = union(square(0), square(1))
    assert together["type"] == "Polygon"
    assert {tuple(point) for point in together["coordinates"][0]} >= {
        (0, 0),
        (2, 0),
        (2, 1),
        (0, 1),
    }


def test_a_table_is_a_region_by_its_id() -> None:
    assert (
        read_params({"region": "projects/demo/assets/parks"}).region == "projects/demo/assets/parks"
    )


@pytest.mark.parametrize(
    ("value", "is_file"),
    [
        ("s3://bucket/area.geojson", True),
        ("/data/area", True),
        ("./area.txt", True),
        ("~/area.json", True),
        ("areas/one.GeoJSON", True),
        ("projects/demo/assets/parks", False),
        ('{"type": "Polygon"}', False),
        ([0, 0, 1, 1], False),
    ],
)
def test_a_regions_file_is_told_from_a_table(value: object, is_file: bool) -> None:
    assert is_region_file(value) is is_file


def test_a_regions_file_holds_geojson() -> None:
    assert read_region_file("a.json", json.dumps(REGION).encode()) == REGION
    with pytest.raises(DownloadParamsError, match="is not GeoJSON"):
        read_region_file("a.json", b"PK\x03\x04")


@pytest.mark.slow
def test_a_region_larger_than_a_request_is_refused_with_its_size() -> None:
    ring = [[number / 1e6, 43.123456] for number in range(600_000)]
    with pytest.raises(DownloadParamsError, match=r"region is [\d,]{10} bytes.*10,485,760"):
        read_params({"region": ring})


def test_a_band_takes_the_downloads_values_where_it_has_none() -> None:
    bands = [{"id": "B3"}, {"id": "B8", "scale": 10}, {"id": "B11", "dimensions": [5, 6]}]
    request = read_params({"bands": bands, "scale": 20, "crs": "EPSG:32610"}).to_request()
    assert request["bands"] == [
        {"id": "B3", "crs": "EPSG:32610", "scale": 20},
        {"id": "B8", "crs": "EPSG:32610", "scale": 10},
        {"id": "B11", "crs": "EPSG:32610", "dimensions": [5, 6]},
    ]
    assert "scale" not in request


def test_scale_is_ignored_where_crs_and_crs_transform_are_given() -> None:
    params = read_params({"crs": "EPSG:4326", "crs_transform": TRANSFORM, "scale": 20})
    assert "scale" not in params.to_request()
    (told,) = params.ignored
    assert told == "download_params: scale is ignored, because crs and crs_transform are given."
    params = read_params({"bands": [{"id": "B3", "scale": 10}], "crs": "EPSG:4326",
                          "crs_transform": TRANSFORM})  # fmt: skip
    assert params.to_request()["bands"] == [
        {"id": "B3", "crs": "EPSG:4326", "crs_transform": TRANSFORM}
    ]
    assert params.ignored == ("B3: scale is ignored, because crs and crs_transform are given.",)


def test_a_download_id_does_not_show_itself() -> None:
    assert "secret" not in repr(DownloadId("projects/p/thumbnails/secret", "secret"))


@pytest.mark.parametrize(
    ("of_download", "of_band", "wanted"),
    [
        ({"crs": "EPSG:32610"}, {"scale": 20}, {"crs": "EPSG:32610", "scale": 20}),
        ({"scale": 20}, {"crs": "EPSG:32610"}, {"crs": "EPSG:32610", "scale": 20}),
        ({"scale": 20}, {"scale": 30}, {"scale": 30}),
        ({"crs": "EPSG:32610"}, {"crs": "EPSG:3857"}, {"crs": "EPSG:3857"}),
        (
            {"crs": "EPSG:32610", "crs_transform": [9, 0, 1, 0, -9, 2]},
            {"dimensions": [4, 3]},
            {"crs": "EPSG:32610", "crs_transform": [9, 0, 1, 0, -9, 2], "dimensions": [4, 3]},
        ),
        ({"dimensions": [4, 3]}, {"crs": "EPSG:3857"}, {"crs": "EPSG:3857", "dimensions": [4, 3]}),
        # Of scale and dimensions, the band's own counts.
        ({"dimensions": [4, 3]}, {"scale": 30}, {"scale": 30}),
        ({"scale": 30}, {"dimensions": [4, 3]}, {"dimensions": [4, 3]}),
    ],
)
def test_a_band_has_the_downloads_parameters_where_it_sets_none(
    of_download: dict[str, Any], of_band: dict[str, Any], wanted: dict[str, Any]
) -> None:
    given = {**of_download, "bands": [{"id": "B3", **of_band}]}
    (band,) = read_params(given).to_request()["bands"]
    assert band == {"id": "B3", **wanted}
