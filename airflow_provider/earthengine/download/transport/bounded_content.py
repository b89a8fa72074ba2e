"""The content of an HTTP response -> its decoded bytes, in pieces of bounded length.

A kilobyte of gzip can hold a megabyte of zeros, and the libraries below decode all of what they
received at once. So only gzip is accepted, and it is decoded here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import requests
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError, SSLError

ACCEPTED_ENCODING = "gzip"
"""The value of Accept-Encoding that goes with :func:`decoded`."""

_GZIP = frozenset({"gzip", "x-gzip"})
_WITH_GZIP_HEADER = 16 + zlib.MAX_WBITS
_RECEIVED_BYTE_COUNT = 1 << 16


def _count_for_nobody(_: int) -> None:
    pass


def decoded(
    response: requests.Response,
    piece_byte_count: int,
    count: Callable[[int], object] = _count_for_nobody,
) -> Iterator[bytes]:
    """Yield the content in pieces of at most ``piece_byte_count`` bytes.

    :param response: requested with ``stream=True``.
    :param count: called at the end with the number of bytes that arrived, as they were sent.
    :raises requests.RequestException: as ``Response.iter_content`` does, and if the content is
        encoded in any other way than gzip.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in _GZIP:
        received = _received(response, _RECEIVED_BYTE_COUNT, count)
        yield from _inflated(received, piece_byte_count)
    elif encoding in ("", "identity"):
        yield from _received(response, piece_byte_count, count)
    else:
        raise requests.exceptions.ContentDecodingError(
            f"the content is encoded as {encoding[:40]!r}, but only gzip was accepted"
        )


def read_decoded(response: requests.Response, most: int) -> bytes:
    """Return the first ``most`` bytes of the content, or all of a shorter one."""
    pieces: list[bytes] = []
    left = most
    for piece in decoded(response, _RECEIVED_BYTE_COUNT):
        pieces.append(piece[:left])
        left -= len(pieces[-1])
        if not left:
            break
    return b"".join(pieces)


def _received(
    response: requests.Response, piece_byte_count: int, count: Callable[[int], object]
) -> Iterator[bytes]:
    """Yield the content as it was sent; the errors are those of ``Response.iter_content``."""
    raw: Any = response.raw
    byte_count = 0
    try:
        for piece in raw.stream(piece_byte_count, decode_content=False):
            byte_count += len(piece)
            yield piece
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from None
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from None
    except ReadTimeoutError as error:
        raise requests.exceptions.ConnectionError(error) from None
    except SSLError as error:
        raise requests.exceptions.SSLError(error) from None
    finally:
        # urllib3 does not count chunks, and keeps the piece during which a connection is lost.
        count(max(byte_count, raw.tell()))


def _inflated(received: Iterator[bytes], piece_byte_count: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
    has_begun = False
    for packed in received:
        rest = packed
        while rest:
            if inflater.eof:  # Gzip files may follow each other.
                inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
            has_begun = True
            try:
                piece = inflater.decompress(rest, piece_byte_count)
            except zlib.error as error:
                raise requests.exceptions.ContentDecodingError(f"not gzip: {error}") from None
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            if piece:
                yield piece
    if has_begun and not inflater.eof:
        yield from _rest_of(inflater, piece_byte_count)


def _rest_of(inflater: Any, piece_byte_count: int) -> Iterator[bytes]:
    """Yield what the inflater still holds after its last input."""
    while piece := inflater.decompress(inflater.unconsumed_tail, piece_byte_count):
        yield piece
    if not inflater.eof:
        raise requests.exceptions.ChunkedEncodingError("the gzip content ended early")
