"""The HTTP surface: which path does what, who may ask, and what is written to the journal.

Bodies are computed in a pool of threads, never in the event loop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider.earthengine.emulator.admin import Admin
from airflow_provider.earthengine.emulator.catalog import Catalog
from airflow_provider.earthengine.emulator.discovery import (
    algorithms_document,
    discovery_document,
)
from airflow_provider.earthengine.emulator.disturbances import Broken, Host, disturb
from airflow_provider.earthengine.emulator.downloads import (
    plan_download,
    possible_damages,
    render,
)
from airflow_provider.earthengine.emulator.expressions import evaluate
from airflow_provider.earthengine.emulator.faults import Damage, Expire, Fault, Faults
from airflow_provider.earthengine.emulator.functions import invoke
from airflow_provider.earthengine.emulator.functions.signatures import Session
from airflow_provider.earthengine.emulator.journal import Journal, LoggedRequest
from airflow_provider.earthengine.emulator.limits import MOST_PAYLOAD_BYTES, payload_too_large
from airflow_provider.earthengine.emulator.payloads import (
    as_result,
    check_query,
    keep_fields,
    parse_body,
    require_image,
    take_text,
    take_texts,
)
from airflow_provider.earthengine.emulator.replies import (
    ApiError,
    bad_field,
    not_found,
    project_denied,
    unauthenticated,
)
from airflow_provider.earthengine.emulator.thumbnails import ThumbnailStore
from airflow_provider.earthengine.emulator.tokens import GrantError, TokenIssuer

logger = logging.getLogger(__name__)

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Settings:
    """What one emulator serves.

    :param project: the one project that callers may use.
    :param require_auth: whether requests without credentials are refused.
    :param clock: seconds since 1970; download ids and tokens expire by it.
    :param admin_token: what clients on other machines need for the admin routes.
    """

    catalog: Catalog
    project: str = "demo"
    require_auth: bool = False
    clock: Callable[[], float] = field(default=time.time)
    admin_token: str | None = None


class Service:
    """The answers of one emulator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thumbnails = ThumbnailStore(settings.clock)
        self._tokens = TokenIssuer(settings.catalog.identities, settings.clock)
        self.journal = Journal()
        self.faults = Faults()
        self.host = Host()

    def application(self) -> Starlette:
        """Returns the ASGI application."""
        project = "/v1/projects/{project}"
        served: list[tuple[str, str, str, Handler]] = [
            ("GET", "/$discovery/rest", "discovery", self._discovery),
            ("GET", f"{project}/algorithms", "algorithms", self._algorithms),
            ("POST", f"{project}/thumbnails", "thumbnails.create", self._create_thumbnail),
            (
                "GET",
                f"{project}/thumbnails/{{thumbnail}}:getPixels",
                "thumbnails.getPixels",
                self._get_pixels,
            ),
            ("POST", f"{project}/value:compute", "value:compute", self._compute_value),
            ("POST", "/token", "token", self._token),
            ("POST", "/sts/v1/token", "token", self._exchange),
            (
                "POST",
                "/v1/projects/-/serviceAccounts/{email}:generateAccessToken",
                "token",
                self._impersonate,
            ),
        ]
        routes = [
            Route(path, partial(self._answer, operation, handler), methods=[method])
            for method, path, operation, handler in served
        ]
        rest = partial(self._answer, "unserved", self._refuse_path)
        admin = Admin(self.journal, self.faults, self._settings.admin_token)
        routes += [*admin.routes(), Route("/{path:path}", rest, methods=_METHODS)]
        return Starlette(routes=routes)

    async def _answer(self, operation: str, handler: Handler, request: Request) -> Response:
        """Answers a request, or lets an armed fault happen to it, and journals it."""
        reply = partial(self._reply, operation, handler, request)
        fault = self.faults.take(operation)
        if fault is None:
            response = await reply()
        else:
            request.state.fault = fault
            response = await disturb(fault, request, reply, self.host)
        happened: Fault | None = getattr(request.state, "fault", None)
        status = response.status_code
        if isinstance(response, Broken):
            status = response.logged_status
        name = happened.kind if happened else None
        self.journal.record(
            LoggedRequest(request.method, request.url.path, operation, status, name)
        )
        return response

    async def _reply(self, operation: str, handler: Handler, request: Request) -> Response:
        """Answers a request, in Google's shape if it is refused."""
        try:
            return await handler(request)
        except ApiError as error:
            response = JSONResponse(error.body(), error.code)
            if error.code == 401:
                response.headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/"'
        except GrantError as error:
            return JSONResponse(error.body(), error.code)
        except Exception:
            logger.exception("%s %s failed", request.method, operation)
            internal = ApiError(500, "INTERNAL", "An internal error has occurred.")
            return JSONResponse(internal.body(), internal.code)
        return response

    async def _discovery(self, request: Request) -> Response:
        check_query(request.query_params, ["version"])
        version = request.query_params.get("version", "v1")
        if version != "v1":
            raise not_found(f"The Earth Engine emulator does not serve version {version!r}.")
        return JSONResponse(discovery_document(str(request.base_url).rstrip("/")))

    async def _algorithms(self, request: Request) -> Response:
        self._admit(request)
        check_query(request.query_params)
        return Response(algorithms_document(), media_type="application/json")

    async def _create_thumbnail(self, request: Request) -> Response:
        caller = self._admit(request)
        check_query(request.query_params, ["workloadTag"])
        body = await _read_body(request)
        document = await run_in_threadpool(self._plan, body, caller)
        return JSONResponse(keep_fields(document, request.query_params.get("fields")))

    def _plan(self, content: bytes, caller: str | None) -> dict[str, Any]:
        """Plans a download and returns it as the API shows a new thumbnail."""
        fields = parse_body(
            content,
            ["expression", "fileFormat", "bandIds", "filenamePrefix"],
            ["name", "visualizationOptions", "grid"],
        )
        image = require_image(self._evaluate(fields, caller))
        download = plan_download(
            image,
            fields.get("fileFormat", "IMAGE_FILE_FORMAT_UNSPECIFIED"),
            take_texts(fields, "bandIds"),
            take_text(fields, "filenamePrefix"),
        )
        thumbnail_id = self._thumbnails.add(download)
        name = f"projects/{self._settings.project}/thumbnails/{thumbnail_id}"
        return {"name": name, **fields}

    async def _get_pixels(self, request: Request) -> Response:
        """Answers whoever holds the id: no credentials are asked for, as on the real service."""
        check_query(request.query_params)
        if request.path_params["project"] != self._settings.project:
            raise not_found("Requested entity was not found.")
        thumbnail_id = request.path_params["thumbnail"]
        if isinstance(getattr(request.state, "fault", None), Expire):
            self._thumbnails.forget(thumbnail_id)
        download = self._thumbnails.get(thumbnail_id)
        damage = self.faults.take("thumbnails.getPixels", possible_damages(download))
        if isinstance(damage, Damage):
            request.state.fault = damage
        what = damage.what if isinstance(damage, Damage) else None
        body = await run_in_threadpool(render, download, self._settings.clock(), what)
        disposition = f"attachment; filename={body.filename}"
        return Response(
            body.content, media_type=body.media_type, headers={"Content-Disposition": disposition}
        )

    async def _compute_value(self, request: Request) -> Response:
        caller = self._admit(request)
        check_query(request.query_params)
        body = await _read_body(request)
        result = await run_in_threadpool(self._compute, body, caller)
        document = {"result": result}
        return JSONResponse(keep_fields(document, request.query_params.get("fields")))

    def _compute(self, content: bytes, caller: str | None) -> Any:
        fields = parse_body(content, ["expression", "workloadTag"])
        return as_result(self._evaluate(fields, caller))

    def _evaluate(self, fields: dict[str, Any], caller: str | None) -> Any:
        if "expression" not in fields:
            raise bad_field("expression", "Expression is required.")
        session = Session(self._settings.catalog, caller, self._settings.clock())
        return evaluate(fields["expression"], partial(invoke, session))

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await _read_body(request)).decode("utf-8", "replace")))
        audience = str(request.url.replace(query=""))
        return JSONResponse(await run_in_threadpool(self._tokens.issue, form, audience))

    async def _exchange(self, request: Request) -> Response:
        form = dict(parse_qsl((await _read_body(request)).decode("utf-8", "replace")))
        return JSONResponse(await run_in_threadpool(self._tokens.exchange, form))

    async def _impersonate(self, request: Request) -> Response:
        caller = self._caller(request.headers.get("authorization"))
        body = parse_body(await _read_body(request), ["scope", "lifetime"], ["delegates"])
        email = request.path_params["email"]
        return JSONResponse(self._tokens.impersonate(caller, email, body))

    async def _refuse_path(self, request: Request) -> Response:
        raise not_found(
            f"The Earth Engine emulator does not serve {request.method} {request.url.path}."
        )

    def _admit(self, request: Request) -> str | None:
        """Returns who asks (None if anonymous).

        :raises ApiError: 401 for unknown or missing credentials, 403 for another project.
        """
        caller = self._caller(request.headers.get("authorization"))
        project = request.path_params["project"]
        for wanted in (project, request.headers.get("x-goog-user-project", project)):
            if wanted != self._settings.project:
                raise project_denied(wanted)
        return caller

    def _caller(self, authorization: str | None) -> str | None:
        if authorization is None:
            if self._settings.require_auth:
                raise unauthenticated("Request is missing required authentication credential.")
            return None
        scheme, _, token = authorization.partition(" ")
        email = self._tokens.email_of(token) if scheme.lower() == "bearer" else None
        if email is None:
            raise unauthenticated("Request had invalid authentication credentials.")
        return email


async def _read_body(request: Request) -> bytes:
    """Returns a request's body; one above the limit is read to its end but not kept."""
    chunks: list[bytes] = []
    byte_count = 0
    async for chunk in request.stream():
        byte_count += len(chunk)
        if byte_count <= MOST_PAYLOAD_BYTES:
            chunks.append(chunk)
    if byte_count > MOST_PAYLOAD_BYTES:
        raise payload_too_large()
    return b"".join(chunks)
