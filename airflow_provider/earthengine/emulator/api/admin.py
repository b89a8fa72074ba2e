"""The emulator's admin routes: its journal, faults and assets.

They are for clients on the same machine; others need the emulator's admin token. A page in a
browser on the same machine is no such client: it can send requests there, but not with a local name
in Host, or with JSON as their type.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider.earthengine.emulator.api.journal import Journal
from airflow_provider.earthengine.emulator.catalog.catalog import EditableCatalog
from airflow_provider.earthengine.emulator.catalog.described_files import Place
from airflow_provider.earthengine.emulator.catalog.read_catalog import read_asset
from airflow_provider.earthengine.emulator.faults.armed import Faults, read_fault
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument, not_found
from airflow_provider.earthengine.emulator.strict_json import Description

REQUESTS_PATH = "/emulator/requests"
FAULTS_PATH = "/emulator/faults"
ASSETS_PATH = "/emulator/assets"
TOKEN_HEADER = "X-Emulator-Token"
_LOOPBACK = ("127.", "::1")
_LOCAL_NAMES = ("localhost", "::1")
_JSON = "application/json"

Handler = Callable[[Request], Awaitable[Response]]


class Admin:
    """The admin routes.

    :param token: what clients on other machines must send; None to refuse them.
    """

    def __init__(
        self, journal: Journal, faults: Faults, catalog: EditableCatalog, token: str | None
    ) -> None:
        self._journal = journal
        self._faults = faults
        self._catalog = catalog
        self._token = token

    def routes(self) -> list[Route]:
        """Return the routes; all of them check the caller."""
        served: list[tuple[str, list[str], Handler]] = [
            (REQUESTS_PATH, ["GET", "DELETE"], self._requests),
            (FAULTS_PATH, ["GET", "POST", "DELETE"], self._show_or_arm_faults),
            (ASSETS_PATH, ["GET", "PUT"], self._show_or_put_assets),
            (ASSETS_PATH + "/{asset:path}", ["DELETE"], self._remove_asset),
        ]
        return [
            Route(path, self._guarded(handler), methods=methods)
            for path, methods, handler in served
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                self._admit(request)
                return await handler(request)
            except ApiError as error:
                return JSONResponse(error.body(), error.code)
            except ValueError as error:
                refusal = invalid_argument(str(error))
                return JSONResponse(refusal.body(), refusal.code)

        return answer

    def _admit(self, request: Request) -> None:
        given = request.headers.get(TOKEN_HEADER, "")
        if self._token is not None and hmac.compare_digest(given.encode(), self._token.encode()):
            return
        if request.client is not None and not request.client.host.startswith(_LOOPBACK):
            raise _denied("Only for clients on the same machine")
        if not _is_local(request.url.hostname):
            raise _denied(f"Only under a local name, not {request.url.hostname!r} in Host")

    async def _requests(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._journal.clear()
            return Response(status_code=204)
        return JSONResponse(self._journal.as_json(request.query_params.get("asset")))

    async def _show_or_arm_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
            return Response(status_code=204)
        if request.method == "POST":
            fields = await read_object(request)
            operation = fields.pop("operation", None)
            counts = {name: fields.pop(name) for name in ("times", "skip") if name in fields}
            for name, value in counts.items():
                if not isinstance(value, int) or isinstance(value, bool):
                    raise ValueError(f"{name} must be an integer, not {value!r}")
            armed = self._faults.arm(str(operation), read_fault(fields), **counts)
            return JSONResponse(armed.as_json(), 201)
        armed_faults = self._faults.armed()
        return JSONResponse({"faults": [armed.as_json() for armed in armed_faults]})

    async def _show_or_put_assets(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"assets": sorted(self._catalog.now().assets)})
        put_asset(self._catalog, await read_object(request))
        return Response(status_code=204)

    async def _remove_asset(self, request: Request) -> Response:
        if not self._catalog.remove(request.path_params["asset"]):
            raise not_found("There is no such asset in the catalog.")
        return Response(status_code=204)


def _denied(why: str) -> ApiError:
    message = f"{why}, or with the emulator's {TOKEN_HEADER}."
    return ApiError(403, "PERMISSION_DENIED", message)


def _is_local(name: str | None) -> bool:
    """Return whether a name in Host is this machine's own, which no one else can point to it."""
    if name is None:
        return True
    return name in _LOCAL_NAMES or name.endswith(".localhost") or _is_loopback_address(name)


def _is_loopback_address(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def put_asset(catalog: EditableCatalog, description: object) -> None:
    """Add a described asset, or replace the one with the same id.

    Files that it names are read from the catalog's directory.

    :raises CatalogError: if the description is wrong; names the first wrong field.
    """
    folder = catalog.now().directory
    place = Place(folder or Path(), folder)
    catalog.put(read_asset(Description(description, place.folder / "description"), place))


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    :raises ApiError: if it says that it is something else, or a browser sends it and does not say.
    :raises ValueError: if it has none.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_from_page = "origin" in request.headers
    if media_type != _JSON and (media_type or is_from_page):
        message = f"The Content-Type must be {_JSON}, not {media_type or 'absent'}."
        raise ApiError(415, "INVALID_ARGUMENT", message)
    document = json.loads(await request.body())
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")
    return document
