"""An HTTP proxy in front of an S3 server, in which single operations can be made to go wrong.

A fault is armed for one operation and a number of times, happens once to each, and is counted; one
that did not happen as often as it should is an error of the test. Requests are passed on as they
came, so that their signatures stay valid.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stack.seaweedfs import SeaweedFS

OPERATIONS = frozenset(
    {"GetObject", "ListObjectsV2", "HeadObject", "CreateMultipartUpload", "UploadPart",
     "CompleteMultipartUpload", "PutObject", "DeleteObject", "AbortMultipartUpload"}
)  # fmt: skip
_ARRIVAL_SECONDS = 0.05
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n<html>Sign in</html\n"


@dataclass(frozen=True)
class Answer:
    """An error answer, and the request is not passed on.

    :param goes_on: every later request, of whatever operation, is answered so too.
    """

    status: int
    code: str
    goes_on: bool = False


@dataclass(frozen=True)
class Page:
    """A page with status 200, as a sign-in page of a proxy would answer; nothing is passed on."""


@dataclass(frozen=True)
class LoseRequest:
    """The connection is reset, and the request is not passed on.

    :param share: after this share of its body was read.
    """

    share: float = 0.0


@dataclass(frozen=True)
class LoseAnswer:
    """The request is passed on and done; the connection is reset after a share of its answer."""

    share: float = 0.0


@dataclass(frozen=True)
class Stall:
    """The request is not passed on, and nothing is answered until the client is gone."""


@dataclass(frozen=True)
class WrongChecksum:
    """The request is passed on; the answer names another SHA-256 than that of the content."""


@dataclass(frozen=True)
class Meanwhile:
    """Something happens before the request is passed on.

    :param holds_others: requests that are sent meanwhile wait for the end of it, too.
    """

    action: Callable[[], None]
    holds_others: bool = False


Fault = Answer | Page | LoseRequest | LoseAnswer | Stall | WrongChecksum | Meanwhile


@dataclass
class Armed:
    """A fault with how often it shall happen and has happened.

    :param sticks: it happens to requests for one object only, the first that it happened to.
    """

    operation: str
    fault: Fault
    times: int
    skip: int
    sticks: bool
    fired: int = 0
    path: str | None = None


@dataclass(frozen=True)
class Request:
    """One request as it came: head without its last empty line, and body."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def operation(self) -> str:
        return operation_of(self.method, self.target)


