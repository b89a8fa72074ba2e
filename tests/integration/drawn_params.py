"""Download parameters drawn at random, and what each must give, by rules of its own.

Of the Sentinel-2 formula asset; regions lie within it and are a few pixels wide.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.expected_grids import (
    DEGREES,
    METRES_PER_DEGREE,
    UTM10,
    Box,
    Grid,
    lattice_grid,
    own_grid,
    scaled_grid,
)

BANDS = ("B3", "B8", "B11")
FILE_FORMATS = ("GEO_TIFF", "ZIPPED_GEO_TIFF", "NPY")
TILE = (30, 20)

# Corners that are on no line of the image's pixels, nor is a pixel's centre.
transforms = st.sampled_from([10, 12, 20, 40]).map(
    lambda step: [step, 0, 581503, 0, -step, 4100507]
)
boxes = st.tuples(
    st.floats(-122.9, -121.9), st.floats(37.0, 37.8), st.floats(0.0002, 0.002),
    st.floats(0.0002, 0.002),
).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])  # fmt: skip
scales = st.sampled_from([10, 20, 40, 33.3])
band_dicts = st.fixed_dictionaries(
    {"id": st.sampled_from(BANDS)},
    optional={"scale": scales, "crs": st.sampled_from([UTM10, DEGREES])},
)
band_lists = st.one_of(
    st.lists(st.sampled_from(BANDS), min_size=1, max_size=3, unique=True),
    st.lists(band_dicts, min_size=1, max_size=3, unique_by=lambda band: band["id"]),
)
_optional = {
    "name": st.just("scene"),
    "scale": scales,
    "filePerBand": st.booleans(),
    "format": st.sampled_from([*FILE_FORMATS, "ZIPPED_GEO_TIFF_PER_BAND"]),
}
regional = st.fixed_dictionaries(
    {"bands": band_lists, "region": boxes},
    optional={**_optional, "crs": st.sampled_from([UTM10, DEGREES])},
)
on_a_lattice = st.fixed_dictionaries(
    {"bands": band_lists, "region": boxes, "crs": st.just(UTM10), "crs_transform": transforms},
    optional=_optional,
)
tiles = st.fixed_dictionaries(
    {
        "bands": st.lists(st.sampled_from(BANDS), min_size=1, max_size=3, unique=True),
        "crs": st.just(UTM10), "crs_transform": transforms, "dimensions": st.just([*TILE]),
    },
    optional={"format": _optional["format"]},
)  # fmt: skip
legal = st.one_of(regional, on_a_lattice, tiles)

_CROSSED = [[-122.1, 37.1], [-122.0, 37.2], [-122.0, 37.1], [-122.1, 37.2]]
ODD: dict[str, list[Any]] = {
    "name": ["a/b", "..", "x" * 300, "", "a\nb", 5],
    "bands": [
        [], ["B99"], ["B.*"], ["["], [1], ("B3",), ["B3", "B3"], [{"scale": 10}], "B3, B8",
        ["B3", {"id": "B8"}], [{"id": "B3", "dimensions": [3, 3], "scale": 10}],
        [{"id": "B3", "crs_transform": [10, 0, 0, 0, -10, 0]}], [{"id": ""}], {},
    ],
    "crs": ["", "EPSG:99999", "EPSG:0", "SR-ORG:6974", "banana", 4326, "EPSG:3857"],
    "crs_transform": [
        [1, 0, 0, 0, -1], [0, 0, 0, 0, 0, 0], [10, 0, float("nan"), 0, -10, 0], "1,0,0,0,-1,0",
        [1e-9, 0, 581503, 0, -1e-9, 4100507], [7, 7, 581503, 7, -7, 4100507],
    ],
    "dimensions": [0, [0, 5], [1, 2, 3], [40000, 1], "axb", "5x4", 7, [5, -4], 2.5, [33000, 33000]],
    "scale": [0, -10, float("nan"), float("inf"), "ten", "20", 1e-9, 1e12, True, [20]],
    "region": [
        [], [0, 0, 1, 1], [37.0, -122.1, 37.1, -122.0], [-180, -90, 180, 90], _CROSSED, "nowhere",
        [-122.1, 37.1, -122.1, 37.1], {"type": "Point", "coordinates": [-122.1, 37.1]}, 5,
        "projects/demo/assets/none", "/no/such/file", "s3://absent/area.json", {},
        [-124.0, 37.10, -122.9995, 37.1001],
    ],
    "filePerBand": ["maybe", 2, "false", None],
    "format": ["JPEG", "npy", None, 5],
    "id": ["B3"],
    "scael": [20],
}  # fmt: skip
odd = st.sampled_from(sorted(ODD)).flatmap(
    lambda key: st.tuples(st.just(key), st.sampled_from(ODD[key]))
)
spoiled = st.builds(lambda params, change: {**params, change[0]: change[1]}, legal, odd)


def expected_grids(params: dict[str, Any]) -> dict[str, Grid] | None:
    """Return the grid of each band; None where these rules do not say, or it may be refused."""
    bands = [band if isinstance(band, dict) else {"id": band} for band in params["bands"]]
    if any(len(band) > 1 for band in bands) and not is_per_band(params):
        return None
    grids = {band["id"]: _expected_grid({**params, **band}) for band in bands}
    known = {band: grid for band, grid in grids.items() if grid is not None}
    if len(known) < len(grids) or (not is_per_band(params) and len(set(known.values())) > 1):
        return None
    return known


def is_per_band(params: dict[str, Any]) -> bool:
    default = params.get("filePerBand", True)
    file_format = params.get("format")
    return default if file_format is None else bool(file_format == "ZIPPED_GEO_TIFF_PER_BAND")


def _expected_grid(asked: dict[str, Any]) -> Grid | None:
    crs, transform, scale = asked.get("crs"), asked.get("crs_transform"), asked.get("scale")
    if transform:
        if crs != UTM10:
            return None
        corner, step = (transform[2], transform[5]), transform[0]
        if "dimensions" in asked:
            return Grid(UTM10, corner, (step, step), *TILE)
        return lattice_grid(UTM10, corner, step, _box(asked))
    if crs is None:
        box = _box(asked)
        return scaled_grid(scale, box) if scale else own_grid(asked["id"], box)
    if scale is None:
        # Pixels of one metre or one degree: some of it is beyond what these rules know.
        return None
    step = scale / METRES_PER_DEGREE if crs == DEGREES else scale
    return lattice_grid(crs, (0, 0), step, _box(asked))


def _box(asked: dict[str, Any]) -> Box:
    west, south, east, north = asked["region"]
    return west, south, east, north
