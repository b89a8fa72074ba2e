"""Functions of collections: loading, filtering, sorting, mapping, and reading elements."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from airflow_provider.earthengine.emulator.expressions.functions.signatures import (
    IMAGE,
    Arguments,
    Function,
    Parameter,
    Session,
)
from airflow_provider.earthengine.emulator.replies import unsupported
from airflow_provider.earthengine.emulator.values.elements import (
    FEATURES,
    IMAGES,
    Collection,
    Element,
    Feature,
    Filter,
    property_of,
)
from airflow_provider.earthengine.emulator.values.images import Image


def _load(session: Session, arguments: Arguments) -> Collection:
    return session.load_collection("ImageCollection.load", arguments["id"], arguments["version"])


def _load_table(session: Session, arguments: Arguments) -> Collection:
    name = "Collection.loadTable"
    return session.load_collection(name, arguments["tableId"], arguments["version"])


def _from_images(session: Session, arguments: Arguments) -> Collection:
    return Collection(IMAGES, tuple(_indexed(arguments["images"])))


def _from_features(session: Session, arguments: Arguments) -> Collection:
    return Collection(FEATURES, tuple(_indexed(arguments["features"])))


def _indexed(elements: list[Element]) -> list[Element]:
    """Return the elements with a ``system:index``: their number if they had none."""
    return [
        element
        if "system:index" in element.properties
        else replace(element, properties={**element.properties, "system:index": str(number)})
        for number, element in enumerate(elements)
    ]


def _filter(session: Session, arguments: Arguments) -> Collection:
    collection: Collection = arguments["collection"]
    condition = arguments["filter"]
    if isinstance(condition, str):
        raise unsupported("filters that are written as text")
    if not isinstance(condition, Filter):
        raise FILTER.fail("Parameter 'filter' must be a Filter.")
    kept = tuple(element for element in collection.elements if condition.passes(element))
    return collection.with_elements(kept)


def _distinct(session: Session, arguments: Arguments) -> Collection:
    """Return the first element of those that share the values of all of some properties."""
    collection: Collection = arguments["collection"]
    given = arguments["properties"]
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise unsupported("Collection.distinct by anything but names of properties")
    first: dict[str, Element] = {}
    for element in collection.elements:
        values = [_text_of(element, name) for name in names]
        first.setdefault(json.dumps(values), element)
    return collection.with_elements(tuple(first.values()))


def _text_of(element: Element, name: str) -> str:
    """Return a text that is the same for the same values of a property."""
    if name in {".geo", ".all"}:
        raise unsupported("Collection.distinct by geometry")
    return repr(property_of(element, name))


def _limit(session: Session, arguments: Arguments) -> Collection:
    collection: Collection = arguments["collection"]
    elements, key, limit = list(collection.elements), arguments["key"], arguments["limit"]
    if key is not None:
        has_key = [element for element in elements if element.properties.get(key) is not None]
        lacks_key = [element for element in elements if element.properties.get(key) is None]
        try:
            has_key.sort(
                key=lambda element: element.properties[key], reverse=not arguments["ascending"]
            )
        except TypeError:
            raise LIMIT.fail(f"The values of '{key}' cannot be compared.") from None
        elements = has_key + lacks_key
    if limit is not None:
        if limit < 1:
            raise LIMIT.fail("Parameter 'limit' must be positive.")
        elements = elements[: int(limit)]
    return collection.with_elements(tuple(elements))


def _map(session: Session, arguments: Arguments) -> Collection:
    collection: Collection = arguments["collection"]
    mapped = []
    for element in collection.elements:
        result = arguments["baseAlgorithm"].call(element)
        if not isinstance(result, Image | Feature):
            raise MAP.fail("A mapped algorithm must return a Feature or Image.")
        # A mapped element keeps the identity of the original.
        index = element.properties.get("system:index")
        if index is not None:
            result = replace(result, properties={**result.properties, "system:index": index})
        mapped.append(result)
    kind = collection.kind
    if mapped:
        kind = IMAGES if all(isinstance(element, Image) for element in mapped) else FEATURES
    return Collection(kind, tuple(mapped), collection.properties, collection.id, collection.version)


def _first(session: Session, arguments: Arguments) -> Element | None:
    collection: Collection = arguments["collection"]
    return collection.elements[0] if collection.elements else None


def _size(session: Session, arguments: Arguments) -> int:
    return len(arguments["collection"].elements)


def _to_list(session: Session, arguments: Arguments) -> list[Element]:
    count, offset = int(arguments["count"]), int(arguments["offset"])
    if count < 1 or offset < 0:
        raise TO_LIST.fail("'count' must be positive, and 'offset' not negative.")
    return list(arguments["collection"].elements[offset : offset + count])


def _values(session: Session, arguments: Arguments) -> list[Any]:
    """Return the values of a property; elements without it are left out."""
    name = arguments["property"]
    found = (property_of(element, name) for element in arguments["collection"].elements)
    return [value for value in found if value is not None]


_COLLECTION = Parameter("collection", "FeatureCollection")
_NARROWING = "a DAG that chooses images"

FILTER = Function(
    "Collection.filter",
    (_COLLECTION, Parameter("filter", "Object")),
    "FeatureCollection",
    "a DAG that chooses images by window, region or property; geedim; xee",
    _filter,
)
LIMIT = Function(
    "Collection.limit",
    (
        _COLLECTION,
        Parameter("limit", "Integer", None),
        Parameter("key", "String", None),
        Parameter("ascending", "Boolean", True),
    ),
    "FeatureCollection",
    "the official client for limit() and for sort()",
    _limit,
)
MAP = Function(
    "Collection.map",
    (
        _COLLECTION,
        Parameter("baseAlgorithm", "Algorithm"),
        Parameter("dropNulls", "Boolean", False, is_served=False),
    ),
    "FeatureCollection",
    "a DAG that masks clouds or computes an index image by image; geedim",
    _map,
)
TO_LIST = Function(
    "Collection.toList",
    (_COLLECTION, Parameter("count", "Integer"), Parameter("offset", "Integer", 0)),
    "List<Object>",
    "xee for each chunk; a DAG that lists images",
    _to_list,
)

FUNCTIONS = (
    Function(
        "ImageCollection.load",
        (Parameter("id", "String"), Parameter("version", "Long", -1)),
        "ImageCollection",
        "the official client for ee.ImageCollection(id)",
        _load,
    ),
    Function(
        "Collection.loadTable",
        (
            Parameter("tableId", "String"),
            Parameter("geometryColumn", "String", None, is_served=False),
            Parameter("version", "Long", -1),
        ),
        "FeatureCollection",
        "the official client for ee.FeatureCollection(id): a region that is a table",
        _load_table,
    ),
    Function(
        "ImageCollection.fromImages",
        (Parameter("images", f"List<{IMAGE}>"),),
        "ImageCollection",
        "the official client for ee.ImageCollection(list); xee",
        _from_images,
    ),
    Function(
        "Collection",
        (Parameter("features", "List<Element>"),),
        "FeatureCollection",
        "the official client for ee.FeatureCollection(list): a region that is GeoJSON features",
        _from_features,
    ),
    FILTER,
    LIMIT,
    MAP,
    TO_LIST,
    Function(
        "Collection.distinct",
        (_COLLECTION, Parameter("properties", "Object")),
        "FeatureCollection",
        "a DAG that wants one image of each day or orbit",
        _distinct,
    ),
    Function("Collection.first", (_COLLECTION,), "Element", _NARROWING, _first),
    Function("Collection.size", (_COLLECTION,), "Integer", _NARROWING, _size),
    Function(
        "AggregateFeatureCollection.array",
        (_COLLECTION, Parameter("property", "String")),
        "List<Object>",
        "a DAG that lists images: aggregate_array()",
        _values,
    ),
)
