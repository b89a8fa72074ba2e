"""Slopes of elevations, and values as colours: against numpy."""

from __future__ import annotations

import warnings
from typing import Any

import ee
import numpy as np
import numpy.typing as npt
import pytest
import requests
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from tests.emulator.official_client import Tiff
from tests.support.expected import SENTINEL2_ID, sentinel2_values

pytestmark = pytest.mark.usefixtures("client")

GRID = {
    "crsCode": "EPSG:32610",
    "affineTransform": {"scaleX": 10, "translateX": 500980, "scaleY": -10, "translateY": 4198000},
    "dimensions": {"width": 16, "height": 10},
}
Numbers = npt.NDArray[np.float64]


def pixels(image: ee.Image) -> Numbers:
    params = {"expression": image, "fileFormat": "GEO_TIFF", "grid": GRID}
    return Tiff(ee.data.computePixels(params)).bands.astype(np.float64)


def elevation() -> ee.Image:
    return ee.Image(SENTINEL2_ID).select("B8").divide(50)


def gradient() -> tuple[Numbers, Numbers]:
    """Return how the elevation rises per metre eastwards and northwards, by numpy."""
    around = sentinel2_values("B8", 99, 199, 18, 12).astype(np.float64) / 50
    south, east = np.gradient(around, 10)
    return east[1:-1, 1:-1], -south[1:-1, 1:-1]


def test_slopes_and_aspects_are_those_of_the_gradient() -> None:
    east, north = gradient()
    (slope,) = pixels(ee.Terrain.slope(elevation()))
    np.testing.assert_allclose(slope, np.degrees(np.arctan(np.hypot(east, north))), rtol=1e-5)
    (aspect,) = pixels(ee.Terrain.aspect(elevation()))
    np.testing.assert_allclose(aspect, np.degrees(np.arctan2(-east, -north)) % 360, rtol=1e-4)


def test_a_gradient_is_the_rise_per_metre_eastwards_and_northwards() -> None:
    image = elevation().gradient()
    assert image.bandNames().getInfo() == ["x", "y"]
    np.testing.assert_allclose(pixels(image), gradient(), rtol=1e-5, atol=1e-6)
    angle = image.select("x").atan2(image.select("y"))
    east, north = gradient()
    np.testing.assert_allclose(pixels(angle)[0], np.arctan2(north, east), atol=1e-3)
    steepness = image.select("x").hypot(image.select("y"))
    np.testing.assert_allclose(pixels(steepness)[0], np.hypot(east, north), atol=1e-6)
    with pytest.raises(ee.EEException, match=r"does not support Image\.gradient of several bands"):
        ee.Image(SENTINEL2_ID).gradient().getInfo()


def test_all_products_are_added_to_the_elevation() -> None:
    image = elevation().rename("elevation").addBands(ee.Image(SENTINEL2_ID).select("B4"))
    for products in (ee.Terrain.products(image), ee.Algorithms.Terrain(image)):
        names = ["elevation", "B4", "slope", "aspect", "hillshade"]
        assert products.bandNames().getInfo() == names
        bands = pixels(products)
        alone = [ee.Terrain.slope(elevation()), ee.Terrain.aspect(elevation())]
        for found, expected in zip(bands[2:4], alone, strict=True):
            np.testing.assert_array_equal(found, pixels(expected)[0])
        np.testing.assert_array_equal(
            bands[4], np.floor(pixels(ee.Terrain.hillshade(elevation()))[0])
        )
    with pytest.raises(ee.EEException, match="of which none is elevation"):
        ee.Terrain.products(ee.Image(SENTINEL2_ID)).getInfo()


def test_a_slope_faces_where_water_runs() -> None:
    place = ee.Image.pixelLonLat()
    image = place.reproject("EPSG:32610", [10, 0, 500000, 0, -10, 4200000])
    # Higher in the east: it faces west. Higher in the north: it faces south.
    for band, degrees in (("longitude", 270), ("latitude", 180)):
        (aspect,) = pixels(ee.Terrain.aspect(image.select(band).multiply(1e5)))
        np.testing.assert_allclose(aspect, degrees, atol=1)


def test_shades_are_brightest_towards_the_light() -> None:
    (found,) = pixels(ee.Terrain.hillshade(elevation(), 315, 40))
    east, north = gradient()
    # The cosine of the angle between the light and the ground's normal.
    light = np.array(
        [
            np.sin(np.radians(315)) * np.cos(np.radians(40)),
            np.cos(np.radians(315)) * np.cos(np.radians(40)),
            np.sin(np.radians(40)),
        ]
    )
    normal = np.stack([-east, -north, np.ones_like(east)])
    normal /= np.linalg.norm(normal, axis=0)
    cosine = np.tensordot(light, normal, axes=1)
    np.testing.assert_allclose(found, np.maximum(cosine, 0) * 255, atol=1e-3)


