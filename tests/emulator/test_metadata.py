"""What value:compute says of images, and that it agrees with what is downloaded."""

from __future__ import annotations

from typing import Any

import ee
import numpy as np
import pyproj
import pytest

from tests.emulator.official_client import Tiff, download
from tests.support.expected import SENTINEL2_BANDS, SENTINEL2_ID, pixels_around, utm_box

pytestmark = pytest.mark.usefixtures("client")

BOX = (-122.5, 37.3, -122.49, 37.31)


def band_of(image: ee.Image) -> dict[str, Any]:
    band: dict[str, Any] = image.getInfo()["bands"][0]
    return band


def test_an_asset_describes_itself() -> None:
    info = ee.Image(SENTINEL2_ID).getInfo()
    assert info["type"] == "Image"
    assert info["id"] == SENTINEL2_ID
    assert info["version"] == 1
    assert info["properties"]["system:index"] == SENTINEL2_ID.rsplit("/", 1)[-1]
    # 2021-01-09T18:57:51Z, the sensing time in the id.
    assert info["properties"]["system:time_start"] == 1610218671000
    assert [band["id"] for band in info["bands"]] == list(SENTINEL2_BANDS)
    assert info["bands"][2] == {
        "id": "B3",
        "data_type": {"type": "PixelType", "precision": "int", "min": 0, "max": 65535},
        "dimensions": [10980, 10980],
        "crs": "EPSG:32610",
        "crs_transform": [10, 0, 499980, 0, -10, 4200000],
    }


def test_an_image_has_its_outline_as_footprint() -> None:
    image = ee.Image(SENTINEL2_ID)
    footprint = image.getInfo()["properties"]["system:footprint"]
    assert footprint["type"] == "LinearRing"
    west, north = 499980, 4200000
    east, south = west + 109800, north - 109800
    to_degrees = pyproj.Transformer.from_crs("EPSG:32610", "EPSG:4326", always_xy=True)
    corners = [(west, north), (east, north), (east, south), (west, south), (west, north)]
    expected = [to_degrees.transform(*corner) for corner in corners]
    np.testing.assert_allclose(footprint["coordinates"], expected, atol=1e-9)
    # Programs pass it on as a geometry.
    as_geometry = ee.Geometry(image.get("system:footprint")).getInfo()
    assert as_geometry == footprint
    assert "system:footprint" not in ee.Image(7).getInfo().get("properties", {})
    assert "system:footprint" in image.select("B3").getInfo()["properties"]
    assert "system:footprint" in image.propertyNames().getInfo()


def test_after_a_clip_the_footprint_is_what_it_was_clipped_to() -> None:
    ring = [[-122.5, 37.3], [-122.49, 37.3], [-122.49, 37.31], [-122.5, 37.31], [-122.5, 37.3]]
    for image in (ee.Image(SENTINEL2_ID), ee.Image(7)):
        clipped = image.clip(ee.Geometry.Polygon([ring])).getInfo()["properties"]
        assert clipped["system:footprint"] == {"type": "Polygon", "coordinates": [ring]}
    planar = ee.Image(7).clip(ee.Geometry.Polygon([ring], None, False)).getInfo()["properties"]
    assert planar["system:footprint"]["geodesic"] is False


def test_a_clip_in_another_crs_has_a_footprint_in_degrees() -> None:
    square = ee.Geometry.Rectangle([500000, 4100000, 500100, 4100100], "EPSG:32610", False)
    footprint = ee.Image(7).clip(square).getInfo()["properties"]["system:footprint"]
    points = np.array(footprint["coordinates"][0])
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32610", always_xy=True)
    xs, ys = to_metres.transform(points[:, 0], points[:, 1])
    np.testing.assert_allclose([xs.min(), xs.max()], [500000, 500100], atol=0.01)
    np.testing.assert_allclose([ys.min(), ys.max()], [4100000, 4100100], atol=0.01)


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "LineString", "coordinates": [[1.0, 2.0], [3.0, 4.0], [5.0, 2.0]]},
        {"type": "LineString", "coordinates": [[1.0, 2.0], [3.0, 4.0]]},
        {"type": "LinearRing", "coordinates": [[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 0.0]]},
        {
            "type": "MultiLineString",
            "coordinates": [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]],
        },
        {"type": "MultiPoint", "coordinates": [[1.0, 2.0], [3.0, 4.0]]},
    ],
    ids=lambda geometry: geometry["type"],
)
def test_lines_and_points_come_back_as_they_were_given(geometry: dict[str, Any]) -> None:
    assert ee.Geometry(geometry).getInfo() == geometry
    computed = ee.List([ee.Geometry(geometry)]).get(0).getInfo()
    assert computed == geometry


def test_float_types_have_no_range() -> None:
    band = band_of(ee.Image("projects/demo/assets/dem_olinda"))
    assert band["data_type"] == {"type": "PixelType", "precision": "float"}


