import re
from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.describe import explain_refusal
from airflow_provider.earthengine.download.plan.image_info import read_info, select_bands
from airflow_provider.earthengine.exceptions import (
    DownloadParamsError,
    EmptyImageError,
    RequestRejectedError,
)


def band(name: str, data_type: dict[str, Any], **more: Any) -> dict[str, Any]:
    grid = {"crs": "EPSG:32610", "crs_transform": [20, 0, 499980, 0, -20, 4200000]}
    return {"id": name, "data_type": data_type, **grid, "dimensions": [105, 86], **more}


UINT16 = {"type": "PixelType", "precision": "int", "min": 0, "max": 65535}


def describe(answer: Any, **params: Any) -> Any:
    return select_bands(read_info(answer), read_params({"format": "GEO_TIFF", **params}))


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


@pytest.mark.parametrize(
    ("text", "cls", "words"),
    [
        (
            "Image.select: Band pattern 'VV' did not match any bands. Available bands: [HH, HV]",
            DownloadParamsError,
            r"Available bands: \[HH, HV\]",
        ),
        (
            "Image.select: Band pattern 'B1' was applied to an Image with no bands.",
            EmptyImageError,
            "computed from an empty collection",
        ),
        (
            "Image.clipToBoundsAndScale: Parameter 'input' is required.",
            EmptyImageError,
            "computed from an empty collection",
        ),
        ("Projection: The CRS could not be parsed.", RequestRejectedError, "could not be parsed"),
    ],
)
def test_earth_engines_riddles_are_explained(text: str, cls: type[Exception], words: str) -> None:
    error = explain_refusal(RequestRejectedError("It was refused.", server_text=text))
    assert type(error) is cls
    assert re.search(words, str(error))


def test_an_image_without_bands_makes_no_download() -> None:
    with pytest.raises(EmptyImageError, match="empty collection"):
        describe({"type": "Image", "bands": []})


@pytest.mark.parametrize("answer", [5, None, {"type": "ImageCollection", "bands": []}])
def test_a_value_that_is_no_image_is_refused(answer: Any) -> None:
    with pytest.raises(DownloadParamsError, match="not an image"):
        describe(answer)
