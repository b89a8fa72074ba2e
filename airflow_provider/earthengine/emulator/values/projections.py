"""The positions of pixels: coordinate reference systems, and affine maps on them.

A :class:`Projection` is Earth Engine's: a CRS and the transform from pixel coordinates (column,
row, from the outer corner of pixel 0, 0) to CRS coordinates (easting or longitude first).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio._err import CPLE_BaseError  # what a failed transformation raises; not public
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as warp_points

from airflow_provider.earthengine.emulator.replies import invalid_argument, unsupported

Coordinates = npt.NDArray[np.float64]

# The nominal size of a degree. Every grid in degrees that the real service made from a scale in
# metres is a multiple of 1 / this: 30 m becomes 0.00026949458523585647 degrees.
# Source: https://github.com/gee-community/qgis-earthengine-plugin (test_extent_transformation.tif)
METRES_PER_DEGREE = 111319.49079327357

_EPSG = re.compile(r"EPSG:([0-9]{1,6})")
_WKT = re.compile(r"(PROJCS|GEOGCS)\s*\[")
# A projection's own radii replace those of the datum's ellipsoid; latitudes and longitudes stay in
# the datum.
# Source: https://spatialreference.org/ref/sr-org/6974/ (2026-11).
_RADIUS = re.compile(r',\s*PARAMETER\[\s*"(semi_major|semi_minor)"\s*,\s*([0-9.eE+]+)\s*\]')
# WKT may claim any code; only its parameters count.
_CODES = re.compile(r",\s*AUTHORITY\[[^\]]*\]")
_SINUSOIDAL = (
    'PROJCS["MODIS Sinusoidal",GEOGCS["WGS 84",DATUM["WGS_1984",'
    'SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.01745329251994328]],PROJECTION["Sinusoidal"],'
    'PARAMETER["false_easting",0.0],PARAMETER["false_northing",0.0],'
    'PARAMETER["central_meridian",0.0],PARAMETER["semi_major",6371007.181],'
    'PARAMETER["semi_minor",6371007.181],UNIT["m",1.0]]'
)
# The codes of spatialreference.org that are served: MODIS, and the same without a datum.
_SR_ORG = {"SR-ORG:6974": _SINUSOIDAL, "SR-ORG:6842": _SINUSOIDAL}
_UNPARSED = "Projection: The CRS of a map projection could not be parsed."
_POINTS_PER_CALL = 1 << 18


@dataclass(frozen=True)
class Projection:
    """A CRS and the affine map from pixel coordinates to its coordinates.

    :param crs: a code (``EPSG:n``, ``SR-ORG:6974``) or WKT.
    """

    crs: str
    transform: Affine

    @property
    def nominal_scale_metres(self) -> float:
        """The side of a pixel, taken at the point of true scale of the CRS."""
        return math.sqrt(abs(self.transform.determinant)) * metres_per_unit(self.crs)

    @property
    def is_axis_aligned(self) -> bool:
        return bool(self.transform.b == 0 and self.transform.d == 0)

    def scaled_to(self, scale_metres: float) -> Projection:
        """Return the projection with pixels of another size and the same origin."""
        old = self.transform
        step = scale_metres / metres_per_unit(self.crs)
        if self.is_axis_aligned and abs(old.a) == abs(old.e):
            scaled = Affine(
                math.copysign(step, old.a), 0.0, old.c, 0.0, math.copysign(step, old.e), old.f
            )
        else:
            scaled = compose(old, Affine.scale(scale_metres / self.nominal_scale_metres))
        return Projection(self.crs, scaled)

    def refined(self, factor: float) -> Projection:
        """Return the projection whose pixels are ``factor`` times as large, same origin."""
        return Projection(self.crs, compose(self.transform, Affine.scale(factor)))

    def offset(self, columns: float, rows: float) -> Projection:
        """Return the projection whose pixel 0, 0 is this one's pixel (columns, rows)."""
        return Projection(self.crs, compose(self.transform, Affine.translation(columns, rows)))

    def as_json(self) -> dict[str, object]:
        """Return it as a band of an image shows it."""
        name = "crs_wkt" if is_wkt(self.crs) else "crs"
        return {name: self.crs, "crs_transform": list(self.transform)[:6]}


def is_wkt(crs: str) -> bool:
    """Return whether a CRS is given as WKT, not as a code."""
    return _WKT.match(crs) is not None


@lru_cache(maxsize=256)
def parse_crs(name: str) -> CRS:
    """Return the CRS of a code or of WKT.

    :raises ApiError: if there is no such CRS, with the real service's text; a refusal by name
        for authorities and notations that the emulator does not know.
    """
    wkt = _SR_ORG.get(name, name)
    if not is_wkt(wkt):
        return _from_code(name)
    radii = {radius: float(metres) for radius, metres in _RADIUS.findall(wkt)}
    crs = named_in_files(name)
    if not radii:
        return crs
    terms = {key: value for key, value in crs.to_dict().items() if key not in {"datum", "ellps"}}
    major, minor = (radii.get(name, max(radii.values())) for name in ("semi_major", "semi_minor"))
    return CRS.from_dict({**terms, "a": major, "b": minor})