def test_a_clip_keeps_the_transform_and_moves_the_origin() -> None:
    band = band_of(ee.Image(SENTINEL2_ID).select("B3").clip(ee.Geometry.BBox(*BOX)))
    extent = pixels_around(*utm_box(*BOX, zone=10), (499980, 4200000), 10)
    assert band["origin"] == [extent.left, extent.top]
    assert band["dimensions"] == [extent.width, extent.height]
    assert band["crs_transform"] == [10, 0, 499980, 0, -10, 4200000]


@pytest.mark.parametrize(
    "params",
    [
        {"region": BOX, "scale": 20},
        {"region": BOX, "crs": "EPSG:3857", "scale": 35},
        {"region": BOX, "dimensions": [31, 17]},
        {"region": BOX, "dimensions": 40},
        {
            "crs": "EPSG:4326",
            "crs_transform": [1e-4, 0, -122.5, 0, -1e-4, 37.3],
            "dimensions": [9, 8],
        },
        {"region": BOX},
    ],
)
def test_the_described_grid_is_the_downloaded_grid(params: dict[str, Any]) -> None:
    if "region" in params:
        params = params | {"region": ee.Geometry.BBox(*params["region"])}
    image = ee.Image(SENTINEL2_ID).select("B3")
    prepared = image._build_download_id_image({"format": "GEO_TIFF", **params})
    band = band_of(prepared)
    a, b, c, d, e, f = band["crs_transform"]
    left, top = band.get("origin", [0, 0])
    read = Tiff(download(image=image, format="GEO_TIFF", **params))
    assert read.crs == band["crs"]
    assert read.bands.shape == (1, band["dimensions"][1], band["dimensions"][0])
    corner = (a, b, c + a * left + b * top, d, e, f + d * left + e * top)
    assert read.transform == pytest.approx(corner, rel=1e-12)


def test_a_computed_image_is_unbounded_and_counts_in_degrees() -> None:
    assert ee.Image(7).getInfo() == {
        "type": "Image",
        "bands": [
            {
                "id": "constant",
                "data_type": {"type": "PixelType", "precision": "int", "min": 7, "max": 7},
                "crs": "EPSG:4326",
                "crs_transform": [1, 0, 0, 0, 1, 0],
            }
        ],
    }


def test_projections_numbers_and_lists_are_results_too() -> None:
    projection = ee.Image(SENTINEL2_ID).select("B11").projection().getInfo()
    transform = [20, 0, 499980, 0, -20, 4200000]
    assert projection == {"type": "Projection", "crs": "EPSG:32610", "transform": transform}
    assert ee.Number(5).getInfo() == 5
    assert ee.List([1, "two", [3.5]]).getInfo() == [1, "two", [3.5]]
    assert ee.Dictionary({"a": ee.Image(1)}).getInfo()["a"]["type"] == "Image"


def test_added_bands_that_share_a_name_get_numbers() -> None:
    image = ee.Image(1).addBands(ee.Image(2)).addBands(ee.Image(3))
    ids = [band["id"] for band in image.getInfo()["bands"]]
    assert ids == ["constant", "constant_1", "constant_2"]
    replaced = ee.Image(1).addBands(ee.Image(2), overwrite=True)
    assert band_of(replaced)["data_type"]["min"] == 2


def test_bands_are_selected_by_name_pattern_and_index() -> None:
    image = ee.Image(SENTINEL2_ID).select(["B1", "B8.*", 0], ["one", "eight", "8a", "again"])
    info = image.getInfo()["bands"]
    assert [band["id"] for band in info] == ["one", "eight", "8a", "again"]
    assert [band["crs_transform"][0] for band in info] == [60, 10, 20, 60]


def test_a_known_real_grid_is_reproduced() -> None:
    # The real service's answer to geedim's documented example (Sentinel-2, tile 35HKC, 30 m):
    # 320 x 379 pixels at (254220, 6273760). Source: https://geedim.readthedocs.io
    image = ee.Image(1).setDefaultProjection("EPSG:32735", [10, 0, 199980, 0, -10, 6300040])
    region = ee.Geometry.Rectangle([24.35, -33.75, 24.45, -33.65])
    params = {"region": region, "scale": 30, "format": "GEO_TIFF"}
    band = band_of(image._build_download_id_image(params))
    assert band["crs_transform"] == [30, 0, 199980, 0, -30, 6300040]
    assert band["origin"] == [(254220 - 199980) / 30, (6300040 - 6273760) / 30]
    assert band["dimensions"] == [320, 379]


def test_geodesic_edges_bulge_towards_the_pole() -> None:
    image = ee.Image(1).setDefaultProjection("EPSG:4326", [0.01, 0, 0, 0, -0.01, 0])
    ring = [[0, 40], [20, 40], [20, 50], [0, 50]]
    planar, geodesic = (
        band_of(image.clip(ee.Geometry.Polygon([ring], None, is_geodesic)))
        for is_geodesic in (False, True)
    )
    assert planar["origin"] == [0, -5000]
    # The great circle from (0, 50) to (20, 50) is highest at longitude 10:
    # tan(latitude) = tan(50) / cos(10), that is 50.4305 degrees.
    assert geodesic["origin"] == [0, -5044]
    assert geodesic["dimensions"][0] == planar["dimensions"][0] == 2000
