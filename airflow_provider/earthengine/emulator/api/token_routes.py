"""The paths of Google's token endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_provider.earthengine.emulator.access.admission import Admission, read_body
from airflow_provider.earthengine.emulator.access.tokens import TokenIssuer
from airflow_provider.earthengine.emulator.api.payloads import parse_body

IAM_PATH = "/v1/projects/-/serviceAccounts/{email}:generateAccessToken"


class TokenRoutes:
    """Answer requests for tokens."""

    def __init__(self, tokens: TokenIssuer, admission: Admission) -> None:
        self._tokens = tokens
        self._admission = admission

    def served(self) -> list[tuple[str, str, str, Callable[[Request], Awaitable[Response]]]]:
        """Return method, path, operation and handler of each path."""
        return [
            ("POST", "/token", "token", self._issue),
            ("POST", "/sts/v1/token", "token", self._exchange),
            ("POST", IAM_PATH, "token", self._impersonate),
        ]

    async def _issue(self, request: Request) -> Response:
        form = await _read_form(request)
        audience = str(request.url.replace(query=""))
        return JSONResponse(await run_in_threadpool(self._tokens.issue, form, audience))

    async def _exchange(self, request: Request) -> Response:
        form = await _read_form(request)
        return JSONResponse(await run_in_threadpool(self._tokens.exchange, form))

    async def _impersonate(self, request: Request) -> Response:
        caller = self._admission.caller(request)
        body = parse_body(await read_body(request), ["scope", "lifetime"], ["delegates"])
        email = request.path_params["email"]
        return JSONResponse(self._tokens.impersonate(caller, email, body))


async def _read_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await read_body(request)).decode("utf-8", "replace")))
