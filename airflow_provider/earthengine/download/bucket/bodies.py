"""The body of an object -> bytes in memory or elsewhere: in chunks, never more than expected."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.response import StreamingBody

_CHUNK_BYTE_COUNT = 1 << 20


def copy_body(body: StreamingBody, write: Callable[[bytes], object]) -> str:
    """Pass a body on in chunks, close it, and return its sha256."""
    digest = hashlib.sha256()
    with body:
        for chunk in body.iter_chunks(_CHUNK_BYTE_COUNT):
            digest.update(chunk)
            write(chunk)
    return digest.hexdigest()


def read_body(body: StreamingBody, most: int) -> bytes:
    """Return the first ``most`` bytes of a body, or all of a shorter one, and close it."""
    content = bytearray()
    with body:
        for chunk in body.iter_chunks(_CHUNK_BYTE_COUNT):
            content += chunk
            if len(content) >= most:
                break
    return bytes(content[:most])
