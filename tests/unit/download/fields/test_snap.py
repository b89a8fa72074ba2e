"""A region is widened to whole pixels of a lattice, in whatever crs, and to no pixel more."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.fields.lattice import Lattice, read_grid
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.fields.snap import snap_params
from airflow_provider.earthengine.exceptions import DownloadParamsError

DEGREES = {"crs": "EPSG:4326", "resolution": 0.1}
UTM = {"crs": "EPSG:32610", "resolution": 10}


def snap(region: Any, grid: Any, **params: Any) -> DownloadParams:
    lattice = read_grid(grid)
    assert lattice is not None
    return snap_params(read_params({"region": region, **params}), lattice, "grid")


def bounds(params: DownloadParams) -> list[float]:
    """Return west, south, east, north in units of the crs."""
    assert params.crs_transform is not None
    assert params.dimensions is not None
    a, _, x, _, e, y = params.crs_transform
    width, height = params.dimensions
    return [x, y + e * height, x + a * width, y]


@pytest.mark.parametrize(
    ("region", "grid", "expected"),
    [
        ([1.01, 2.01, 1.19, 2.19], DEGREES, [1.0, 2.0, 1.2, 2.2]),
        # On the edges themselves, nothing is added.
        ([37.1, 2.3, 37.4, 2.7], DEGREES, [37.1, 2.3, 37.4, 2.7]),
        ([1.01, 2.01, 1.02, 2.02], DEGREES, [1.0, 2.0, 1.1, 2.1]),
        ([-1.01, -2.01, -0.99, -1.99], DEGREES, [-1.1, -2.1, -0.9, -1.9]),
        ([1.01, 2.01, 1.19, 2.19], {**DEGREES, "origin": [0.05, 0.02]}, [0.95, 1.92, 1.25, 2.22]),
        ([1.01, 2.01, 1.19, 2.19], {**DEGREES, "resolution": [0.1, 0.5]}, [1.0, 2.0, 1.2, 2.5]),
        ([1.01, 2.01, 1.19, 2.19], json.dumps({**DEGREES, "resolution": "0.1"}),
         [1.0, 2.0, 1.2, 2.2]),
        ([[1.01, 2.01], [1.19, 2.01], [1.1, 2.19]], DEGREES, [1.0, 2.0, 1.2, 2.2]),
        ([179.95, 0, -179.95, 0.1], DEGREES, [179.9, 0, 180.1, 0.1]),
        (
            {"type": "MultiPolygon", "coordinates": [
                [[[1.01, 2.01], [1.05, 2.01], [1.05, 2.05], [1.01, 2.01]]],
                [[[1.15, 2.15], [1.19, 2.15], [1.19, 2.19], [1.15, 2.15]]],
            ]},
            DEGREES, [1.0, 2.0, 1.2, 2.2],
        ),
        (
            {"type": "Polygon", "crs": {"type": "name", "properties": {"name": "EPSG:32610"}},
             "coordinates": [[[500003, 4100004], [500021, 4100004], [500021, 4100017],
                              [500003, 4100017], [500003, 4100004]]]},
            UTM, [500000, 4100000, 500030, 4100020],
        ),
    ],
)  # fmt: skip
def test_a_region_is_widened_to_the_next_edges(
    region: Any, grid: Any, expected: list[float]
) -> None:
    assert bounds(snap(region, grid)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
@given(
    west=st.floats(-125, -121), south=st.floats(-60, 60), width=st.floats(0.001, 0.5),
    height=st.floats(0.001, 0.5), resolution=st.floats(5, 5000), origin=st.floats(-1e6, 1e6),
)  # fmt: skip
def test_a_region_in_degrees_is_covered_by_pixels_in_metres_and_no_row_is_idle(
    west: float, south: float, width: float, height: float, resolution: float, origin: float
) -> None:
    """Its edges bend in the other crs: by pyproj's word, all of them are inside."""
    region = [west, south, west + width, south + height]
    grid = {"crs": "EPSG:32610", "resolution": resolution, "origin": [origin, -origin]}
    params = snap(region, grid)
    x, y = (np.linspace(*ends, 501) for ends in ((west, region[2]), (south, region[3])))
    edges = np.array(
        [*((each, south) for each in x), *((each, region[3]) for each in x),
         *((west, each) for each in y), *((region[2], each) for each in y)]
    )  # fmt: skip
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32610", always_xy=True)
    xs, ys = to_metres.transform(*edges.T)
    left, bottom, right, top = bounds(params)
    tolerance = 1e-5 * resolution + 0.05
    for low, high, along in ((left, right, xs), (bottom, top, ys)):
        assert low - tolerance <= along.min() < low + resolution + tolerance
        assert high - resolution - tolerance < along.max() <= high + tolerance
    steps = (left - origin) / resolution
    assert math.isclose(steps, round(steps), abs_tol=1e-5)


def test_an_edge_that_bends_is_followed_between_its_corners() -> None:
    """The southern edge of a wide box lies lower in its middle than at its corners."""
    params = snap([-126, 37, -120, 38], {"crs": "EPSG:32610", "resolution": 100})
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32610", always_xy=True)
    corner, middle = (to_metres.transform(x, 37)[1] for x in (-126, -123))
    assert corner - middle > 1000
    assert bounds(params)[1] == math.floor(middle / 100) * 100


