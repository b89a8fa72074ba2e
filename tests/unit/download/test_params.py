import math
from typing import Any

import pytest

from airflow_provider.earthengine.download.params import (
    BandParams,
    DownloadId,
    DownloadParams,
    read_params,
)
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
    ({"id": "USGS/SRTMGL1_003"}, "deprecated key 'id'; give the asset id to the operator's field"),
    ({"image": "USGS/SRTMGL1_003"}, "operator's field image"),
    ({"format": None}, "format=None"),
    ({"scale": None}, "leave the key out"),
    ({"bands": [{"id": "B3", "scale": None}]}, "scale=None"),
    ({"format": "JPEG"}, "known are GEO_TIFF, ZIPPED_GEO_TIFF"),
    ({"format": "GeoTIFF"}, "known are GEO_TIFF"),
    ({"bands": ("B3",)}, "write a list of band ids"),
    ({"bands": []}, "leave it out for all bands"),
    ({"bands": [1, 2]}, "write a text"),
    ({"bands": ["B3", {"id": "B8"}]}, "mixes ids and dicts"),
    ({"bands": [{"scale": 10}]}, "every band needs an id"),
    ({"bands": ["B3", "B3"]}, "B3 more than once"),
    ({"bands": "['B3', 'B8']"}, "tojson"),
    ({"bands": [{"id": "B3", "region": REGION}]}, "unknown key 'region'"),
    ({"format": "GEO_TIFF", "bands": [{"id": "B3", "scale": 10}]}, "own scale, which Earth Engine"),
    ({"crs_transform": TRANSFORM}, "without crs"),
    ({"crs": "EPSG:4326", "crs_transform": TRANSFORM[:5]}, "six numbers"),
    ({"crs": "EPSG:4326", "crs_transform": [0, 0, 0, 0, -1, 0]}, "no area"),
    ({"crs": "EPSG:4326", "crs_transform": [math.nan, 0, 0, 0, -1, 0]}, "finite"),
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
        "does not take together",
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
    ({"region": {"type": "FeatureCollection", "features": []}}, "0 features"),
    ({"region": [[math.nan, 43], [6, 44], [6, 43]]}, "finite"),
    ("not a dict", "write a dict"),
    ("{'scale': 20}", "tojson"),
    ("[" * 100_000, "nested too deeply"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED)
def test_a_mistake_is_refused_in_one_sentence_that_says_what_to_do(
    given: dict[str, Any] | str, words: str
) -> None:
    with pytest.raises(DownloadParamsError) as caught:
        read_params(given)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_feature_is_read_as_its_geometry() -> None:
    feature = {"type": "Feature", "geometry": REGION, "properties": {}}
    assert read_params({"region": feature}).region == REGION
    collection = {"type": "FeatureCollection", "features": [feature]}
    assert read_params({"region": collection}).region == REGION


def test_a_download_id_does_not_show_itself() -> None:
    assert "secret" not in repr(DownloadId("projects/p/thumbnails/secret", "secret"))
