"""The paths of assets: reading one, and listing those of a folder or collection."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from airflow_provider.earthengine.emulator.access.admission import Admission
from airflow_provider.earthengine.emulator.api.asset_documents import (
    asset_document,
    asset_id_of,
    folder_document,
)
from airflow_provider.earthengine.emulator.api.asset_lists import children_of, list_assets
from airflow_provider.earthengine.emulator.api.payloads import check_query, keep_fields
from airflow_provider.earthengine.emulator.expressions.functions.signatures import Session
from airflow_provider.earthengine.emulator.replies import ApiError, not_found, unsupported

Handler = Callable[[Request], Awaitable[Response]]


class _AssetPath(StringConvertor):
    """The id of an asset in a path: without a colon, which begins a verb, or a slash at its end."""

    regex = "[^/:]+(?:/[^/:]+)*"


register_url_convertor("asset", _AssetPath())


class AssetRoutes:
    """Answer requests for what is known of assets.

    :param session: opens a session for a request and its caller.
    """

    def __init__(
        self, admission: Admission, session: Callable[[Request, str | None], Session]
    ) -> None:
        self._admission = admission
        self._session = session

    def served(self, project: str, asset: str) -> list[tuple[str, str, str, Handler]]:
        """Return method, path, operation and handler of each path."""
        return [
            ("GET", f"{asset}:listAssets", "assets.list", self._list),
            ("GET", f"{project}:listAssets", "assets.list", self._list),
            ("GET", f"{project}/assets:listAssets", "assets.list", self._list),
            ("GET", asset, "assets.get", self._get),
        ]

    async def _get(self, request: Request) -> Response:
        with self._admission.admitted(request, is_of_project=False) as caller:
            check_query(request.query_params)
            session, name = self._session(request, caller), asset_name_in(request)
            asset_id = asset_id_of(name)
            asset = session.find(asset_id)
            if asset is not None:
                return as_document(asset_document(asset), request)
            if children_of(session, asset_id):
                return as_document(folder_document(asset_id), request)
        raise no_such_asset(session, name)

    async def _list(self, request: Request) -> Response:
        with self._admission.admitted(request, is_of_project=False) as caller:
            check_query(request.query_params, ["pageSize", "pageToken", "view", "filter"])
            if "filter" in request.query_params:
                raise unsupported("the query parameter 'filter' of listAssets")
            session, name = self._session(request, caller), asset_name_in(request)
            parent = asset_id_of(name).removesuffix("/assets")
            page = list_assets(session, parent, dict(request.query_params))
        if page is None:
            raise no_such_asset(session, name, "earthengine.assets.list")
        return as_document(page, request)


def as_document(document: dict[str, Any], request: Request) -> Response:
    """Return the answer with the fields of a document that a request selects."""
    kept = keep_fields(document, request.query_params.get("fields"))
    # With NaN for what is no number, as the official client's parser takes it.
    return Response(json.dumps(kept, separators=(",", ":")), media_type="application/json")


def asset_name_in(request: Request) -> str:
    """Return the resource name in a request's path: that of an asset, or of a whole project."""
    project, asset = request.path_params["project"], request.path_params.get("asset")
    return f"projects/{project}" if asset is None else f"projects/{project}/assets/{asset}"


def no_such_asset(
    session: Session, name: str, permission: str = "earthengine.assets.get"
) -> ApiError:
    """Return the refusal of an asset that a caller cannot see.

    Both texts are the real service's, seen in public programs and error reports. The official
    client takes 404, and no other code, for an absent asset (ee/data.py of earthengine-api 1.7.50).
    """
    if session.is_forbidden(asset_id_of(name)):
        message = f"Permission '{permission}' denied on resource '{name}' (or it may not exist)."
        return ApiError(403, "PERMISSION_DENIED", message)
    return not_found(f"Asset '{name}' does not exist or doesn't allow this operation.")
