"""A region's polygons -> one valid geometry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.fields.region_crs import WGS84, crs_member
from airflow_provider.earthengine.exceptions import DownloadParamsError

_EPSG = re.compile(r"EPSG:(\d{1,6})")

Polygon = list[list[list[float]]]
"""Rings of ``[x, y]`` positions; the first is the outline, the others are holes."""


@dataclass(frozen=True)
class Area:
    """The polygons of a region, with their numbers read.

    :param kind: the GeoJSON type that they were written in.
    :param crs: of the coordinates; None if it is not named.
    :param is_union: whether they are several geometries, of which the union is meant.
    """

    kind: str
    polygons: tuple[Polygon, ...]
    crs: str | None = None
    is_union: bool = False

    def to_geojson(self) -> dict[str, Any]:
        """Return the geometry as written, with its crs unless that is the default."""
        coordinates = self.polygons[0] if self.kind == "Polygon" else list(self.polygons)
        return {"type": self.kind, "coordinates": coordinates, **self._crs_member()}

    def settle(self) -> dict[str, Any]:
        """Return the geometry that is meant; polygons that touch or overlap are merged.

        :raises DownloadParamsError: if a polygon has no area, or edges that cross.
        """
        from shapely.geometry import MultiPolygon, mapping
        from shapely.ops import unary_union

        if self.crs is not None and _is_geographic(self.crs):
            check_degrees(self.polygons)
        shapes = [_shape_of(polygon) for polygon in self.polygons]
        if not self.is_union and MultiPolygon(shapes).is_valid:
            return self.to_geojson()
        return {**mapping(unary_union(shapes)), **self._crs_member()}

    def _crs_member(self) -> dict[str, Any]:
        return {} if self.crs in (None, WGS84) else {"crs": crs_member(str(self.crs))}


def check_degrees(polygons: Sequence[Polygon]) -> None:
    """Raise unless all positions are longitudes and latitudes.

    :raises DownloadParamsError: if they are not; says what they seem to be.
    """
    for x, y in _positions(polygons):
        if abs(x) <= 360 and abs(y) <= 90:
            continue
        if abs(x) <= 90 and abs(y) <= 360:
            raise _wrong(
                f"region has the latitude {y:g}; the order is longitude, latitude, so the two may "
                "be swapped."
            )
        raise _wrong(
            f"region has the position [{x:g}, {y:g}], which is not a longitude and latitude; write "
            "degrees, or GeoJSON with a crs member that names the crs of its coordinates."
        )


def warnings_of(region: Mapping[str, Any]) -> Iterator[str]:
    """Yield warnings about a region that is used as it is written."""
    if region.get("type") == "Polygon" and "crs" not in region:
        longitudes = [x for x, _ in _positions([region["coordinates"]])]
        width = max(longitudes) - min(longitudes)
        if 180 < width < 360:
            yield (
                f"region is {width:g} degrees wide; if it should cross 180 degrees of longitude, "
                "write longitudes beyond 180, for example 181 for -179."
            )


def _positions(polygons: Sequence[Polygon]) -> Iterator[list[float]]:
    return (position for polygon in polygons for ring in polygon for position in ring)


def _shape_of(polygon: Polygon) -> Any:
    from shapely.geometry import shape
    from shapely.validation import explain_validity

    try:
        made = shape({"type": "Polygon", "coordinates": polygon})
    except ValueError as error:
        raise _wrong(f"region is not a polygon: {error}.") from None
    if not made.is_valid:
        raise _wrong(f"region is a polygon whose edges cross or repeat: {explain_validity(made)}.")
    if made.area == 0:
        raise _wrong("region has no area; write a polygon that encloses one.")
    return made


def _is_geographic(crs: str) -> bool:
    """Return whether PROJ knows the crs as one of degrees."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    code = _EPSG.fullmatch(crs)
    try:
        return code is not None and bool(CRS.from_epsg(int(code[1])).is_geographic)
    except CRSError:
        return False


def _wrong(message: str) -> DownloadParamsError:
    return DownloadParamsError(message, field="region")
