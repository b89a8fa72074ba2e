"""Armed faults on the wire: resets, cuts, stalls and wrong answers."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from airflow_provider.earthengine.emulator.access.quotas import TOO_MANY_REQUESTS
from airflow_provider.earthengine.emulator.faults.armed import (
    Answer,
    ArmedFault,
    Cut,
    Empty,
    Fault,
    Flip,
    Html,
    Latency,
    Refuse,
    Reset,
    Stall,
    Status,
)
from airflow_provider.earthengine.emulator.replies import ApiError

# Sources: https://cloud.google.com/apis/design/errors (names of codes, 2025-08); the text of 429 is
# the real service's, seen in a public traceback.
_STATUSES = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: (
        "RESOURCE_EXHAUSTED",
        TOO_MANY_REQUESTS,
    ),
    500: ("INTERNAL", "An internal error has occurred"),
    502: ("UNAVAILABLE", "Bad Gateway"),
    503: ("UNAVAILABLE", "The service is currently unavailable."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}
#: The status of requests whose client left before the answer, as nginx logs it; never sent.
CLIENT_GONE = 499
_ARRIVAL_SECONDS = 0.05
_NAP_SECONDS = 0.05
_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>"

Reply = Callable[[], Awaitable[Response]]


class Host:
    """What the faults need from the HTTP server that they happen in.

    :param close_door: refuses new connections for a number of seconds; None if that is impossible.
    """

    def __init__(self) -> None:
        self.close_door: Callable[[float], None] | None = None
        self.is_stopping = False

    async def sleep(self, seconds: float, armed: ArmedFault, transport: asyncio.Transport) -> bool:
        """Wait, at most until the fault is released or the client is gone.

        :returns: False if the server stops, or the client is gone.
        """
        end = time.monotonic() + seconds
        # Not an asyncio.Event: another thread stops the server.
        while not (self.is_stopping or armed.is_released or transport.is_closing()):
            if (left := end - time.monotonic()) <= 0:
                break
            await asyncio.sleep(min(left, _NAP_SECONDS))
        return not (self.is_stopping or transport.is_closing())


async def disturb(armed: ArmedFault, request: Request, reply: Reply, host: Host) -> Response:
    """Return the answer to a request that a fault happens to.

    :param reply: computes the answer without the fault.
    """
    fault = armed.fault
    if isinstance(fault, Latency):
        transport: asyncio.Transport = request.scope["state"]["transport"]
        await host.sleep(fault.seconds, armed, transport)
        if transport.is_closing():
            # An answer to nobody must not meet faults that were armed since.
            return Response(status_code=CLIENT_GONE)
    if isinstance(fault, Refuse) and host.close_door is not None:
        host.close_door(fault.seconds)
    answer = _instead(fault, request, host)
    return _changed(await reply(), armed, host) if answer is None else answer


def _instead(fault: Fault, request: Request, host: Host) -> Response | None:
    """Return the answer of a fault that needs no computation; None for other faults."""
    match fault:
        case Status():
            return _error(fault, request)
        case Html():
            return Response(_PAGE, media_type="text/html")
        case Empty():
            return Response(b"")
        case Answer():
            return Response(fault.body, fault.code, media_type="application/json")
        case Refuse() | Reset(share=None):
            return Broken(Response(b""))
    return None


def _changed(response: Response, armed: ArmedFault, host: Host) -> Response:
    """Return an answer, changed by a fault."""
    match fault := armed.fault:
        case Flip():
            return _with_body(response, lambda body: _flipped(body, fault.count))
        case Cut(tells_length=False):
            return _with_body(response, lambda body: body[: round(len(body) * fault.share)])
        case Reset() | Cut():
            return Broken(response, fault)
        case Stall():
            return Broken(response, fault, partial(host.sleep, fault.seconds, armed))
    return response


def _error(fault: Status, request: Request) -> Response:
    status, usual = _STATUSES.get(fault.code, ("UNKNOWN", "Unknown error."))
    message = usual if fault.message is None else fault.message
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if request.url.path.endswith("/token"):
        grant = {"error": fault.reason or "internal_failure", "error_description": message}
        return JSONResponse(grant, fault.code, headers)
    body = ApiError(fault.code, status, message).body()
    if fault.reason is not None:
        cause = {"domain": "usageLimits", "reason": fault.reason, "message": message}
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": fault.reason,
            "domain": "googleapis.com",
        }
        body["error"] |= {"errors": [cause], "details": [detail]}
    return JSONResponse(body, fault.code, headers)


def _with_body(response: Response, change: Callable[[bytes], bytes]) -> Response:
    """Return the same answer with another body and its length."""
    body = change(bytes(response.body))
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, response.status_code, headers)


def _flipped(body: bytes, count: int) -> bytes:
    turned = bytearray(body)
    for number in range(count if turned else 0):
        turned[(2 * number + 1) * len(turned) // (2 * count)] ^= 0xFF
    return bytes(turned)


class Broken(Response):
    """An answer that does not end properly.

    :param fault: None for one that does not even start.
    :param pause: the wait of a stall; returns whether to send the rest.
    """

    def __init__(
        self,
        whole: Response,
        fault: Reset | Cut | Stall | None = None,
        pause: Callable[[asyncio.Transport], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__(whole.body, whole.status_code, dict(whole.headers))
        self._fault = fault
        self._pause = pause

    @property
    def logged_status(self) -> int:
        """The status that a client sees; 0 for none."""
        return 0 if self._fault is None else self.status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        if self._fault is None:
            reset(transport)
            return await _gone(receive)
        body = bytes(self.body)
        sent = round(len(body) * (self._fault.share or 0.0))
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": body[:sent], "more_body": True})
        match self._fault:
            case Stall():
                if self._pause and await self._pause(transport):
                    await send({"type": "http.response.body", "body": body[sent:]})
                    return None
                transport.close()
            case Reset():
                # What was sent must arrive first: a reset discards data in transit.
                await asyncio.sleep(_ARRIVAL_SECONDS)
                reset(transport)
            case Cut():
                transport.close()
        return await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset rather than properly."""
    own = transport.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
