"""The limits of one request, with the real service's texts and numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import ee
import pytest
import requests

from tests.support.expected import SENTINEL2_ID, total_pixel_bytes

if TYPE_CHECKING:
    from airflow_provider.earthengine.emulator.server import Emulator


def window(width: int, height: int) -> dict[str, Any]:
    return {
        "crs": "EPSG:32610",
        "crs_transform": [10, 0, 499980, 0, -10, 4200000],
        "dimensions": [width, height],
    }


def ask(**params: Any) -> str:
    base = {"image": ee.Image(SENTINEL2_ID), "bands": ["B3"], "format": "GEO_TIFF"}
    with pytest.raises(ee.EEException) as caught:
        ee.data.getDownloadId(base | params)
    return str(caught.value)


def test_size_counts_a_mask_byte_per_sample(client: Emulator) -> None:
    assert total_pixel_bytes(5000, 4000, ["uint16"]) == 60_000_000
    assert ask(**window(5000, 4000)) == (
        "Total request size (60000000 bytes) must be less than or equal to 50331648 bytes."
    )


def test_size_is_summed_over_unlike_bands(client: Emulator) -> None:
    size = total_pixel_bytes(3000, 3000, ["uint16", "uint8", "uint32"])
    answer = ask(bands=["B3", "SCL", "QA20"], **window(3000, 3000))
    assert f"({size} bytes)" in answer


def test_size_is_summed_over_the_files_of_a_zip(client: Emulator) -> None:
    size = total_pixel_bytes(3000, 3000, ["uint16"] * 2)
    asked = {"bands": ["B3", "B8"], "format": "ZIPPED_GEO_TIFF_PER_BAND"}
    answer = ask(**asked, **window(3000, 3000))
    assert f"({size} bytes)" in answer


def test_the_largest_legal_request_is_accepted(client: Emulator) -> None:
    # 4096 x 4096 x (2 + 1) bytes is the limit to the byte.
    asked = {"image": ee.Image(SENTINEL2_ID), "bands": ["B3"], "format": "GEO_TIFF"}
    assert total_pixel_bytes(4096, 4096, ["uint16"]) == 50331648
    assert ee.data.getDownloadId(asked | window(4096, 4096))["docid"]
    assert "(50343936 bytes)" in ask(**window(4097, 4096))


def test_a_side_is_looked_at_before_the_size(client: Emulator) -> None:
    assert ask(**window(103439, 55072)) == (
        "Pixel grid dimensions (103439x55072) must be less than or equal to 32768."
    )


def test_there_are_at_most_1024_bands(client: Emulator) -> None:
    asked = {"bands": ["QA60"] * 1025, **window(1, 1)}
    assert "Number of bands (1025)" in ask(**asked)


def test_a_region_off_the_image_has_no_pixels(client: Emulator) -> None:
    region = ee.Geometry.BBox(-121, 36, -120.9, 36.1)
    assert "must be positive" in ask(region=region)


def test_a_payload_may_have_ten_mebibytes(emulator: Emulator) -> None:
    body = json.dumps({"expression": {}, "padding": "x" * 10_485_760})
    url = f"{emulator.url}/v1/projects/demo/thumbnails"
    response = requests.post(url, data=body.encode(), timeout=30)
    assert response.status_code == 400
    limit = "Request payload size exceeds the limit: 10485760 bytes."
    assert response.json()["error"]["message"] == limit