@dataclass
class S3Proxy:
    """A running proxy.

    :param url: its endpoint.
    :param counts: requests by operation, those that a fault happened to included.
    :param ignores_conditions: the server behind it never learns of If-Match and If-None-Match.
    :param denies_head: every HEAD is answered 403, as to a role that may only write.
    """

    server: SeaweedFS
    url: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    ignores_conditions: bool = False
    denies_head: bool = False
    _armed: list[Armed] = field(default_factory=list)
    _lasting: Answer | None = None
    _meanwhile: asyncio.Lock = field(default_factory=asyncio.Lock)
    # asyncio itself keeps no task alive.
    _tasks: set[Any] = field(default_factory=set)

    @contextmanager
    def fault(
        self,
        operation: str,
        fault: Fault,
        times: int = 1,
        skip: int = 0,
        *,
        sticks: bool = False,
    ) -> Iterator[Armed]:
        """Let a fault happen to requests of an operation in the block.

        :param skip: how many of them are spared first.
        :param sticks: all that it happens to are for one object: files are sent side by side, and
            three faults are to meet three tries of one.
        :raises AssertionError: at the end of the block, unless it happened as often as it should.
        """
        assert operation in OPERATIONS
        armed = Armed(operation, fault, times, skip, sticks)
        self._armed.append(armed)
        try:
            yield armed
        finally:
            self._armed.remove(armed)
            self._lasting = None
        assert armed.fired == times, f"{fault} for {operation} happened {armed.fired} times"

    def take(self, operation: str, path: str) -> Fault | None:
        """Return what happens to this request, counted as happened; None for nothing."""
        self.counts[operation] += 1
        if self.denies_head and operation == "HeadObject":
            return Answer(403, "AccessDenied")
        if self._lasting:
            return self._lasting
        for armed in self._armed:
            if armed.operation != operation or armed.fired == armed.times:
                continue
            if armed.sticks and armed.path not in (None, path):
                continue
            if armed.skip:
                armed.skip -= 1
                return None
            armed.fired += 1
            armed.path = path
            if isinstance(armed.fault, Answer) and armed.fault.goes_on:
                self._lasting = armed.fault
            return armed.fault
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after another."""
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client is gone, or the server is: either way the connection ends.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        fault = self.take(operation_of(method, target), urlsplit(target).path)
        byte_count = int(header(head, "content-length") or 0)
        if header(head, "expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if isinstance(fault, LoseRequest):
            await reader.readexactly(int(byte_count * fault.share))
            return reset(writer)
        request = Request(method, target, head, await reader.readexactly(byte_count))
        match fault:
            case Answer():
                writer.write(error_answer(method, fault))
            case Page():
                writer.write(PAGE)
            case Stall():
                await reader.read()
            case Meanwhile():
                async with self._meanwhile if fault.holds_others else nullcontext():
                    await asyncio.to_thread(fault.action)
                writer.write(await self._pass_on(request))
            case LoseAnswer():
                answer = await self._pass_on(request)
                writer.write(answer[: int(len(answer) * fault.share)])
                await writer.drain()
                # What was sent shall arrive: a reset throws away what is still on its way.
                await asyncio.sleep(_ARRIVAL_SECONDS)
                return reset(writer)
            case WrongChecksum():
                writer.write(with_wrong_checksum(await self._pass_on(request)))
            case None:
                writer.write(await self._pass_on(request))
        await writer.drain()
        return None

    async def _pass_on(self, request: Request) -> bytes:
        """Return the server's answer as it came: one connection a request, read to its end."""
        async with self._meanwhile:
            address = urlsplit(self.server.endpoint_url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            head = self._without_conditions(request) if self.ignores_conditions else request.head
            lines = [line for line in head.split(b"\r\n") if not is_of_connection(line)]
            writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]) + request.body)
            return await reader.read()
        finally:
            writer.close()

    def _without_conditions(self, request: Request) -> bytes:
        """Return the head without conditions, signed anew: they are part of the signature."""
        first, *lines = request.head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        dropped = {"if-match", "if-none-match", "authorization", "x-amz-date", "expect"}
        kept = {name: value for name, value in headers.items() if name.lower() not in dropped}
        if not any(n.lower().startswith("if-") for n in headers):
            return request.head
        url = f"http://{headers['Host']}{request.target}"
        signed = AWSRequest(request.method, url, kept, request.body)
        keys = Credentials(self.server.access_key, self.server.secret_key)
        S3SigV4Auth(keys, "s3", self.server.region).add_auth(signed)
        return "\r\n".join(
            [first, *(f"{name}: {value}" for name, value in signed.headers.items())]
        ).encode()


def operation_of(method: str, target: str) -> str:
    """Return the name that AWS gives to a request."""
    split = urlsplit(target)
    query = parse_qs(split.query, keep_blank_values=True)
    if "uploadId" in query:
        return {
            "PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"
        }[method]  # fmt: skip
    if "uploads" in query:
        return "CreateMultipartUpload"
    if "list-type" in query:
        return "ListObjectsV2"
    return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}.get(
        method, "DeleteObject"
    )


def header(head: bytes, name: str) -> str:
    """Return a header's value, or "" where there is none."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.lower() == name:
            return value.strip()
    return ""


def is_of_connection(line: bytes) -> bool:
    return line.lower().startswith((b"connection:", b"expect:"))


def error_answer(method: str, fault: Answer) -> bytes:
    """Return an answer in S3's form; one to HEAD has no body."""
    text = f"<Error><Code>{fault.code}</Code><Message>armed</Message></Error>"
    body = b"" if method == "HEAD" else text.encode()
    head = f"HTTP/1.1 {fault.status} Armed\r\nContent-Type: application/xml\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def with_wrong_checksum(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if b"x-amz-checksum" not in line.lower()]
    wrong = b"x-amz-checksum-sha256: " + b"A" * 43 + b"="
    return b"\r\n".join([*lines, wrong]) + b"\r\n\r\n" + body


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset rather than in good order."""
    own = writer.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def proxy_to(server: SeaweedFS) -> Iterator[S3Proxy]:
    """Serve on a free loopback port while the block runs."""
    proxy = S3Proxy(server)
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(proxy.serve, "127.0.0.1", 0))
    proxy.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, name="s3-proxy", daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listening.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
