"""The methods of the API, served or not, as a client needs them in order to send a request.

A method that is not listed would fail in the client, before any request; one that is listed but not
served is refused by name.

Source: https://developers.google.com/earth-engine/reference/rest (2026-11), for v1; the names of
parameters also from the discovery document that earthengine-api 1.7.50 ships for its tests, which
alone has the last three methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PROJECT = "^projects/[^/]+$"
_LOCATION = "^projects/[^/]+/locations/[^/]+$"
_CONFIG = "^projects/[^/]+/config$"
_ASSET = "^projects/[^/]+/assets/.*$"
_PARENT = "^projects/.+$"
_OPERATION = "^projects/[^/]+/operations/.+$"
_PAGES = ("pageSize", "pageToken")
_TAG = ("workloadTag",)


@dataclass(frozen=True)
class Method:
    """One method.

    :param name: its place below the API, for example ``projects.assets.get``.
    :param path: below the version; the parameter with a plus is a whole resource name.
    :param pattern: of that resource name.
    :param queries: the names of its query parameters.
    """

    name: str
    verb: str
    path: str
    pattern: str
    queries: tuple[str, ...] = ()

    def as_json(self, version: str) -> dict[str, Any]:
        """Return the method as a discovery document describes it."""
        names = [part.partition("}")[0] for part in self.path.split("{")[1:]]
        parameters: dict[str, Any] = {
            name.removeprefix("+"): {"location": "path", "required": True, "type": "string"}
            for name in names
        }
        parameters[names[0].removeprefix("+")]["pattern"] = self.pattern
        parameters |= {query: {"location": "query", "type": "string"} for query in self.queries}
        method = {
            "id": f"earthengine.{self.name}",
            "httpMethod": self.verb,
            "path": f"{version}/{self.path}",
            "parameters": parameters,
            "parameterOrder": [name.removeprefix("+") for name in names],
            "response": {"$ref": "Page" if "pageToken" in self.queries else "Any"},
        }
        if self.verb in {"POST", "PATCH"}:
            method["request"] = {"$ref": "Any"}
        return method


def _created(resource: str, place: str = "projects", queries: tuple[str, ...] = _TAG) -> Method:
    pattern = _LOCATION if place.endswith("locations") else _PROJECT
    return Method(f"{place}.{resource}.create", "POST", f"{{+parent}}/{resource}", pattern, queries)


def _computed(resource: str, verb: str) -> Method:
    path = f"{{+project}}/{resource}:{verb}"
    return Method(f"projects.{resource}.{verb}", "POST", path, _PROJECT)


def _of_thumbnail(resource: str, verb: str = "getPixels") -> Method:
    pattern = f"^projects/[^/]+/{resource}/[^/]+$"
    return Method(f"projects.{resource}.{verb}", "GET", f"{{+name}}:{verb}", pattern)


def _tile_of(resource: str) -> Method:
    path = "{+parent}/tiles/{zoom}/{x}/{y}"
    pattern = f"^projects/[^/]+/{resource}/[^/]+$"
    return Method(f"projects.{resource}.tiles.get", "GET", path, pattern)


def _of_asset(
    name: str, verb: str, parameter: str = "name", queries: tuple[str, ...] = ()
) -> Method:
    """Return a method of an asset whose name is also the verb of its path."""
    path = f"{{+{parameter}}}:{name}"
    return Method(f"projects.assets.{name}", verb, path, _ASSET, queries)


_LIST = (*_PAGES, "view", "filter")
_IMAGES = (*_LIST, "startTime", "endTime", "region")
_THUMBNAILS = ("filmstripThumbnails", "thumbnails", "videoThumbnails")
METHODS = (
    Method("projects.getConfig", "GET", "{+name}", _CONFIG),
    Method("projects.listAssets", "GET", "{+parent}:listAssets", _PROJECT, _LIST),
    Method("projects.updateConfig", "PATCH", "{+name}", _CONFIG, ("updateMask",)),
    Method("projects.algorithms.list", "GET", "{+parent}/algorithms", _PROJECT),
    Method("projects.assets.get", "GET", "{+name}", _ASSET),
    Method("projects.assets.delete", "DELETE", "{+name}", _ASSET),
    Method("projects.assets.patch", "PATCH", "{+name}", _ASSET),
    Method("projects.assets.listAssets", "GET", "{+parent}:listAssets", _PARENT, _LIST),
    _of_asset("copy", "POST", "sourceName"),
    _of_asset("getIamPolicy", "POST", "resource"),
    _of_asset("getPixels", "POST"),
    _of_asset("listFeatures", "GET", "asset", (*_PAGES, "region", "filter")),
    _of_asset("move", "POST", "sourceName"),
    _of_asset("setIamPolicy", "POST", "resource"),
    _of_asset("testIamPermissions", "POST", "resource"),
    _created("assets", queries=("assetId", "overwrite")),
    _created("featureView"),
    _created("featureViews"),
    _created("maps"),
    _created("tables"),
    *map(_created, _THUMBNAILS),
    *map(_of_thumbnail, _THUMBNAILS),
    _of_thumbnail("tables", "getFeatures"),
    _tile_of("featureViews"),
    _tile_of("maps"),
    _created("assets", "projects.locations", ("assetId", "overwrite")),
    _created("maps", "projects.locations"),
    _created("tables", "projects.locations"),
    *(_created(resource, "projects.locations") for resource in _THUMBNAILS),
    _computed("classifier", "export"),
    _computed("image", "computePixels"),
    _computed("image", "export"),
    _computed("image", "import"),
    _computed("imageCollection", "computeImages"),
    _computed("map", "export"),
    _computed("table", "computeFeatures"),
    _computed("table", "export"),
    _computed("table", "import"),
    _computed("value", "compute"),
    _computed("video", "export"),
    Method("projects.operations.cancel", "POST", "{+name}:cancel", _OPERATION),
    Method("projects.operations.delete", "DELETE", "{+name}", _OPERATION),
    Method("projects.operations.get", "GET", "{+name}", _OPERATION),
    Method("projects.operations.list", "GET", "{+name}/operations", _PROJECT, (*_PAGES, "filter")),
    Method("projects.operations.wait", "POST", "{+name}:wait", _OPERATION),
    _of_asset("listImages", "GET", "parent", _IMAGES),
    Method(
        "projects.assets.search", "GET", "{+project}/assets:search", _PROJECT, (*_PAGES, "query")
    ),
    _computed("videoMap", "export"),
)


def resources(version: str) -> dict[str, Any]:
    """Return all methods, by resource, as a discovery document lists them.

    :param version: ``v1`` or ``v1alpha``.
    """
    root: dict[str, Any] = {}
    for method in METHODS:
        *parents, name = method.name.split(".")
        place = root
        for number, parent in enumerate(parents):
            resource = place if number == 0 else place.setdefault("resources", {})
            place = resource.setdefault(parent, {})
        place.setdefault("methods", {})[name] = method.as_json(version)
    return root
