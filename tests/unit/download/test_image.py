from typing import Any

import pytest

from airflow_provider.earthengine.download.image import describe_image, read_image
from airflow_provider.earthengine.download.params import read_params
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    PlanError,
    RequestRejectedError,
)

EXPRESSION = {
    "result": "0",
    "values": {
        "0": {
            "functionInvocationValue": {
                "functionName": "Image.load",
                "arguments": {"id": {"constantValue": "USGS/SRTMGL1_003"}},
            }
        }
    },
}


def test_an_asset_id_is_the_program_that_loads_it() -> None:
    image = read_image("USGS/SRTMGL1_003")
    assert (image.asset_id, image.name) == ("USGS/SRTMGL1_003", "SRTMGL1_003")
    assert image.expression == EXPRESSION


def test_an_expression_may_be_a_dict_or_json_text() -> None:
    import json

    assert read_image(EXPRESSION).expression == EXPRESSION
    assert read_image(json.dumps(EXPRESSION)).expression == EXPRESSION
    assert read_image(EXPRESSION).name == "download"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "write an asset id"),
        ("no spaces please", "write an asset id"),
        ("/absolute", "write an asset id"),
        ("a//b", "write an asset id"),
        (5, "write an asset id"),
        (None, "write an asset id"),
        ("<ee.image.Image object>", "write an asset id"),
        ({"result": "1", "values": {}}, "without a result"),
        ({"type": "Image"}, "without a result"),
        ("{'result': '0'}", "tojson"),
    ],
)
def test_what_is_no_image_is_refused(value: Any, words: str) -> None:
    with pytest.raises(DownloadParamsError, match=words):
        read_image(value)


class Session:
    """Answers value:compute with a given value."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def compute_value(self, value: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Image:
    """Stands where an ee.Image goes; what it is sent as is Earth Engine's client's business."""

    def _build_download_id_image(self, params: dict[str, Any]) -> None:
        assert params["format"]


def band(name: str, data_type: dict[str, Any], **more: Any) -> dict[str, Any]:
    grid = {"crs": "EPSG:32610", "crs_transform": [20, 0, 499980, 0, -20, 4200000]}
    return {"id": name, "data_type": data_type, **grid, "dimensions": [105, 86], **more}


UINT16 = {"type": "PixelType", "precision": "int", "min": 0, "max": 65535}


def describe(answer: Any, **params: Any) -> Any:
    return describe_image(Session(answer), Image(), read_params({"format": "GEO_TIFF", **params}))


def test_a_clipped_bands_corner_is_its_origin_in_the_images_grid() -> None:
    info = describe({"type": "Image", "bands": [band("B3", UINT16, origin=[4064, 4910])]})
    grid = info.bands[0].grid
    assert grid.transform == (20, 0, 499980 + 4064 * 20, 0, -20, 4200000 - 4910 * 20)
    assert (grid.width, grid.height) == (105, 86)


@pytest.mark.parametrize(
    ("precision", "low", "high", "dtype"),
    [
        ("int", 0, 255, "uint8"),
        ("int", -128, 127, "int8"),
        ("int", 0, 65535, "uint16"),
        ("int", -32768, 32767, "int16"),
        ("int", -1, 40000, "int32"),
        ("int", 0, 2**32 - 1, "uint32"),
        ("int", -(2**31), 2**31 - 1, "int32"),
        ("int", None, None, "float64"),
        ("int", -(2**40), 2**40, "float64"),
        ("float", None, None, "float32"),
        ("double", 0, 1, "float64"),
    ],
)
def test_the_predicted_dtype_is_the_smallest_that_holds_the_declared_values(
    precision: str, low: int | None, high: int | None, dtype: str
) -> None:
    data_type = {"precision": precision, "min": low, "max": high}
    assert describe({"type": "Image", "bands": [band("b", data_type)]}).bands[0].dtype == dtype


def test_bands_come_in_the_order_asked_for() -> None:
    answer = {"type": "Image", "bands": [band(name, UINT16) for name in ("B1", "B2", "B3")]}
    assert [each.id for each in describe(answer, bands=["B3", "B1"]).bands] == ["B3", "B1"]


def test_an_unknown_band_is_refused_with_the_bands_there_are() -> None:
    answer = {"type": "Image", "bands": [band(name, UINT16) for name in ("HH", "HV")]}
    with pytest.raises(DownloadParamsError, match=r"bands names VV.*it has HH, HV"):
        describe(answer, bands=["VV"])


def test_an_unknown_band_that_earth_engine_refuses_is_told_with_its_words() -> None:
    text = "Image.select: Band pattern 'VV' did not match any bands. Available bands: [HH, HV]"
    with pytest.raises(DownloadParamsError, match=r"Available bands: \[HH, HV\]"):
        describe(RequestRejectedError("no", server_text=text), bands=["VV"])


def test_an_image_without_bands_makes_no_download() -> None:
    with pytest.raises(PlanError, match="empty collection"):
        describe({"type": "Image", "bands": []})


@pytest.mark.parametrize("answer", [5, None, {"type": "ImageCollection", "bands": []}])
def test_a_value_that_is_no_image_is_refused(answer: Any) -> None:
    with pytest.raises(DownloadParamsError, match="not an image"):
        describe(answer)
