"""Regions: polygons and points in a projection, with straight or geodesic edges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from affine import Affine

from airflow_provider.earthengine.emulator.replies import unsupported
from airflow_provider.earthengine.emulator.values.grids import Box, PixelGrid, box_around
from airflow_provider.earthengine.emulator.values.projections import (
    Coordinates,
    Projection,
    map_points,
    transform_points,
)

_POINTS_PER_EDGE = 128


@dataclass(frozen=True, eq=False)
class Geometry:
    """Points, lines and polygons.

    :param kind: the GeoJSON type, for example ``Polygon``.
    :param rings: closed or open rings, each an array (vertices, 2) in the pixel coordinates of
        ``projection`` (CRS coordinates if its transform is the identity). A point is a ring of one
        vertex, a line a ring that goes forward and back.
    :param polygon_of_ring: for each ring, the number of its polygon.
    :param is_geodesic: whether edges are the shortest paths on the globe, rather than straight in
        the projection.
    """

    kind: str
    rings: tuple[Coordinates, ...]
    polygon_of_ring: tuple[int, ...]
    projection: Projection
    is_geodesic: bool = False

    @property
    def is_rectangle(self) -> bool:
        """Whether it is one ring whose vertices are the corners of its own bounds."""
        if self.kind != "Polygon" or len(self.rings) != 1:
            return False
        ring = self.rings[0]
        low, high = ring.min(axis=0), ring.max(axis=0)
        on_a_corner = ((ring == low) | (ring == high)).all(axis=1)
        corners = {tuple(vertex) for vertex in ring.tolist()}
        return bool(on_a_corner.all()) and len(corners) == 4

    @property
    def covers_the_globe(self) -> bool:
        """Whether it spans all longitudes and latitudes and so bounds nothing."""
        if not self.rings:
            return False
        vertices = np.concatenate(self.rings)
        xs, ys = map_points(self.projection.transform, vertices[:, 0], vertices[:, 1])
        spans_all = np.ptp(xs) >= 360 and np.ptp(ys) >= 180
        return self.projection.crs == "EPSG:4326" and bool(spans_all)

    def box_in(self, projection: Projection) -> Box | None:
        """Return the box around the geometry in the pixel coordinates of a projection."""
        boxes = []
        for ring in self.rings:
            xs, ys = self._outline(ring, projection.crs)
            boxes.append(box_around(self.projection.crs, xs, ys, projection))
        union: Box | None = None
        for box in boxes:
            if box is None:
                return None
            union = box if union is None else union.union(box)
        return union

    def intersects(self, other: Geometry) -> bool:
        """Return whether the two share a point."""
        mine, others = self.shape_in(other.projection), other.shape_in(other.projection)
        pairs = ((ring, line) for ring in mine for line in others)
        if any(_any_edges_cross(ring, line) for ring, line in pairs):
            return True
        return _any_inside(mine, others) or _any_inside(others, mine)

    def as_json(self) -> dict[str, object]:
        """Return the GeoJSON of longitudes and latitudes."""
        plain = self.projection.crs == "EPSG:4326" and self.projection.transform.is_identity
        if not plain or self.kind == "GeometryCollection":
            raise unsupported(f"showing this {self.kind} as GeoJSON")
        document: dict[str, object] = {"type": self.kind, "coordinates": self._coordinates()}
        has_edges = self.kind not in {"Point", "MultiPoint"}
        return document | {"geodesic": False} if has_edges and not self.is_geodesic else document

    def in_degrees(self) -> Geometry | None:
        """Return the same in longitudes and latitudes; None if that is no single GeoJSON."""
        if self.kind == "GeometryCollection" or not self.rings:
            return None
        degrees = Projection("EPSG:4326", Affine.identity())
        if self.projection == degrees:
            return self
        rings = tuple(self.shape_in(degrees))
        finite = all(np.isfinite(ring).all() for ring in rings)
        return replace(self, rings=rings, projection=degrees) if finite else None

    def _coordinates(self) -> object:
        """Return the coordinates as GeoJSON nests them for this kind."""
        if "Point" in self.kind:
            points = [ring[0].tolist() for ring in self.rings]
            return points if self.kind == "MultiPoint" else points[0]
        if "Line" in self.kind:
            lines = [ring_as_line(ring).tolist() for ring in self.rings]
            return lines if self.kind == "MultiLineString" else lines[0]
        polygons: dict[int, list[object]] = {}
        for ring, owner in zip(self.rings, self.polygon_of_ring, strict=True):
            closed = ring if (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])
            polygons.setdefault(owner, []).append(closed.tolist())
        return list(polygons.values()) if self.kind == "MultiPolygon" else polygons[0]

    def shape_in(self, projection: Projection) -> list[Coordinates]:
        """Return the rings in the pixel coordinates of a projection, each (points, 2)."""
        shapes = []
        for ring in self.rings:
            xs, ys = self._outline(ring, projection.crs)
            xs, ys = transform_points(self.projection.crs, projection.crs, xs, ys)
            shapes.append(np.stack(map_points(~projection.transform, xs, ys), axis=1))
        return shapes

    def covers_centres(self, grid: PixelGrid) -> npt.NDArray[np.bool_]:
        """Return (height, width): whether each pixel centre is inside (even-odd rule)."""
        inside = np.zeros((grid.height, grid.width), dtype=bool)
        for polygon in sorted(set(self.polygon_of_ring)):
            crossings = np.zeros((grid.height, grid.width + 1), dtype=np.int32)
            for ring, owner in zip(self.rings, self.polygon_of_ring, strict=True):
                if owner == polygon:
                    self._count_crossings(ring, grid, crossings)
            inside |= np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1
        return inside

    def _outline(self, ring: Coordinates, target_crs: str) -> tuple[Coordinates, Coordinates]:
        """Return the ring's points in CRS coordinates, dense enough for curved edges."""
        xs, ys = map_points(self.projection.transform, ring[:, 0], ring[:, 1])
        if len(ring) == 1 or (target_crs == self.projection.crs and not self.is_geodesic):
            return xs, ys
        steps = np.linspace(0.0, 1.0, _POINTS_PER_EDGE, endpoint=False)[np.newaxis, :]
        starts = np.stack([xs, ys], axis=1)
        ends = np.roll(starts, -1, axis=0)
        if self.is_geodesic:
            return _great_circles(starts, ends, steps)
        dense = starts[:, np.newaxis, :] + steps[..., np.newaxis] * (ends - starts)[:, np.newaxis]
        return dense[..., 0].ravel(), dense[..., 1].ravel()

    def _count_crossings(
        self, ring: Coordinates, grid: PixelGrid, crossings: npt.NDArray[np.int32]
    ) -> None:
        """Add, per row, where the ring crosses the line through the row's pixel centres."""
        xs, ys = self._outline(ring, grid.projection.crs)
        xs, ys = transform_points(self.projection.crs, grid.projection.crs, xs, ys)
        columns, rows = map_points(~grid.projection.transform, xs, ys)
        x0, y0, x1, y1 = columns, rows, np.roll(columns, -1), np.roll(rows, -1)
        # A row's centre line is at row + 0.5; the edge crosses those in [min, max).
        first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, grid.height).astype(np.int64)
        last = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, grid.height).astype(np.int64)
        count = last - first
        edge = np.repeat(np.arange(len(x0)), count)
        row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
        share = (row + 0.5 - y0[edge]) / (y1[edge] - y0[edge])
        x = x0[edge] + share * (x1[edge] - x0[edge])
        column = np.clip(np.ceil(x - 0.5), 0, grid.width).astype(np.int64)
        np.add.at(crossings, (row, column), 1)


