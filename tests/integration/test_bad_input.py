"""Bad input that only the whole operator can tell: one sentence each, and nothing is published.

What is told from the parameters alone is in the tests of reading them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context

LANDSAT = "projects/demo/assets/landsat7_olinda"
UTM25 = "EPSG:31985"
# Over the scene; and the same with the two axes exchanged, which is a place on Earth too.
REGION, SWAPPED = [-34.92, -8.02, -34.91, -8.01], [-8.02, -34.92, -8.01, -34.91]
RING = [[-34.92, -8.02], [-34.91, -8.02], [-34.91, -8.01], [-34.92, -8.02]]
TILE = {"crs": UTM25, "crs_transform": [30, 0, 289000, 0, -30, 9120000]}


def invocation(function: str, **arguments: Any) -> dict[str, Any]:
    return {"functionInvocationValue": {"functionName": function, "arguments": arguments}}


def expression(value: dict[str, Any]) -> dict[str, Any]:
    return {"result": "0", "values": {"0": value}}


def nested(depth: int) -> str:
    """Return the JSON text of an absolute value of an absolute value of ... of the scene."""
    before = '{"functionInvocationValue": {"functionName": "Image.abs", "arguments": {"value": '
    scene = json.dumps(invocation("Image.load", id={"constantValue": LANDSAT}))
    program = before * depth + scene + "}}}" * depth
    return '{"result": "0", "values": {"0": ' + program + "}}"


COLLECTION = invocation(
    "ImageCollection.load", id={"constantValue": "projects/demo/assets/s2_daily"}
)
FIRST_BAND = {"bands": ["B1"], "format": "GEO_TIFF"}

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown crs": (
        {"download_params": {**FIRST_BAND, "crs": "EPSG:102009", "scale": 30}},
        "DownloadParamsError: Earth Engine does not know this crs.*could not be parsed",
    ),
    "a crs that is no name": (
        {"download_params": {**FIRST_BAND, "crs": "banana", "scale": 30}},
        "DownloadParamsError: Earth Engine does not know this crs",
    ),
    "a scale that is not a number": (
        {"download_params": {**FIRST_BAND, "scale": float("nan")}},
        "DownloadParamsError: scale is nan; write a finite number",
    ),
    "negative dimensions": (
        {"download_params": {**FIRST_BAND, **TILE, "dimensions": [10, -4]}},
        "DownloadParamsError: dimensions is -4; write a whole number of pixels above 0",
    ),
    "dimensions over the limit": (
        {
            "download_params": {**FIRST_BAND, **TILE, "dimensions": [40_000, 1]},
            "layout": "as_served",
        },
        "PlanError: The download has a side of 40,000 px .* at most 32,768",
    ),
    "dimensions of more than a request": (
        {
            "download_params": {**FIRST_BAND, **TILE, "dimensions": [30_000, 30_000]},
            "layout": "as_served",
        },
        "PlanError: The download is 1,800,000,000 bytes .* at most 50,331,648",
    ),
    "dimensions of more than may be fetched": (
        {
            "download_params": {**FIRST_BAND, **TILE, "dimensions": [30_000, 30_000]},
            "limits": {"max_requests": 30},
        },
        r"PlanError: The download takes 35 requests, but limits\['max_requests'\] is 30",
    ),
    "dimensions of more bytes than may be fetched": (
        {
            "download_params": {**FIRST_BAND, **TILE, "dimensions": [30_000, 30_000]},
            "limits": {"max_byte_count": 1_000_000_000},
        },
        r"PlanError: The download is 1,800,000,000 bytes .* limits\['max_byte_count'\]",
    ),
    "dimensions that no raster has": (
        {"download_params": {**FIRST_BAND, **TILE, "dimensions": [3_000_000_000, 10]}},
        "PlanError: Band B1 is 3,000,000,000 x 10 px, but a raster has at most",
    ),
    "region with scale and dimensions": (
        {"download_params": {"region": REGION, "scale": 30, "dimensions": [5, 5]}},
        "DownloadParamsError: download_params has both dimensions and scale",
    ),
    "region with crs_transform and dimensions": (
        {"download_params": {"region": REGION, **TILE, "dimensions": [5, 5]}},
        "DownloadParamsError: .*region, dimensions and crs_transform.*not accept together",
    ),
    "an empty region": (
        {"download_params": {"region": []}},
        "DownloadParamsError: region holds .* where coordinates belong",
    ),
    "a region of nothing": (
        {"download_params": {"region": {}}},
        "DownloadParamsError: region is GeoJSON of type None",
    ),
    "a region beside the image": (
        {"download_params": {"region": [-36, -9, -35.9, -8.9], "scale": 30}},
        "EmptyImageError: The region does not intersect the image",
    ),
    "a region in the wrong order": (
        {"download_params": {"region": SWAPPED, "scale": 30}},
        "EmptyImageError: .*if the region is written as latitude, longitude, swap them",
    ),
    "an expression that is none": (
        {"image": {"foo": 1}},
        "DownloadParamsError: image is a dict whose result is not among its values",
    ),
    "an expression of no function": (
        {"image": expression({"functionInvocationValue": {"arguments": {}}})},
        "DownloadParamsError: image is an expression that cannot be decoded",
    ),
    "an expression of an unknown function": (
        {"image": expression(invocation("Image.conjure"))},
        "DownloadParamsError: image is an expression that cannot be decoded",
    ),
    "an expression of a number": (
        {"image": expression({"constantValue": 5})},
        "DownloadParamsError: image is an expression of the constant 5",
    ),
    "an expression of a collection": (
        {"image": expression(COLLECTION)},
        "DownloadParamsError: image is an expression of an ImageCollection; pass one of an",
    ),
    "an expression of null": (
        {"image": '{"result":"0","values":{"0":null}}'},
        "DownloadParamsError: image is an expression (that cannot be decoded|of the constant)",
    ),
    "an expression that refers to itself": (
        {"image": expression({"valueReference": "0"})},
        "DownloadParamsError: image is an expression that cannot be decoded",
    ),
    "an expression that refers to nothing": (
        {"image": expression({"valueReference": "5"})},
        "DownloadParamsError: image is an expression that cannot be decoded",
    ),
    "an expression of a number beyond all types": (
        {"image": expression({"constantValue": 10**400})},
        "DownloadParamsError: image contains an integer of 1,329 bits",
    ),
    "a collection as an image": (
        {"image": "projects/demo/assets/s2_daily", "download_params": {"bands": ["B4"]}},
        r"not an image; list the images of a collection with .*with \.mosaic\(\)",
    ),
    "a collection loaded as an image by a program": (
        {
            "image": expression(
                invocation(
                    "Image.abs",
                    value=invocation(
                        "Image.load", id={"constantValue": "projects/demo/assets/s2_daily"}
                    ),
                )
            )
        },
        r"not an image; list the images of a collection with .*with \.mosaic\(\)",
    ),
    "a table as an image": (
        {"image": "projects/demo/assets/regions"},
        "DownloadParamsError: image loads an asset that is not an image",
    ),
    "a thousand bands, each a file": (
        {"download_params": {"bands": [f"B{number}" for number in range(1000)]}},
        "DownloadParamsError: bands names 1,000 bands, more than the Earth Engine client",
    ),
    "a thousand bands in one file": (
        {"download_params": {"bands": [f"X{n}" for n in range(1000)], "format": "GEO_TIFF"}},
        "DownloadParamsError: bands names X0, .* and 970 others, which the image does not have",
    ),
    "a crs of a region that is not known": (
        {
            "download_params": {
                "region": {
                    "type": "Polygon",
                    "coordinates": [RING],
                    "crs": {"type": "name", "properties": {"name": "EPSG:99999"}},
                },
                "scale": 30,
            }
        },
        "Earth Engine does not know this crs.*region's GeoJSON",
    ),
    "text that is no asset id": (
        {"image": "no asset, but a sentence"},
        "DownloadParamsError: image is 'no asset, but a sentence'; write an asset id",
    ),
    "an image of a million brackets": (
        {"image": "[" * 1_000_000},
        "DownloadParamsError: image is JSON that is nested too deeply",
    ),
    "an expression nested a million deep": (
        {"image": '{"a":' * 1_000_000},
        "DownloadParamsError: image is JSON that is nested too deeply",
    ),
    "parameters of a million brackets": (
        {"download_params": '{"region":' + "[" * 1_000_000},
        "DownloadParamsError: download_params is JSON that is nested too deeply",
    ),
    "a region of a million brackets": (
        {"download_params": {"region": "[" * 1_000_000}},
        "DownloadParamsError: region is JSON that is nested too deeply",
    ),
}


def execute(bucket: str, **fields: Any) -> None:
    operator = EarthEngineToS3Operator(
        task_id="download", s3_bucket=bucket,
        **{"image": LANDSAT, "download_params": FIRST_BAND, **fields},
    )  # fmt: skip
    operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


@pytest.mark.slow
@pytest.mark.parametrize(("fields", "words"), CASES.values(), ids=CASES)
@pytest.mark.usefixtures("connections")
def test_bad_input_is_refused_in_one_sentence_before_anything_is_published(
    bucket: str, s3: SeaweedFS, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(AirflowFailException, match=words) as caught:
        execute(bucket, **fields)
    assert len(str(caught.value)) < 1000
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("depth", [309, 331, 3_000])
@pytest.mark.usefixtures("connections")
def test_a_program_nested_as_deep_as_can_be_read_is_refused_and_breaks_nothing(
    bucket: str, s3: SeaweedFS, depth: int
) -> None:
    with pytest.raises(AirflowFailException, match="Error: "):
        execute(bucket, image=nested(depth))
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("depth", [300, 960, 985, 3_000])
@pytest.mark.usefixtures("connections")
def test_a_region_nested_as_deep_as_can_be_read_is_refused(bucket: str, depth: int) -> None:
    text = f'{{"type":"Polygon","coordinates":{"[" * depth}0,0{"]" * depth}}}'
    with pytest.raises(AirflowFailException, match="DownloadParamsError: region"):
        execute(bucket, download_params={"region": text})


@pytest.mark.usefixtures("connections")
def test_a_function_that_repeats_a_step_too_often_is_told_to_let_the_server_do_it(
    bucket: str,
) -> None:
    def add_up() -> Any:
        import ee

        image = ee.Image(LANDSAT)
        for _ in range(2_000):
            image = image.add(1)
        return image

    with pytest.raises(AirflowFailException, match="more nested steps than the Earth Engine"):
        execute(bucket, image=add_up)
