"""The rows of the reference page of ``ee.data.getDownloadId``: parameters, and what they publish.

The keys of :data:`CASES` and :data:`REFUSED` are the test ids that the documentation's table of
parameters points at. Source of the sentences:
https://developers.google.com/earth-engine/apidocs/ee-data-getdownloadid, read 2025-07.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.support.expected import SENTINEL2_BANDS, SENTINEL2_ID
from tests.support.expected_grids import (
    DEGREES,
    UTM10,
    Grid,
    degree_grid,
    fitted_grid,
    lattice_grid,
    own_grid,
    scaled_grid,
)

BASE = "20210109T185751_20210109T185931_T10SEG"
REGION = (-122.0800, 37.0500, -122.0770, 37.0520)
RING = [[REGION[0], REGION[1]], [REGION[2], REGION[1]], [REGION[2], REGION[3]],
        [REGION[0], REGION[3]], [REGION[0], REGION[1]]]  # fmt: skip
POLYGON = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "geometry": POLYGON, "properties": {}}
HALVES = [
    {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}}
    for ring in (
        [[x0, REGION[1]], [x1, REGION[1]], [x1, REGION[3]], [x0, REGION[3]], [x0, REGION[1]]]
        for x0, x1 in ((REGION[0], -122.0785), (-122.0785, REGION[2]))
    )
]

# A lattice of its own, on no line of the image's; and one of 20 m whose pixels are the image's.
SHIFTED = [12, 0, 581503, 0, -12, 4100507]
TWENTY = [20, 0, 499980, 0, -20, 4200000]
SHIFTED_GRID = lattice_grid(UTM10, (581503, 4100507), 12, REGION)
EXACT_GRID = Grid(UTM10, (581503, 4100507), (12, 12), 30, 20)
TWENTY_GRID = scaled_grid(20, REGION)
TWO = ["B3", "B11"]
PER_BAND = {"format": "ZIPPED_GEO_TIFF_PER_BAND"}


@dataclass(frozen=True)
class Wanted:
    """One object: its name behind the prefix, its grid, its bands in order."""

    name: str
    grid: Grid
    bands: tuple[str, ...]


def per_band(base: str, **grids: Grid) -> list[Wanted]:
    return [Wanted(f"{base}.{band}.tif", grid, (band,)) for band, grid in grids.items()]


def one_file(name: str, grid: Grid, *bands: str) -> list[Wanted]:
    return [Wanted(name, grid, bands)]


OWN = {band: own_grid(band, REGION) for band in TWO}
SCALED = {"region": list(REGION), "scale": 20, "bands": TWO}

CASES: dict[str, tuple[dict[str, Any], list[Wanted]]] = {
    # name
    "name": ({"name": "scene", "bands": TWO, "region": [*REGION]}, per_band("scene", **OWN)),
    "name-of-one-file": (
        {"name": "scene", "filePerBand": False, **SCALED},
        one_file("scene.tif", TWENTY_GRID, *TWO),
    ),
    "name-defaults-to-the-image-id": (
        {"bands": TWO, "region": [*REGION]},
        per_band(BASE, **OWN),
    ),
    "name-has-the-band-appended": (
        {"name": "scene", "filePerBand": True, **SCALED},
        per_band("scene", B3=TWENTY_GRID, B11=TWENTY_GRID),
    ),
    # bands, and what a band's dict may hold
    "bands-as-names": (
        {**SCALED, "bands": ["B11", "B3"], "format": "GEO_TIFF"},
        one_file(f"{BASE}.tif", TWENTY_GRID, "B11", "B3"),
    ),
    "bands-as-dicts": (
        {"bands": [{"id": "B11"}, {"id": "B3"}], "region": [*REGION]},
        per_band(BASE, B11=OWN["B11"], B3=OWN["B3"]),
    ),
    "bands-left-out": (
        {"region": [*REGION], "scale": 60, "format": "NPY"},
        one_file(f"{BASE}.npy", scaled_grid(60, REGION), *SENTINEL2_BANDS),
    ),
    "id-of-a-band": (
        {"bands": [{"id": "B11"}], "region": [*REGION], "format": "GEO_TIFF"},
        one_file(f"{BASE}.tif", OWN["B11"], "B11"),
    ),
    "crs-of-a-band": (
        {"bands": [{"id": "B3", "crs": DEGREES, "scale": 10}, {"id": "B11"}],
         "region": [*REGION]},
        per_band(BASE, B3=degree_grid(10, REGION), B11=OWN["B11"]),
    ),
    "crs_transform-of-a-band": (
        {"bands": [{"id": "B3", "crs": UTM10, "crs_transform": SHIFTED}, {"id": "B11"}],
         "region": [*REGION]},
        per_band(BASE, B3=SHIFTED_GRID, B11=OWN["B11"]),
    ),
    "dimensions-of-a-band": (
        {"bands": [{"id": "B3", "dimensions": [20, 15]}, {"id": "B11"}], "region": [*REGION]},
        per_band(BASE, B3=fitted_grid(20, 15, REGION), B11=OWN["B11"]),
    ),
    "dimensions-of-a-band-with-its-crs-and-crs_transform": (
        {"bands": [{"id": "B3", "crs": UTM10, "crs_transform": SHIFTED, "dimensions": [30, 20]}]},
        per_band(BASE, B3=EXACT_GRID),
    ),
    "scale-of-a-band": (
        {"bands": [{"id": "B3", "scale": 20}, {"id": "B8", "scale": 40}, {"id": "B11"}],
         "region": [*REGION]},
        per_band(BASE, B3=TWENTY_GRID, B8=scaled_grid(40, REGION), B11=OWN["B11"]),
    ),
    "scale-of-a-band-is-ignored-with-its-crs-and-crs_transform": (
        {"bands": [{"id": "B3", "crs": UTM10, "crs_transform": SHIFTED, "scale": 500}],
         "region": [*REGION]},
        per_band(BASE, B3=SHIFTED_GRID),
    ),
    # the defaults of all bands
    "default-crs": (
        {"bands": [{"id": "B3"}, {"id": "B11", "crs": UTM10}], "crs": DEGREES, "scale": 20,
         "region": [*REGION]},
        per_band(BASE, B3=degree_grid(20, REGION), B11=TWENTY_GRID),
    ),
    "default-crs_transform": (
        {"bands": [{"id": "B3"}, {"id": "B11", "crs_transform": TWENTY}],
         "crs": UTM10, "crs_transform": SHIFTED, "region": [*REGION]},
        per_band(BASE, B3=SHIFTED_GRID, B11=TWENTY_GRID),
    ),
    "default-dimensions": (
        {"bands": [{"id": "B3"}, {"id": "B8", "dimensions": [25, 20]}, {"id": "B11", "scale": 20}],
         "dimensions": [20, 15], "region": [*REGION]},
        per_band(BASE, B3=fitted_grid(20, 15, REGION), B8=fitted_grid(25, 20, REGION),
                 B11=TWENTY_GRID),
    ),
    "default-dimensions-with-crs-and-crs_transform": (
        {"bands": TWO, "crs": UTM10, "crs_transform": SHIFTED, "dimensions": [30, 20],
         "format": "GEO_TIFF"},
        one_file(f"{BASE}.tif", EXACT_GRID, *TWO),
    ),
    "default-scale": (
        {"bands": [{"id": "B3"}, {"id": "B8", "scale": 10}], "scale": 20, "region": [*REGION]},
        per_band(BASE, B3=TWENTY_GRID, B8=own_grid("B8", REGION)),
    ),
    "default-scale-is-ignored-with-crs-and-crs_transform": (
        {"bands": TWO, "crs": UTM10, "crs_transform": SHIFTED, "scale": 500,
         "region": [*REGION]},
        per_band(BASE, B3=SHIFTED_GRID, B11=SHIFTED_GRID),
    ),
    # region, in each of its forms
    "region": ({"bands": TWO, "region": [*REGION]}, per_band(BASE, **OWN)),
    "region-as-a-ring": ({"bands": TWO, "region": RING[:4]}, per_band(BASE, **OWN)),
    "region-as-a-geometry": ({"bands": TWO, "region": POLYGON}, per_band(BASE, **OWN)),
    "region-as-a-feature": ({"bands": TWO, "region": FEATURE}, per_band(BASE, **OWN)),
    "region-as-features": (
        {**SCALED, "region": {"type": "FeatureCollection", "features": HALVES}},
        per_band(BASE, B3=TWENTY_GRID, B11=TWENTY_GRID),
    ),
    "region-as-json-text": (
        {"bands": TWO, "region": json.dumps(POLYGON)},
        per_band(BASE, **OWN),
    ),
    "region-crops-the-grid-of-crs-and-crs_transform": (
        {"bands": TWO, "crs": UTM10, "crs_transform": SHIFTED, "region": [*REGION],
         "format": "GEO_TIFF"},
        one_file(f"{BASE}.tif", SHIFTED_GRID, *TWO),
    ),
    # filePerBand and format
    "filePerBand-left-out-is-true": (SCALED, per_band(BASE, B3=TWENTY_GRID, B11=TWENTY_GRID)),
    "filePerBand-true": (
        {**SCALED, "filePerBand": True},
        per_band(BASE, B3=TWENTY_GRID, B11=TWENTY_GRID),
    ),
    "filePerBand-false": (
        {**SCALED, "filePerBand": False},
        one_file(f"{BASE}.tif", TWENTY_GRID, *TWO),
    ),
    "filePerBand-is-ignored-with-ZIPPED_GEO_TIFF": (
        {**SCALED, "filePerBand": True, "format": "ZIPPED_GEO_TIFF"},
        one_file(f"{BASE}.tif", TWENTY_GRID, *TWO),
    ),
    "filePerBand-is-ignored-with-ZIPPED_GEO_TIFF_PER_BAND": (
        {**SCALED, "filePerBand": False, **PER_BAND},
        per_band(BASE, B3=TWENTY_GRID, B11=TWENTY_GRID),
    ),
    "filePerBand-is-ignored-with-GEO_TIFF": (
        {**SCALED, "filePerBand": True, "format": "GEO_TIFF"},
        one_file(f"{BASE}.tif", TWENTY_GRID, *TWO),
    ),
    "filePerBand-is-ignored-with-NPY": (
        {**SCALED, "filePerBand": True, "format": "NPY"},
        one_file(f"{BASE}.npy", TWENTY_GRID, *TWO),
    ),
    "format-ZIPPED_GEO_TIFF": (
        {**SCALED, "format": "ZIPPED_GEO_TIFF"},
        one_file(f"{BASE}.tif", TWENTY_GRID, *TWO),
    ),
    "format-ZIPPED_GEO_TIFF_PER_BAND": (
        {**SCALED, **PER_BAND},
        per_band(BASE, B3=TWENTY_GRID, B11=TWENTY_GRID),
    ),
    "format-GEO_TIFF": (
        {**SCALED, "format": "GEO_TIFF"},
        one_file(f"{BASE}.tif", TWENTY_GRID, *TWO),
    ),
    "format-NPY-is-a-structured-array": (
        {**SCALED, "format": "NPY"},
        one_file(f"{BASE}.npy", TWENTY_GRID, *TWO),
    ),
}  # fmt: skip

# What the page says is ignored in silence is refused by name, so that nobody waits for it in vain.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"transformations-of-a-band-are-ignored-with-{file_format}": (
            {"bands": [{"id": "B3", "scale": 10}], "format": file_format, "region": [*REGION]},
            f"band B3 has its own scale, which Earth Engine ignores with format {file_format}",
        )
        for file_format in ("ZIPPED_GEO_TIFF", "GEO_TIFF", "NPY")
    },
    "transformations-of-a-band-are-ignored-with-filePerBand-false": (
        {"bands": [{"id": "B3", "crs": DEGREES}], "filePerBand": False, "region": [*REGION]},
        "band B3 has its own crs, which Earth Engine ignores with format ZIPPED_GEO_TIFF;",
    ),
    "id-is-deprecated": (
        {"id": SENTINEL2_ID},
        "deprecated key 'id'; pass the asset id as the operator's image",
    ),
    "image-is-a-field-of-the-operator": ({"image": SENTINEL2_ID}, "as the operator's image"),
}
