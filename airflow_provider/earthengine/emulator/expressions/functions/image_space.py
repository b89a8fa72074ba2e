"""Functions that place an image's pixels: reprojecting, clipping, scaling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from affine import Affine

from airflow_provider.earthengine.emulator.expressions.functions.image import DEFAULT_PROJECTION
from airflow_provider.earthengine.emulator.expressions.functions.projection import read_transform
from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import (
    FOOTPRINT,
    Collection,
    Feature,
    geometry_of,
)
from airflow_provider.earthengine.emulator.values.geometries import Geometry, join_geometries
from airflow_provider.earthengine.emulator.values.grids import Box, Footprint
from airflow_provider.earthengine.emulator.values.images import Band, Image
from airflow_provider.earthengine.emulator.values.pixels import ClippedPixels, ReprojectedPixels
from airflow_provider.earthengine.emulator.values.projections import Projection, compose


def _with_bands(image: Image, change: Callable[[Band], Band]) -> Image:
    return replace(image, bands=tuple(change(band) for band in image.bands))


def _asked_projection(function: str, arguments: Arguments) -> Projection:
    """Return the projection that crs, crsTransform and scale together describe."""
    crs: Projection = arguments["crs"]
    numbers, scale = arguments["crsTransform"], arguments["scale"]
    if numbers is not None and scale is not None:
        raise invalid_argument(
            f"{function}: Only one of 'crsTransform' and 'scale' may be specified."
        )
    if numbers is not None:
        return Projection(crs.crs, read_transform(function, numbers))
    return crs if scale is None else _scaled(function, crs, scale)


def _scaled(function: str, projection: Projection, scale: float) -> Projection:
    if not (math.isfinite(scale) and scale > 0):
        raise invalid_argument(f"{function}: Scale must be a positive number, not {scale}.")
    if projection == DEFAULT_PROJECTION:
        # The default projection counts rows northwards, but every file of a computed image that the
        # real service made with only a scale counts them southwards.
        projection = Projection(projection.crs, Affine.scale(1, -1))
    return projection.scaled_to(scale)


def _reproject(session: Session, arguments: Arguments) -> Image:
    projection = _asked_projection("Image.reproject", arguments)
    return _with_bands(
        arguments["image"],
        lambda band: replace(
            band, projection=projection, source=ReprojectedPixels(band.source, projection)
        ),
    )


def _set_default_projection(session: Session, arguments: Arguments) -> Image:
    projection = _asked_projection("Image.setDefaultProjection", arguments)
    return _with_bands(arguments["image"], lambda band: replace(band, projection=projection))


def _projection(session: Session, arguments: Arguments) -> Projection:
    image: Image = arguments["image"]
    projections = {band.projection for band in image.bands}
    if len(projections) > 1:
        raise invalid_argument(
            "The bands of the specified image contain different projections. "
            "Use Image.select to pick a single band."
        )
    if not projections:
        raise invalid_argument("Image.projection: The image has no bands.")
    return projections.pop()


def _clip(session: Session, arguments: Arguments) -> Image:
    geometry = _shape(arguments["geometry"])

    def clip_band(band: Band) -> Band:
        box = _bounds("Image.clip", band, geometry, band.projection).snapped()
        if band.footprint is not None:
            own = band.footprint.box_in(band.projection)
            box = box.intersection((own or box).snapped())
        footprint = Footprint(band.projection, box)
        # Seen in real downloads: a rectangle crops but does not mask, even if it is skewed in the
        # image's projection. That other polygons mask is documented.
        shape = None if geometry.is_rectangle else geometry
        source = ClippedPixels(band.source, footprint, shape)
        return replace(band, footprint=footprint, source=source)

    clipped = _with_bands(arguments["input"], clip_band)
    return replace(clipped, properties=_with_footprint(clipped.properties, geometry))


def _with_footprint(properties: Mapping[str, Any], geometry: Geometry) -> dict[str, Any]:
    """Return the properties of a clipped image: what it was clipped to is its footprint.

    Source: a clipped image of ESA/WorldCover/v100, as the real service showed it in a public
    program (2023).
    """
    known = {name: value for name, value in properties.items() if name != FOOTPRINT}
    shown = geometry.in_degrees()
    return known if shown is None else {FOOTPRINT: shown.as_json(), **known}


def _shape(value: object) -> Geometry:
    """Return the geometry of a geometry, a feature or a collection of features."""
    if isinstance(value, Feature) and value.geometry is not None:
        return value.geometry
    if isinstance(value, Collection):
        found = (geometry_of(element) for element in value.elements)
        return join_geometries([geometry for geometry in found if geometry is not None])
    if not isinstance(value, Geometry):
        raise unsupported("Image.clip to anything but a Geometry, a Feature or features")
    return value


def _clip_to_bounds_and_scale(session: Session, arguments: Arguments) -> Image:
    name = "Image.clipToBoundsAndScale"
    width, height = arguments["width"], arguments["height"]
    scale, side = arguments["scale"], arguments["maxDimension"]
    if (width is None) != (height is None):
        raise invalid_argument(f"{name}: 'width' and 'height' must be specified together.")
    if sum(value is not None for value in (width, side, scale)) > 1:
        raise invalid_argument(
            f"{name}: Only one of 'scale', 'maxDimension', and 'width' with 'height' may be "
            "specified."
        )
    for value in (width, height, side):
        if value is not None and value < 1:
            raise invalid_argument(f"{name}: Dimensions must be positive, not {value:g}.")

    def clip_band(band: Band) -> Band:
        geometry = arguments["geometry"]
        if width is not None or side is not None:
            size = None if width is None else (int(width), int(height))
            footprint = _fitted(band, geometry, size, side)
        else:
            asked = band.projection if scale is None else _scaled(name, band.projection, scale)
            footprint = Footprint(asked, _bounds(name, band, geometry, asked).snapped())
        source = ClippedPixels(band.source, footprint)
        return replace(band, projection=footprint.projection, footprint=footprint, source=source)

    return _with_bands(arguments["input"], clip_band)


def _bounds(function: str, band: Band, geometry: Geometry | None, projection: Projection) -> Box:
    """Return the box of the geometry, or of the band if there is none."""
    box = None
    if geometry is not None:
        box = None if geometry.covers_the_globe else geometry.box_in(projection)
    elif band.footprint is not None:
        box = band.footprint.box_in(projection)
    if box is None:
        raise _unbounded(function)
    return box


def _unbounded(function: str) -> ApiError:
    """Return the refusal.

    Source of the text: https://github.com/gee-community/geemap/issues/27 (2020).
    """
    return invalid_argument(f"{function}: The geometry for image clipping must be bounded.")


def _fitted(
    band: Band, geometry: Geometry | None, size: tuple[int, int] | None, side: float | None
) -> Footprint:
    """Return the footprint of exactly ``size`` pixels over the bounds.

    :param size: (width, height); None to fit the longer side into ``side`` pixels.
    """
    name = "Image.clipToBoundsAndScale"
    old = band.projection.transform
    if not band.projection.is_axis_aligned:
        raise unsupported(f"'width', 'height' or 'maxDimension' of {name} on a rotated image")
    flip = -1 if band.projection == DEFAULT_PROJECTION or old.e < 0 else 1
    unit = Projection(band.projection.crs, Affine.scale(math.copysign(1, old.a), flip))
    box = _bounds(name, band, geometry, unit)
    across, down = box.right - box.left, box.bottom - box.top
    if across <= 0 or down <= 0:
        raise invalid_argument(f"{name}: The geometry for image clipping must have an area.")
    if size is None:
        step = max(across, down) / float(side or 1)
        size = (max(1, round(across / step)), max(1, round(down / step)))
    corner = unit.offset(box.left, box.top)
    fitted = Projection(
        unit.crs, compose(corner.transform, Affine.scale(across / size[0], down / size[1]))
    )
    return Footprint(fitted, Box(0, 0, *size))


_PROJECTING = (
    Parameter("image", IMAGE),
    Parameter("crs", "Projection"),
    Parameter("crsTransform", "List<Float>", None),
    Parameter("scale", "Float", None),
)

FUNCTIONS = (
    Function(
        "Image.reproject",
        _PROJECTING,
        IMAGE,
        "the official client for crs with crs_transform",
        _reproject,
    ),
    Function(
        "Image.setDefaultProjection",
        _PROJECTING,
        IMAGE,
        "the official client for crs without crs_transform",
        _set_default_projection,
    ),
    Function(
        "Image.projection",
        (Parameter("image", IMAGE),),
        "Projection",
        "the official client for crs, crs_transform and dimensions",
        _projection,
    ),
    Function(
        "Image.clip",
        (Parameter("input", IMAGE), Parameter("geometry", "Object")),
        IMAGE,
        "the official client for a region without scale or dimensions",
        _clip,
    ),
    Function(
        "Image.clipToBoundsAndScale",
        (
            Parameter("input", IMAGE),
            Parameter("geometry", "Geometry", None),
            Parameter("width", "Integer", None),
            Parameter("height", "Integer", None),
            Parameter("maxDimension", "Integer", None),
            Parameter("scale", "Float", None),
        ),
        IMAGE,
        "the official client for a region with scale or dimensions",
        _clip_to_bounds_and_scale,
    ),
)