def test_edges_without_neighbours_are_masked() -> None:
    image = ee.Image(SENTINEL2_ID).select("B8")
    corner = {"translateX": 499980, "translateY": 4200000, "scaleX": 10, "scaleY": -10}
    grid = GRID | {"affineTransform": corner}
    mask = ee.Terrain.slope(image).mask()
    params = {"expression": mask, "fileFormat": "GEO_TIFF", "grid": grid}
    found = Tiff(ee.data.computePixels(params)).bands[0]
    assert (found[0] == 0).all()
    assert (found[:, 0] == 0).all()
    assert (found[1:, 1:] == 1).all()


def shown(values: Numbers, low: float, high: float, gamma: float = 1) -> Numbers:
    return np.floor(np.clip((values - low) / (high - low), 0, 1) ** (1 / gamma) * 255 + 0.5)


def values(band: str) -> Numbers:
    return sentinel2_values(band, 100, 200, 16, 10).astype(np.float64)


def test_three_bands_become_red_green_and_blue() -> None:
    image = ee.Image(SENTINEL2_ID)
    names = ["B4", "B3", "B2"]
    picture = image.visualize(bands=names, min=[100, 200, 300], max=30000, gamma=1.4)
    assert picture.bandNames().getInfo() == ["vis-red", "vis-green", "vis-blue"]
    expected = [
        shown(values(name), low, 30000, 1.4)
        for name, low in zip(names, (100, 200, 300), strict=True)
    ]
    np.testing.assert_array_equal(pixels(picture), expected)


def test_one_band_becomes_grey_or_the_colours_of_a_palette() -> None:
    band = ee.Image(SENTINEL2_ID).select("B8")
    grey = band.visualize(min=0, max=60000)
    assert grey.bandNames().getInfo() == ["vis-gray"]
    np.testing.assert_array_equal(pixels(grey)[0], shown(values("B8"), 0, 60000))
    assert len(pixels(band.visualize(min=0, max=60000, forceRgbOutput=True))) == 3
    painted = pixels(band.visualize(min=0, max=60000, palette=["red", "#00FF00", "0000ff"]))
    share = np.clip(values("B8") / 60000, 0, 1)
    for found, levels in zip(painted, ([255, 0, 0], [0, 255, 0], [0, 0, 255]), strict=True):
        np.testing.assert_array_equal(found, np.floor(np.interp(share, [0, 0.5, 1], levels) + 0.5))


def test_the_client_gets_a_picture_for_a_page() -> None:
    region = ee.Geometry.Rectangle([500980, 4197900, 501140, 4198000], "EPSG:32610", False)
    params = {"min": 0, "max": 60000, "bands": ["B4", "B3", "B2"], "region": region}
    url = ee.Image(SENTINEL2_ID).getThumbURL(params | {"dimensions": [16, 10], "format": "png"})
    response = requests.get(url, timeout=30)
    assert response.headers["Content-Type"] == "image/png"
    with warnings.catch_warnings(), MemoryFile(response.content) as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # of course not
        with memory.open() as dataset:
            assert dataset.count == 3
            assert dataset.shape == (10, 16)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"bands": ["B4", "B3"]}, "1 or 3 bands are needed, not 2"),
        ({"bands": ["B4"], "palette": ["chartreuse-ish"]}, "the colour 'chartreuse-ish'"),
        ({"bands": ["B4", "B3", "B2"], "palette": ["red"]}, "A palette is for one band"),
        ({"bands": ["B4"], "opacity": 0.5}, "an opacity below 1"),
        ({"bands": ["B4"], "gain": 2}, "the argument 'gain' of Image.visualize"),
        ({"bands": ["B4", "B3", "B2"], "min": [1, 2]}, "2 values cannot be for 3 bands"),
    ],
)
def test_what_cannot_be_shown_is_refused(params: dict[str, Any], text: str) -> None:
    with pytest.raises(ee.EEException, match=text):
        ee.Image(SENTINEL2_ID).visualize(**params).getInfo()


def test_slopes_of_a_composite_are_refused() -> None:
    with pytest.raises(ee.EEException, match="without a projection of its own"):
        ee.Terrain.slope(ee.Image(1)).getInfo()
