"""Admission of requests: credentials, projects and quotas, checked before any computation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from airflow_provider.earthengine.emulator.access.identities import project_of_account
from airflow_provider.earthengine.emulator.access.quotas import Gate
from airflow_provider.earthengine.emulator.access.tokens import TokenIssuer
from airflow_provider.earthengine.emulator.limits import MOST_PAYLOAD_BYTES, payload_too_large
from airflow_provider.earthengine.emulator.replies import project_denied, unauthenticated

# The project that clients name in paths if they were given none: the account's own counts.
# Source: earthengine-api 1.7.50, ee/data.py and ee/_state.py; a request with it carries no
# X-Goog-User-Project.
LEGACY_PROJECT = "earthengine-legacy"


class Admission:
    """Admit callers.

    :param project: the one project that callers may use.
    :param require_auth: whether requests without credentials are refused.
    """

    def __init__(self, tokens: TokenIssuer, project: str, require_auth: bool, gate: Gate) -> None:
        self._tokens = tokens
        self._project = project
        self._require_auth = require_auth
        self.gate = gate

    @contextmanager
    def admitted(self, request: Request, is_of_project: bool = True) -> Iterator[str | None]:
        """Yield the caller, and hold a place in the project's quota in the block."""
        caller = self.admit(request, is_of_project)
        with self.gate.admitted():
            yield caller

    def admit(self, request: Request, is_of_project: bool = True) -> str | None:
        """Return the caller (None if anonymous).

        :param is_of_project: whether the path names the project whose quota is used; assets may
            belong to any project.
        :raises ApiError: 401 for unknown or missing credentials, 403 for another project.
        """
        caller = self.caller(request)
        named = request.headers.get("x-goog-user-project")
        asked = request.path_params["project"] if is_of_project else self._project
        if asked == LEGACY_PROJECT:
            asked = named or project_of_account(caller or "") or LEGACY_PROJECT
        for wanted in (asked, named or asked):
            if wanted != self._project:
                raise project_denied(wanted)
        return caller

    def caller(self, request: Request) -> str | None:
        """Return the owner of a request's bearer token."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            if self._require_auth:
                raise unauthenticated("Request is missing required authentication credential.")
            return None
        scheme, _, token = authorization.partition(" ")
        email = self._tokens.email_of(token) if scheme.lower() == "bearer" else None
        if email is None:
            raise unauthenticated("Request had invalid authentication credentials.")
        return email


async def read_body(request: Request) -> bytes:
    """Return a request's body; one above the limit is read to the end but discarded."""
    chunks: list[bytes] = []
    byte_count = 0
    async for chunk in request.stream():
        byte_count += len(chunk)
        if byte_count <= MOST_PAYLOAD_BYTES:
            chunks.append(chunk)
    if byte_count > MOST_PAYLOAD_BYTES:
        raise payload_too_large()
    return b"".join(chunks)
