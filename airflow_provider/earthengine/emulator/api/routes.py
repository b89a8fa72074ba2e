"""The HTTP surface: routes, access checks and the journal.

Bodies are computed in a thread pool, never in the event loop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider.earthengine.emulator.access.admission import (
    LEGACY_PROJECT,
    Admission,
    read_body,
)
from airflow_provider.earthengine.emulator.access.quotas import Gate, Quotas
from airflow_provider.earthengine.emulator.access.tokens import GrantError, TokenIssuer
from airflow_provider.earthengine.emulator.api.admin import Admin
from airflow_provider.earthengine.emulator.api.asset_documents import asset_id_of
from airflow_provider.earthengine.emulator.api.asset_routes import (
    AssetRoutes,
    as_document,
    asset_name_in,
    no_such_asset,
)
from airflow_provider.earthengine.emulator.api.compute import (
    compute_value,
    plan_asset_pixels,
    plan_computed_pixels,
    plan_thumbnail,
)
from airflow_provider.earthengine.emulator.api.discovery import (
    VERSIONS,
    algorithms_document,
    discovery_document,
)
from airflow_provider.earthengine.emulator.api.download_ids import ThumbnailStore
from airflow_provider.earthengine.emulator.api.downloads import (
    Download,
    Encoding,
    possible_damages,
    render,
)
from airflow_provider.earthengine.emulator.api.front_page import front_page
from airflow_provider.earthengine.emulator.api.journal import Journal, LoggedRequest
from airflow_provider.earthengine.emulator.api.payloads import check_query
from airflow_provider.earthengine.emulator.api.profiling import add_profile, check_profiling
from airflow_provider.earthengine.emulator.api.token_routes import TokenRoutes
from airflow_provider.earthengine.emulator.catalog.catalog import Catalog, EditableCatalog
from airflow_provider.earthengine.emulator.expressions.functions.signatures import Session
from airflow_provider.earthengine.emulator.faults.armed import Damage, Expire, Fault, Faults
from airflow_provider.earthengine.emulator.faults.on_the_wire import (
    CLIENT_GONE,
    Broken,
    Host,
    disturb,
)
from airflow_provider.earthengine.emulator.replies import ApiError, not_found

logger = logging.getLogger(__name__)

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Settings:
    """What one emulator serves.

    :param project: the one project that callers may use.
    :param require_auth: whether requests without credentials are refused.
    :param clock: seconds since 1970; download ids and tokens expire by it.
    :param admin_token: the token that clients on other machines need for the admin routes.
    """

    catalog: Catalog
    project: str = "demo"
    require_auth: bool = False
    clock: Callable[[], float] = field(default=time.time)
    admin_token: str | None = None
    quotas: Quotas = field(default_factory=Quotas)
    encoding: Encoding = field(default_factory=Encoding)


class Service:
    """The answers of one emulator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thumbnails = ThumbnailStore(settings.clock)
        tokens = TokenIssuer(settings.catalog.identities, settings.clock)
        gate = Gate(settings.quotas, settings.clock)
        self._admission = Admission(tokens, settings.project, settings.require_auth, gate)
        self._token_routes = TokenRoutes(tokens, self._admission)
        self._asset_routes = AssetRoutes(self._admission, self._session)
        self.catalog = EditableCatalog(settings.catalog)
        self.journal = Journal()
        self.faults = Faults()
        self.host = Host()

    def application(self) -> Starlette:
        """Return the ASGI application."""
        served: list[tuple[str, str, str, Handler]] = [
            ("GET", "/", "page", self._show_page),
            ("GET", "/$discovery/rest", "discovery", self._discovery),
            *self._token_routes.served(),
        ]
        for version in VERSIONS:
            served += self._versioned(f"/{version}")
        routes = [
            Route(path, partial(self._answer, operation, handler), methods=[method])
            for method, path, operation, handler in served
        ]
        rest = partial(self._answer, "unserved", self._refuse_path)
        admin = Admin(self.journal, self.faults, self.catalog, self._settings.admin_token)
        routes += [*admin.routes(), Route("/{path:path}", rest, methods=_METHODS)]

        async def refuse(request: Request, error: Exception) -> Response:
            return await rest(request)

        # For methods that are not in _METHODS.
        return Starlette(routes=routes, exception_handlers={405: refuse})

    def _versioned(self, root: str) -> list[tuple[str, str, str, Handler]]:
        project = f"{root}/projects/{{project}}"
        asset = f"{project}/assets/{{asset:asset}}"
        thumbnail = f"{project}/thumbnails/{{thumbnail}}"
        pixels = "thumbnails.getPixels"
        return [
            ("GET", f"{project}/algorithms", "algorithms", self._algorithms),
            ("POST", f"{project}/thumbnails", "thumbnails.create", self._create_thumbnail),
            ("GET", f"{thumbnail}:getPixels", pixels, self._get_pixels),
            ("POST", f"{project}/value:compute", "value:compute", self._compute_value),
            ("POST", f"{project}/image:computePixels", "image:computePixels", self._compute_pixels),
            ("POST", f"{asset}:getPixels", "assets.getPixels", self._get_asset_pixels),
            *self._asset_routes.served(project, asset),
        ]

    async def _answer(self, operation: str, handler: Handler, request: Request) -> Response:
        """Answer a request, or apply an armed fault to it, and journal it."""
        reply = partial(self._reply, operation, handler, request)
        with self.journal.under_way() as record:
            armed = self.faults.take(operation)
            if armed is None:
                response = await reply()
            else:
                request.state.fault = armed.fault
                response = await disturb(armed, request, reply, self.host)
            record(_logged(operation, request, response))
        return response

    async def _reply(self, operation: str, handler: Handler, request: Request) -> Response:
        """Answer a request; refusals have Google's shape."""
        try:
            check_profiling(request)
            response = await handler(request)
            add_profile(operation, request, response)
            return response
        except ApiError as error:
            response = JSONResponse(error.body(), error.code)
            if error.code == 401:
                response.headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/"'
            return response
        except GrantError as error:
            return JSONResponse(error.body(), error.code)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)  # before it had sent its request
        except Exception:
            logger.exception("%s failed", request.method)
            internal = ApiError(500, "INTERNAL", "An internal error has occurred.")
            return JSONResponse(internal.body(), internal.code)

    def _session(self, request: Request, caller: str | None) -> Session:
        session = Session(self.catalog.now(), caller, self._settings.clock())
        request.state.asked = session.asked
        return session

    async def _show_page(self, request: Request) -> Response:
        return front_page(request, self._settings.project)

    async def _discovery(self, request: Request) -> Response:
        check_query(request.query_params, ["version"])
        version = request.query_params.get("version", "v1")
        if version not in VERSIONS:
            raise not_found(f"The Earth Engine emulator does not serve version {version!r}.")
        return JSONResponse(discovery_document(str(request.base_url).rstrip("/"), version))

    async def _algorithms(self, request: Request) -> Response:
        self._admission.admit(request)
        check_query(request.query_params)
        return Response(algorithms_document(), media_type="application/json")

    async def _create_thumbnail(self, request: Request) -> Response:
        with self._admission.admitted(request) as caller:
            check_query(request.query_params, ["workloadTag"])
            body = await read_body(request)
            planned = await run_in_threadpool(plan_thumbnail, body, self._session(request, caller))
        download, fields = planned
        project = request.path_params["project"]
        download = replace(download, assets=tuple(request.state.asked))
        name = f"projects/{project}/thumbnails/{self._thumbnails.add(download)}"
        return as_document({"name": name, **fields}, request)

    async def _get_pixels(self, request: Request) -> Response:
        """Answer any holder of the id: like the real service, require no credentials."""
        with self._admission.gate.admitted():
            check_query(request.query_params)
            if request.path_params["project"] not in {self._settings.project, LEGACY_PROJECT}:
                raise not_found("Requested entity was not found.")
            thumbnail_id = request.path_params["thumbnail"]
            if isinstance(getattr(request.state, "fault", None), Expire):
                self._thumbnails.forget(thumbnail_id)
            download = self._thumbnails.get(thumbnail_id)
            request.state.asked = download.assets
            return await self._pixels(request, "thumbnails.getPixels", download)

    async def _compute_pixels(self, request: Request) -> Response:
        with self._admission.admitted(request) as caller:
            check_query(request.query_params, any_alt=True)
            body = await read_body(request)
            download = await run_in_threadpool(
                plan_computed_pixels, body, self._session(request, caller)
            )
            return await self._pixels(request, "image:computePixels", download)

    async def _get_asset_pixels(self, request: Request) -> Response:
        with self._admission.admitted(request, is_of_project=False) as caller:
            check_query(request.query_params, any_alt=True)
            body = await read_body(request)
            session = self._session(request, caller)
            name = asset_name_in(request)
            if session.find(asset_id_of(name)) is None:
                raise no_such_asset(session, name)
            download = await run_in_threadpool(plan_asset_pixels, body, name, session)
            return await self._pixels(request, "assets.getPixels", download)

    async def _pixels(self, request: Request, operation: str, download: Download) -> Response:
        """Compute and return the body of a download."""
        armed = self.faults.take(operation, possible_damages(download))
        damage = armed.fault if armed else None
        if isinstance(damage, Damage):
            request.state.fault = damage
        what = damage.what if isinstance(damage, Damage) else None
        self._settings.quotas.check_pixels(download.pixel_count)
        settings = self._settings
        body = await run_in_threadpool(render, download, settings.clock(), settings.encoding, what)
        disposition = f"attachment; filename={body.filename}"
        return Response(
            body.content, media_type=body.media_type, headers={"Content-Disposition": disposition}
        )

    async def _compute_value(self, request: Request) -> Response:
        with self._admission.admitted(request) as caller:
            check_query(request.query_params)
            body = await read_body(request)
            result = await run_in_threadpool(compute_value, body, self._session(request, caller))
        return as_document({"result": result}, request)

    async def _refuse_path(self, request: Request) -> Response:
        raise not_found(
            f"The Earth Engine emulator does not serve {request.method} {request.url.path}."
        )


def _logged(operation: str, request: Request, response: Response) -> LoggedRequest:
    happened: Fault | None = getattr(request.state, "fault", None)
    return LoggedRequest(
        request.method,
        request.url.path,
        operation,
        response.logged_status if isinstance(response, Broken) else response.status_code,
        happened.kind if happened else None,
        request.query_params.get("workloadTag"),
        tuple(sorted(getattr(request.state, "asked", ()))),
        getattr(request.state, "profile", None),
    )