@pytest.mark.parametrize("transform", [
    (10.0, 0.0, 500_003.0, 0.0, 10.0, 4_100_007.0),
    (-10.0, 0.0, 500_003.0, 0.0, -10.0, 4_100_007.0),
    (6.0, -8.0, 500_003.0, 8.0, 6.0, 4_100_007.0),
])  # fmt: skip
def test_a_lattice_of_any_direction_keeps_it(
    transform: tuple[float, float, float, float, float, float],
) -> None:
    """South-up, mirrored and turned: the pixels are those of the raster that gave the lattice."""
    region = [-122.99, 37.04, -122.985, 37.045]
    params = snap_params(read_params({"region": region}), Lattice("EPSG:32610", transform), "grid")
    assert params.crs_transform is not None
    assert params.dimensions is not None
    a, b, c, d, e, f = params.crs_transform
    assert (a, b, d, e) == (*transform[:2], *transform[3:5])
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    steps = inverse @ (c - transform[2], f - transform[5])
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32610", always_xy=True)
    corners = np.array([to_metres.transform(region[i], region[j]) for i in (0, 2) for j in (1, 3)])
    pixels = (corners - (c, f)) @ inverse.T
    assert (pixels > -0.01).all()
    assert (pixels < np.array(params.dimensions) + 0.01).all()


@pytest.mark.parametrize(
    ("params", "field", "message"),
    [
        ({"scale": 10}, "scale", "download_params has scale, and grid sets the pixels"),
        ({"dimensions": [9, 9]}, "dimensions", "download_params has dimensions"),
        ({"crs": "EPSG:4326", "crs_transform": [1, 0, 0, 0, -1, 0]}, "crs_transform",
         "has crs_transform"),
        ({"crs": "EPSG:32611"}, "crs", "has the crs 'EPSG:32611', but grid has 'EPSG:32610'"),
        ({"bands": [{"id": "B4", "scale": 20}]}, "scale", "band 'B4' has scale"),
        ({"bands": [{"id": "B4", "crs": "EPSG:32610"}]}, "crs", "band 'B4' has crs"),
        ({"region": "projects/demo/assets/regions"}, "region", "a table as its region"),
        ({"region": [-180, -90, 180, 90]}, "region",
         "reaches places that the crs of grid, 'EPSG:32610'"),
        ({"region": [-180, -90, 180, 90], "grid": {"crs": "EPSG:3031", "resolution": 1000}},
         "region", "reaches places that the crs of grid, 'EPSG:3031', does not have"),
    ],
)  # fmt: skip
def test_what_contradicts_a_grid_is_refused(
    params: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(DownloadParamsError, match=message) as caught:
        snap(**{"region": [-122.1, 37, -122, 37.1], "grid": UTM, **params})
    assert caught.value.facts["field"] == field


def test_a_region_round_a_pole_is_covered() -> None:
    """Its northern edge, a parallel of latitude, is a circle there; its southern one is a point."""
    params = snap([-180, -90, 180, -60], {"crs": "EPSG:3031", "resolution": 10_000})
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3031", always_xy=True)
    radius = math.ceil(math.hypot(*to_metres.transform(45, -60)) / 10_000) * 10_000
    assert bounds(params) == [-radius, -radius, radius, radius]


def test_the_same_crs_said_twice_is_no_contradiction() -> None:
    assert snap([-122.1, 37, -122, 37.1], UTM, crs="epsg:32610").crs == "EPSG:32610"


def test_a_grid_without_a_region_is_refused() -> None:
    lattice = read_grid(UTM)
    assert lattice is not None
    with pytest.raises(DownloadParamsError, match="no region, and grid needs coordinates"):
        snap_params(read_params({}), lattice, "grid")


def test_a_crs_that_proj_does_not_know_is_refused() -> None:
    with pytest.raises(DownloadParamsError, match="PROJ does not know the crs 'SR-ORG:1'"):
        snap([0, 0, 1, 1], {"crs": "SR-ORG:1", "resolution": 1})


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"crs": "EPSG:4326"}, "grid has no resolution"),
        ({"resolution": 10}, "grid has no crs"),
        ({}, "no crs and no resolution"),
        ({**UTM, "orgin": [0, 0]}, "unknown key 'orgin'; did you mean 'origin'"),
        ({**UTM, "scale": 10}, "unknown key 'scale'"),
        ({**UTM, "resolution": 0}, "above 0"),
        ({**UTM, "resolution": [10, -10]}, "above 0"),
        ({**UTM, "resolution": [10]}, "write a number, or"),
        ({**UTM, "resolution": "fine"}, "write a number"),
        ({**UTM, "resolution": float("nan")}, "finite"),
        ({**UTM, "resolution": 1e-200}, "no area"),
        ({**UTM, "origin": [0, float("inf")]}, "finite"),
        ({**UTM, "origin": [float("nan"), 0]}, "finite"),
        ({**UTM, "origin": 5}, "a corner of pixels"),
        ({**UTM, "origin": [1, 2, 3]}, "a corner of pixels"),
        ({**UTM, "origin": [True, 0]}, "write a number"),
        ({**UTM, "crs": 32610}, "write text"),
        ("10 metres", "write a dict such as"),
        ([10, 10], "write a dict such as"),
    ],
)
def test_a_grid_from_which_no_lattice_follows_is_refused(grid: Any, message: str) -> None:
    with pytest.raises(DownloadParamsError, match=message):
        read_grid(grid)


@pytest.mark.parametrize("unset", [None, ""])
def test_no_grid_is_none(unset: Any) -> None:
    assert read_grid(unset) is None
