"""GeoTIFFs as Earth Engine sends them, with another last block than their own."""

from __future__ import annotations

import struct
from pathlib import Path

_TILE_OFFSETS, _TILE_BYTE_COUNTS = 324, 325
_ENTRY_BYTE_COUNT, _LONG = 12, 4


def with_last_block(path: Path, block: bytes) -> bytes:
    """Return a big-endian classic TIFF of several tiles with other bytes for its last one."""
    content = bytearray(path.read_bytes())
    assert content[:4] == b"MM\0*"
    (start,) = struct.unpack_from(">I", content, 4)
    values = {_TILE_OFFSETS: len(content), _TILE_BYTE_COUNTS: len(block)}
    for number in range(*struct.unpack_from(">H", content, start)):
        place = start + 2 + _ENTRY_BYTE_COUNT * number
        code, kind, count, values_start = struct.unpack_from(">HHII", content, place)
        if code in values:
            assert kind == _LONG
            assert count > 1
            struct.pack_into(">I", content, values_start + 4 * (count - 1), values.pop(code))
    assert values == {}
    return bytes(content) + block
