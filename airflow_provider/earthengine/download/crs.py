"""Names of coordinate reference systems -> rasterio's, and whether two of them mean the same.

Everything that needs a crs resolves its name here. Two are compared by where they put pixels,
because files and descriptions name one crs differently, down to axis orders and unspecified datums.

MODIS and VIIRS use SR-ORG:6974, which PROJ lacks: the sinusoidal projection of a sphere of
6,371,007.181 m, with the latitudes and longitudes of WGS 84. Earth Engine places pixels on it, but
its GeoTIFFs name the ellipsoid of WGS 84, which puts pixels at 40 degrees of latitude 18 km too far
from the equator. SR-ORG:6842 is the same projection without a datum.
Sources, read 2026-11: https://spatialreference.org/ref/sr-org/6974/ (definition);
https://modis-land.gsfc.nasa.gov/GCTP.html (radius); https://github.com/r-spatial/rgee/issues/89
(what Earth Engine's files name); https://issuetracker.google.com/issues/194561313, by
https://github.com/leftfield-geospatial/geedim, which replaces it too;
https://github.com/SnowEx/spicy-snow/pull/92 (18 km, measured on the ground).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from rasterio._err import CPLE_BaseError  # What a failed transformation raises; not public.
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform

Point = tuple[float, float]

_SINUSOIDAL = (
    'PROJCS["MODIS Sinusoidal",GEOGCS["{name}",DATUM["{datum}",SPHEROID[{spheroid}]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Sinusoidal"],'
    'PARAMETER["longitude_of_center",0],PARAMETER["false_easting",0],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)
_ON_SPHERE = _SINUSOIDAL.format(
    name="Unknown datum based upon the custom spheroid",
    datum="Not_specified_based_on_custom_spheroid",
    spheroid='"Custom spheroid",6371007.181,0',
)
_ON_ELLIPSOID = _SINUSOIDAL.format(
    name="WGS 84", datum="WGS_1984", spheroid='"WGS 84",6378137,298.257223563'
)
_MODIS = frozenset({"SR-ORG:6974", "SR-ORG:6842"})
# "The Google Maps Mercator projection, SR-ORG:6627".
# Source: https://developers.google.com/earth-engine/apidocs/export-video-todrive, read 2026-11.
_ALIASES = {"SR-ORG:6627": "EPSG:3857"}

# Neither a path nor a URL, which GDAL would open.
_CODE = re.compile(r"[A-Za-z][\w.-]*(?::[\w.-]*)+")
_WKT = re.compile(r"[A-Za-z_]+ ?[\[(]")
# GDAL takes larger codes for Esri's.
_MAX_EPSG_CODE = 99_999
_RADIUS = re.compile(
    r',\s*PARAMETER\[\s*"(semi_major|semi_minor)"\s*,\s*([\d.e+]+)\s*\]', re.IGNORECASE
)
_WKT1_CODE = re.compile(r',AUTHORITY\["[^"]*","[^"]*"\]')
_WKT1_NAME = re.compile(r'(?<=^PROJCS\[")[^"]*')
_DATUM = re.compile(r'(?:DATUM|ENSEMBLE)\["([^"]*)"')
_NO_DATUM = re.compile("unknown|unnamed|undefined|unspecified|notspecified|userdefined|custom")
_NAMES_KEPT = 256
_HUB = "EPSG:4326"


@lru_cache(_NAMES_KEPT)
def resolve_crs(name: str | None) -> CRS | None:
    """Return rasterio's crs of a name; None if PROJ does not know it.

    :param name: a code such as "EPSG:32610" or "SR-ORG:6974", or WKT.
    """
    text = (name or "").strip()
    text = _ALIASES.get(text.upper(), text)
    if text.upper() in _MODIS:
        return CRS.from_wkt(_ON_SPHERE)
    authority, _, code = text.partition(":")
    if authority.upper() == "EPSG" and (not code.isdecimal() or int(code) > _MAX_EPSG_CODE):
        return None
    try:
        if _CODE.fullmatch(text):
            return CRS.from_user_input(text)
        return _from_wkt(text) if _WKT.match(text) else None
    except CRSError:
        return None


@lru_cache(_NAMES_KEPT)
def misnamed_crs(name: str | None) -> CRS | None:
    """Return the wrong crs that Earth Engine's files have for one; None if they have the right one.

    :param name: as for :func:`resolve_crs`.
    """
    text = (name or "").strip()
    if text.upper() in _MODIS:
        return CRS.from_wkt(_ON_ELLIPSOID)
    return resolve_crs(_RADIUS.sub("", text)) if _RADIUS.search(text) else None


def _from_wkt(text: str) -> CRS | None:
    radii = {name.lower(): float(radius) for name, radius in _RADIUS.findall(text)}
    crs = CRS.from_wkt(_RADIUS.sub("", text))
    if radii:
        # GeoTools, which Earth Engine uses, lets them override the ellipsoid; PROJ ignores them.
        # The datum goes with the ellipsoid, and the name stays.
        # Sources: https://gis.stackexchange.com/questions/272818 (GeoTools);
        # https://spatialreference.org/ref/sr-org/6974/ (what they mean); read 2026-11.
        crs = _on_ellipsoid(crs, radii)
    if crs and not (crs.to_epsg(confidence_threshold=100) or crs.to_authority(100)):
        # GDAL writes the code that the text claims into files, even if it is wrong.
        crs = CRS.from_wkt(_WKT1_CODE.sub("", crs.to_wkt()))
    return crs


def _on_ellipsoid(crs: CRS, radii: dict[str, float]) -> CRS | None:
    terms = crs.to_dict()
    for term in ("datum", "ellps", "R", "a", "b", "rf", "towgs84", "nadgrids"):
        terms.pop(term, None)
    if "proj" not in terms:
        return None
    major = radii.get("semi_major") or radii["semi_minor"]
    placed = CRS.from_dict({**terms, "a": major, "b": radii.get("semi_minor", major)})
    name = _WKT1_NAME.search(crs.to_wkt())
    return CRS.from_wkt(_WKT1_NAME.sub(name[0] if name else "unknown", placed.to_wkt()))


def name_of_crs(crs: CRS | None) -> str:
    """Return "EPSG:n" where there is one, else WKT2, else ""."""
    if not crs:
        return ""
    code = crs.to_epsg(confidence_threshold=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt(version="WKT2_2019"))


def is_same_crs(
    one: CRS | None, other: CRS | None, points: Sequence[Point], tolerance: float
) -> bool:
    """Return whether both crs put these points in the same places, with the same datum.

    :param points: (x, y), in units of the crs; points outside of its domain are ignored.
    :param tolerance: in the same units.
    """
    if not one or not other:
        return False
    if one == other:
        return True
    if one.is_geographic != other.is_geographic or not _may_share_datum(one, other):
        return False
    hub = CRS.from_string(_HUB)
    degrees = _moved(one, hub, points)
    compared = [
        math.dist(point, there) <= tolerance
        for point, back, there in zip(
            points, _moved(hub, one, degrees), _moved(hub, other, degrees), strict=True
        )
        if math.dist(point, back) <= tolerance
    ]
    return bool(compared) and all(compared)


def _moved(source: CRS, target: CRS, points: Sequence[Point]) -> list[Point]:
    """Return the points in another crs; infinite if a point does not exist there."""
    if len(points) == 1 and not all(map(math.isfinite, points[0])):
        return [(math.inf, math.inf)]
    try:
        xs, ys = transform(source, target, *zip(*points, strict=True))
    except CPLE_BaseError:
        if len(points) == 1:
            return [(math.inf, math.inf)]
        # A single point that does not exist there fails all.
        return [moved for point in points for moved in _moved(source, target, [point])]
    return list(zip(xs, ys, strict=True))


def _may_share_datum(one: CRS, other: CRS) -> bool:
    first, second = _datum_of(one), _datum_of(other)
    return first is None or second is None or first == second


def _datum_of(crs: CRS) -> str | None:
    """Return the datum's normalised name; None if it is not specified."""
    found = _DATUM.search(crs.to_wkt())
    name = re.sub("[^a-z0-9]", "", found[1].lower()) if found else ""
    name = name.removesuffix("ensemble").replace("worldgeodeticsystem", "wgs")
    return None if not name or _NO_DATUM.search(name) else name