def line_as_ring(points: Coordinates) -> Coordinates:
    """Return a line as a ring: forward over its vertices, and back over the inner ones."""
    return np.concatenate([points, points[-2:0:-1]])


def ring_as_line(ring: Coordinates) -> Coordinates:
    """Return the line that :func:`line_as_ring` made a ring of."""
    return ring[: len(ring) // 2 + 1]


def join_geometries(geometries: list[Geometry]) -> Geometry:
    """Return several geometries as one; they must be in the same projection.

    :raises ApiError: if they are not.
    """
    if len(geometries) == 1:
        return geometries[0]
    rings: list[Coordinates] = []
    owners: list[int] = []
    for geometry in geometries:
        if (geometry.projection, geometry.is_geodesic) != (
            geometries[0].projection,
            geometries[0].is_geodesic,
        ):
            raise unsupported("geometries of several projections in one collection")
        first = max(owners, default=-1) + 1
        rings += geometry.rings
        owners += [first + owner for owner in geometry.polygon_of_ring]
    kinds = {geometry.kind for geometry in geometries}
    kind = "MultiPolygon" if kinds == {"Polygon"} else "GeometryCollection"
    if not geometries:
        return Geometry(kind, (), (), Projection("EPSG:4326", Affine.identity()))
    return Geometry(
        kind, tuple(rings), tuple(owners), geometries[0].projection, geometries[0].is_geodesic
    )


def _any_edges_cross(ring: Coordinates, other: Coordinates) -> bool:
    """Return whether an edge of one ring crosses or touches an edge of the other."""
    a, b = ring[:, np.newaxis], np.roll(ring, -1, axis=0)[:, np.newaxis]
    c, d = other[np.newaxis], np.roll(other, -1, axis=0)[np.newaxis]
    apart = (np.maximum(a, b) < np.minimum(c, d)) | (np.minimum(a, b) > np.maximum(c, d))
    different_sides = (_side(a, b, c) * _side(a, b, d) <= 0) & (
        _side(c, d, a) * _side(c, d, b) <= 0
    )
    return bool((~apart.any(axis=2) & different_sides).any())


def _side(a: Coordinates, b: Coordinates, point: Coordinates) -> Coordinates:
    """Return on which side of the line a-b a point is, as a sign."""
    ab, ap = b - a, point - a
    return np.asarray(np.sign(ab[..., 0] * ap[..., 1] - ab[..., 1] * ap[..., 0]))


def _any_inside(points: list[Coordinates], rings: list[Coordinates]) -> bool:
    """Return whether the first vertex of any shape is inside the rings (even-odd rule).

    If no edges cross, either all vertices of a shape are inside or none.
    """
    for shape in points:
        x, y = shape[0]
        crossings = 0
        for ring in rings:
            x0, y0 = ring[:, 0], ring[:, 1]
            x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
            spans = (y0 <= y) != (y1 <= y)
            share = (y - y0[spans]) / (y1 - y0)[spans]
            crossings += int((x0[spans] + share * (x1 - x0)[spans] > x).sum())
        if crossings % 2:
            return True
    return False


def _great_circles(
    starts: Coordinates, ends: Coordinates, steps: Coordinates
) -> tuple[Coordinates, Coordinates]:
    """Return points on the shortest paths from starts to ends (longitude, latitude in degrees)."""
    a, b = _unit_vectors(starts), _unit_vectors(ends)
    angle = np.arccos(np.clip((a * b).sum(axis=1), -1.0, 1.0))[:, np.newaxis]
    sine = np.where(angle < 1e-12, 1.0, np.sin(angle))
    from_a = np.where(angle < 1e-12, 1 - steps, np.sin((1 - steps) * angle) / sine)
    from_b = np.where(angle < 1e-12, steps, np.sin(steps * angle) / sine)
    way = from_a[..., np.newaxis] * a[:, np.newaxis] + from_b[..., np.newaxis] * b[:, np.newaxis]
    latitude = np.degrees(np.arctan2(way[..., 2], np.hypot(way[..., 0], way[..., 1])))
    longitude = np.degrees(np.arctan2(way[..., 1], way[..., 0]))
    # Both ends of an edge keep the number that the caller gave them (181 is not -179).
    around = np.round((starts[:, :1] - longitude) / 360) * 360
    longitude = longitude + around
    longitude[:, 0], latitude[:, 0] = starts[:, 0], starts[:, 1]
    return longitude.ravel(), latitude.ravel()


def _unit_vectors(points: Coordinates) -> Coordinates:
    longitude, latitude = np.radians(points[:, 0]), np.radians(points[:, 1])
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )
