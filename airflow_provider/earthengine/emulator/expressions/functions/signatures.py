"""The parameters of functions: names, types and defaults, checked before a call.

Types are written as in Earth Engine's algorithm list, so that a test can compare the function table
with the list that a client of the real service gets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider.earthengine.emulator.catalog.catalog import (
    PUBLIC_PREFIX,
    Asset,
    Catalog,
)
from airflow_provider.earthengine.emulator.expressions.evaluate import Algorithm
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, unsupported
from airflow_provider.earthengine.emulator.values.elements import (
    Collection,
    Date,
    DateRange,
    ErrorMargin,
    Feature,
    Filter,
    Join,
    Reducer,
)
from airflow_provider.earthengine.emulator.values.geometries import Geometry
from airflow_provider.earthengine.emulator.values.images import Image
from airflow_provider.earthengine.emulator.values.projections import Projection

REQUIRED: Any = object()
IMAGE = "Image<unknown bands>"
_ITEM = re.compile(r"List<(.+)>")


# The types that a parameter accepts in addition to its own.
_ALSO = {
    "Element": (IMAGE, "Feature", "ImageCollection", "FeatureCollection"),
    "FeatureCollection": ("ImageCollection",),
}


def _is_plain(value: object) -> bool:
    """Return whether a value can be shown as JSON."""
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


@dataclass(frozen=True)
class Session:
    """What a function may read in addition to its arguments.

    :param caller: the e-mail of the calling service account; None for anonymous.
    :param now: the time of the request, in seconds since 1970: some images appear late.
    :param asked: the ids of the assets that the request has asked for so far.
    """

    catalog: Catalog
    caller: str | None
    now: float
    asked: set[str] = field(default_factory=set)

    def load_image(self, asset_id: str, version: float = -1) -> Image:
        """Return an image of the catalog, in its current version (-1) or exactly this one."""
        self.asked.add(asset_id.removeprefix(PUBLIC_PREFIX))
        return self.catalog.load_image(asset_id, int(version), self.caller, self.now)

    def find(self, asset_id: str) -> Asset | None:
        """Return an asset that the caller may see; None if there is no such asset."""
        self.asked.add(asset_id.removeprefix(PUBLIC_PREFIX))
        return self.catalog.find(asset_id, self.caller, self.now)

    def is_forbidden(self, asset_id: str) -> bool:
        """Return whether an asset exists that the caller may not see."""
        return self.catalog.is_forbidden(asset_id, self.caller, self.now)

    def readable(self) -> list[Asset]:
        """Return the assets that the caller may see, except images of collections."""
        assets = self.catalog.assets.values()
        return [asset for asset in assets if asset.is_readable_by(self.caller, self.now)]

    def images_of(self, collection: Asset) -> list[Asset]:
        """Return the images of a collection that are visible now."""
        return [image for image in collection.images if image.is_visible_at(self.now)]

    def load_collection(self, function: str, asset_id: str, version: float) -> Collection:
        """Return a collection of the catalog.

        :param function: determines the kind: ``ImageCollection.load`` or
            ``Collection.loadTable``.
        """
        self.asked.add(asset_id.removeprefix(PUBLIC_PREFIX))
        return self.catalog.load_collection(function, asset_id, int(version), self.caller, self.now)


Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    :param default: its value if it is not given; ``REQUIRED`` if it must be.
    :param is_served: False for a parameter of the real function that this one refuses unless it has
        its default value.
    """

    name: str
    type: str
    default: Any = REQUIRED
    is_served: bool = True


@dataclass(frozen=True)
class Function:
    """One function of the table.

    :param sent_by: which client sends it, and when.
    :param call: computes the result from checked arguments.
    """

    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    sent_by: str
    call: Callable[[Session, Arguments], Any]

    def invoke(self, session: Session, given: Mapping[str, Any]) -> Any:
        """Return the result for unchecked arguments.

        :raises ApiError: if an argument is unknown, missing or mistyped.
        """
        known = {parameter.name for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise invalid_argument(f"{self.name}: Unrecognized argument '{name}'.")
        arguments = {}
        for parameter in self.parameters:
            value = given.get(parameter.name)
            if value is None:
                if parameter.default is REQUIRED:
                    raise invalid_argument(
                        f"{self.name}: Parameter '{parameter.name}' is required."
                    )
                value = parameter.default
            elif not parameter.is_served and value != parameter.default:
                raise unsupported(f"the argument '{parameter.name}' of {self.name}")
            elif not _is_of_type(value, parameter.type):
                raise self._invalid_type(parameter, value)
            arguments[parameter.name] = value
        return self.call(session, arguments)

    def fail(self, message: str) -> ApiError:
        """Return the refusal of arguments that are well typed but make no sense."""
        return invalid_argument(f"{self.name}: {message}")

    def as_algorithm(self) -> dict[str, Any]:
        """Return the entry of the algorithm list that describes this function."""
        return {
            "name": f"algorithms/{self.name}",
            "description": f"Sent by {self.sent_by}.",
            "returnType": self.returns,
            "arguments": [_as_argument(parameter) for parameter in self.parameters],
        }

    def _invalid_type(self, parameter: Parameter, value: object) -> ApiError:
        """Return the refusal.

        Source of the text: https://github.com/google/earthengine-api/issues/159 (2021).
        """
        message = (
            f"{self.name}, argument '{parameter.name}': Invalid type.\n"
            f"Expected type: {parameter.type}.\nActual type: {type_name(value)}."
        )
        if isinstance(value, (str, int, float, list, dict)) and _is_plain(value):
            message += f"\nActual value: {json.dumps(value)[:200]}"
        return invalid_argument(message)


def _as_argument(parameter: Parameter) -> dict[str, Any]:
    argument: dict[str, Any] = {
        "argumentName": parameter.name,
        "type": parameter.type,
        "description": "",
    }
    if parameter.default is not REQUIRED:
        argument |= {"optional": True, "defaultValue": parameter.default}
    return argument


def type_name(value: object) -> str:
    """Return Earth Engine's name for the type of a value."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, Collection):
        return value.kind
    if isinstance(value, Algorithm):
        return "Algorithm"
    names: dict[type, str] = {
        Date: "Date",
        DateRange: "DateRange",
        ErrorMargin: "ErrorMargin",
        Feature: "Feature",
        Filter: "Filter",
        Join: "Join",
        Reducer: "Reducer",
        int: "Integer",
        float: "Float",
        str: "String",
        list: "List",
        dict: "Dictionary",
        Image: IMAGE,
        Geometry: "Geometry",
        Projection: "Projection",
    }
    return names.get(type(value), "Null")


def _is_of_type(value: object, expected: str) -> bool:
    item = _ITEM.fullmatch(expected)
    if item is not None:
        return isinstance(value, list) and all(_is_of_type(part, item[1]) for part in value)
    if expected == "Object":
        return True
    if expected in {"Integer", "Long"}:
        is_whole = isinstance(value, float) and value.is_integer()
        return (isinstance(value, int) and not isinstance(value, bool)) or is_whole
    if expected in {"Float", "Number"}:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if expected.startswith("Dictionary"):
        return isinstance(value, dict)
    also = _ALSO.get(expected, ())
    return type_name(value) == expected or type_name(value) in also
