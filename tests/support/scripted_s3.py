"""An S3 server that keeps nothing: it remembers what it was asked, and answers as a script says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
from botocore.config import Config

from airflow_provider.earthengine.download.bucket.client_config import CLIENT_CONFIG
from tests.support.loopback_server import LoopbackServer, QuietHandler, serving
from tests.support.s3_relay import S3Request

_SAID = ("if-match", "if-none-match", "content-type", "x-amz-")
# Of each request's signature.
_OF_THE_CLIENT = ("x-amz-date", "x-amz-content-sha256", "x-amz-user-agent")


@dataclass(frozen=True)
class Asked:
    """A request, as far as it is ours.

    :param key: with the bucket.
    :param says: conditions, checksums, metadata and what kind of content it is.
    """

    operation: str
    key: str
    query: dict[str, str]
    says: dict[str, str]
    content: bytes


@dataclass(frozen=True)
class Answer:
    """What the server answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""


def refusal(code: str, status: int, message: str = "no") -> Answer:
    """Return S3's answer that says no."""
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, {}, text.encode())


USUAL: dict[str, Answer] = {
    "GetObject": Answer(200, {"ETag": '"of-get"'}, b"content"),
    "HeadObject": Answer(
        200, {"ETag": '"of-head"', "Content-Length": "7", "x-amz-meta-sha256": "abc"}
    ),
    "PutObject": Answer(200, {"ETag": '"of-put"'}),
    "DeleteObject": Answer(204),
    "CreateMultipartUpload": Answer(
        content=b"<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
        b"</InitiateMultipartUploadResult>"
    ),
    "UploadPart": Answer(200, {"ETag": '"of-part"'}),
    "CompleteMultipartUpload": Answer(
        content=b"<CompleteMultipartUploadResult><ETag>&quot;of-all&quot;</ETag>"
        b"</CompleteMultipartUploadResult>"
    ),
    "AbortMultipartUpload": Answer(204),
    "ListObjectsV2": Answer(content=b"<ListBucketResult></ListBucketResult>"),
}


Script = Callable[[Asked], Answer | None]


@dataclass
class ScriptedS3:
    """A running server.

    :param script: its answer to a request; None is the usual one.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: Script = lambda _: None

    def client(self) -> Any:
        """Return a client as the operator's, that asks once."""
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            "s3", endpoint_url=self.url, region_name="eu-west-1",
            aws_access_key_id="key", aws_secret_access_key="not a secret",
            config=CLIENT_CONFIG.merge(once),
        )  # fmt: skip

    def answer(self, request: S3Request, content: bytes) -> Answer:
        target = urlsplit(request.target)
        asked = Asked(
            request.operation,
            unquote(target.path).lstrip("/"),
            dict(parse_qsl(target.query, keep_blank_values=True)),
            {
                name: value for name, value in request.headers.items()
                if name.startswith(_SAID) and name not in _OF_THE_CLIENT
            },
            content,
        )  # fmt: skip
        self.asked.append(asked)
        return self.script(asked) or USUAL[asked.operation]


@contextmanager
def scripted_s3() -> Iterator[ScriptedS3]:
    """Serve on a free loopback port while the block runs."""
    running = ScriptedS3()

    class Handler(QuietHandler):
        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = running.answer(S3Request(self.command, self.path, headers), content)
            self.send_response_only(answer.status)
            sent = b"" if self.command == "HEAD" else answer.content
            for name, value in {"Content-Length": str(len(sent)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._answer)
    server = LoopbackServer(Handler)
    running.url = f"http://127.0.0.1:{server.port}"
    with serving(server):
        yield running