@lru_cache(maxsize=256)
def named_in_files(name: str) -> CRS:
    """Return the CRS that GeoTIFFs name for another: without the projection's own radii.

    This misplaces MODIS by 18 km at 40 degrees of latitude.
    Sources: https://github.com/r-spatial/rgee/issues/89 (2020),
    https://github.com/leftfield-geospatial/geedim/issues/8,
    https://issuetracker.google.com/issues/194561313; read 2026-11.
    """
    wkt = _SR_ORG.get(name, name)
    if not is_wkt(wkt):
        return parse_crs(name)
    try:
        return CRS.from_wkt(_CODES.sub("", _RADIUS.sub("", wkt)))
    except CRSError:
        raise invalid_argument(_UNPARSED) from None


def _from_code(code: str) -> CRS:
    match = _EPSG.fullmatch(code)
    if match is None:
        if code.startswith(("SR-ORG:", "PROJCRS", "GEOGCRS")):
            raise unsupported(f"the CRS {code[:40]!r} (only EPSG codes, MODIS' and WKT1)")
        raise invalid_argument(_UNPARSED)
    # EPSG's own codes are below 100000; above, the library would return Esri's.
    if int(match[1]) >= 100_000:
        raise invalid_argument(_UNPARSED)
    try:
        crs = CRS.from_epsg(int(match[1]))
    except CRSError:
        raise invalid_argument(_UNPARSED) from None
    if not (crs.is_geographic or crs.is_projected):
        raise invalid_argument(_UNPARSED)
    return crs


def is_geographic(code: str) -> bool:
    """Return whether the CRS is in degrees."""
    return bool(parse_crs(code).is_geographic)


@lru_cache(maxsize=256)
def metres_per_unit(code: str) -> float:
    """Return the nominal metres of one unit of the CRS."""
    crs = parse_crs(code)
    return METRES_PER_DEGREE if crs.is_geographic else float(crs.linear_units_factor[1])


def compose(outer: Affine, inner: Affine) -> Affine:
    """Return the map that applies ``inner`` first, then ``outer``.

    Written out because the operator for it is ``*`` before affine 3.0 and ``@`` since.
    """
    return Affine(
        outer.a * inner.a + outer.b * inner.d,
        outer.a * inner.b + outer.b * inner.e,
        outer.a * inner.c + outer.b * inner.f + outer.c,
        outer.d * inner.a + outer.e * inner.d,
        outer.d * inner.b + outer.e * inner.e,
        outer.d * inner.c + outer.e * inner.f + outer.f,
    )


def map_points(
    transform: Affine, xs: Coordinates, ys: Coordinates
) -> tuple[Coordinates, Coordinates]:
    """Return the points mapped by an affine transform; x and y may broadcast."""
    if transform.b == 0 and transform.d == 0:
        return transform.a * xs + transform.c, transform.e * ys + transform.f
    return (
        transform.a * xs + transform.b * ys + transform.c,
        transform.d * xs + transform.e * ys + transform.f,
    )


def transform_points(
    source: str, target: str, xs: Coordinates, ys: Coordinates
) -> tuple[Coordinates, Coordinates]:
    """Return the points in another CRS; NaN where a point does not exist there."""
    if source == target:
        return xs, ys
    shape = xs.shape
    out_x, out_y = np.empty(xs.size), np.empty(xs.size)
    flat_x, flat_y = xs.ravel(), ys.ravel()
    for start in range(0, flat_x.size, _POINTS_PER_CALL):
        part = slice(start, start + _POINTS_PER_CALL)
        out_x[part], out_y[part] = _warp(source, target, flat_x[part], flat_y[part])
    lost = ~(np.isfinite(out_x) & np.isfinite(out_y))
    out_x[lost] = out_y[lost] = np.nan
    return out_x.reshape(shape), out_y.reshape(shape)


def _warp(
    source: str, target: str, xs: Coordinates, ys: Coordinates
) -> tuple[Coordinates, Coordinates]:
    """Transform a few points; one that cannot be transformed must not affect the others."""
    try:
        x, y = warp_points(parse_crs(source), parse_crs(target), xs, ys)
    except CPLE_BaseError:
        if xs.size == 1:
            return np.array([np.nan]), np.array([np.nan])
        half = xs.size // 2
        first = _warp(source, target, xs[:half], ys[:half])
        rest = _warp(source, target, xs[half:], ys[half:])
        return np.concatenate([first[0], rest[0]]), np.concatenate([first[1], rest[1]])
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
