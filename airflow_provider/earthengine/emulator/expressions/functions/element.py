"""Functions of single images and features: properties, geometry, names of bands, features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import invalid_argument
from airflow_provider.earthengine.emulator.values.elements import (
    Collection,
    Date,
    Element,
    Feature,
    geometry_of,
    property_of,
)
from airflow_provider.earthengine.emulator.values.geometries import Geometry, join_geometries
from airflow_provider.earthengine.emulator.values.images import Image


def _feature(session: Session, arguments: Arguments) -> Feature:
    return Feature(arguments["geometry"], dict(arguments["metadata"]))


def _set(session: Session, arguments: Arguments) -> Element:
    element: Element = arguments["object"]
    properties = dict(element.properties)
    value = arguments["value"]
    if arguments["key"] == "system:id" and isinstance(value, str):
        return replace(element, id=value)
    if value is None:
        properties.pop(arguments["key"], None)
    else:
        properties[arguments["key"]] = value.milliseconds if isinstance(value, Date) else value
    return replace(element, properties=properties)


def _set_multi(session: Session, arguments: Arguments) -> Element:
    element: Element = arguments["object"]
    for key, value in arguments["properties"].items():
        element = _set(session, {"object": element, "key": key, "value": value})
    return element


def _get(session: Session, arguments: Arguments) -> Any:
    return property_of(arguments["object"], arguments["property"])


def _copy_properties(session: Session, arguments: Arguments) -> Element:
    target: Element = arguments["destination"]
    source: Element | None = arguments["source"]
    if source is None:
        return target
    names, left_out = arguments["properties"], arguments["exclude"] or []
    chosen: Mapping[str, Any] = {
        name: value
        for name, value in source.properties.items()
        if name not in left_out and _is_copied(name, names)
    }
    return replace(target, properties={**target.properties, **chosen})


def _is_copied(name: str, names: list[str] | None) -> bool:
    """Return whether a property is copied; system properties only if requested by name."""
    return name in names if names is not None else not name.startswith("system:")


def _geometry(session: Session, arguments: Arguments) -> Geometry:
    element = arguments["feature"]
    if isinstance(element, Collection):
        return _collection_geometry(session, {"collection": element})
    geometry = geometry_of(element)
    if geometry is None:
        raise invalid_argument("Element.geometry: The element has no bounded geometry.")
    return geometry


def _collection_geometry(session: Session, arguments: Arguments) -> Geometry:
    collection: Collection = arguments["collection"]
    found = (geometry_of(element) for element in collection.elements)
    return join_geometries([geometry for geometry in found if geometry is not None])


def _band_names(session: Session, arguments: Arguments) -> list[str]:
    image: Image = arguments["image"]
    return image.band_ids()


def _rename(session: Session, arguments: Arguments) -> Image:
    image: Image = arguments["input"]
    names = arguments["names"]
    if len(names) != len(image.bands):
        raise RENAME.fail(
            f"The number of names ({len(names)}) must match the number of bands "
            f"({len(image.bands)})."
        )
    if len(set(names)) != len(names):
        raise RENAME.fail("The names must be unique.")
    bands = tuple(replace(band, id=name) for band, name in zip(image.bands, names, strict=True))
    return replace(image, bands=bands)


def _id(session: Session, arguments: Arguments) -> Any:
    return property_of(arguments["element"], "system:index")


def _copying(name: str) -> Function:
    return Function(
        name,
        (
            Parameter("destination", "Element", None),
            Parameter("source", "Element", None),
            Parameter("properties", "List<String>", None),
            Parameter("exclude", "List<String>", None),
        ),
        "Element",
        "a DAG that keeps the time of an image it computes with",
        _copy_properties,
    )


def _locating(name: str) -> Function:
    return Function(
        name,
        (
            Parameter("feature", "Element"),
            Parameter("maxError", "ErrorMargin", None),
            Parameter("proj", "Projection", None, is_served=False),
            Parameter("geodesics", "Boolean", None, is_served=False),
        ),
        "Geometry",
        "the official client for the geometry() of an image or feature: a region",
        _geometry,
    )


RENAME = Function(
    "Image.rename",
    (Parameter("input", IMAGE), Parameter("names", "List<String>")),
    IMAGE,
    "an NDVI of a DAG",
    _rename,
)

FUNCTIONS = (
    Function(
        "Feature",
        (
            Parameter("geometry", "Geometry", None),
            Parameter("metadata", "Dictionary<Object>", {}),
            Parameter("geometryKey", "String", None, is_served=False),
        ),
        "Feature",
        "the official client for filterBounds(), and for a region that is GeoJSON features",
        _feature,
    ),
    Function(
        "Element.set",
        (
            Parameter("object", "Element"),
            Parameter("key", "String"),
            Parameter("value", "Object", None),
        ),
        "Element",
        "the official client for set()",
        _set,
    ),
    Function(
        "Element.setMulti",
        (Parameter("object", "Element"), Parameter("properties", "Dictionary<Object>")),
        "Element",
        "the official client for set() with a computed dictionary",
        _set_multi,
    ),
    *(
        Function(
            f"Element.{name}",
            (Parameter("object", "Element"), Parameter("property", "String")),
            result,
            "the official client for getNumber() and getString()",
            _get,
        )
        for name, result in (("getNumber", "Number"), ("getString", "String"))
    ),
    *(
        Function(
            f"{kind}.id",
            (Parameter("element", "Element"),),
            "String",
            "a DAG that names downloads after images",
            _id,
        )
        for kind in ("Image", "Feature")
    ),
    Function(
        "Element.get",
        (Parameter("object", "Element"), Parameter("property", "String")),
        "<any>",
        "the official client for get()",
        _get,
    ),
    _copying("Element.copyProperties"),
    _copying("Image.copyProperties"),
    _locating("Element.geometry"),
    _locating("Image.geometry"),
    _locating("Feature.geometry"),
    Function(
        "Collection.geometry",
        (
            Parameter("collection", "FeatureCollection"),
            Parameter("maxError", "ErrorMargin", None),
        ),
        "Geometry",
        "the official client for a region that is a table",
        _collection_geometry,
    ),
    Function(
        "Image.bandNames",
        (Parameter("image", IMAGE),),
        "List<Object>",
        "geedim; xee; a DAG that asks whether a composite has any bands",
        _band_names,
    ),
    RENAME,
)
