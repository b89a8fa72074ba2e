"""Files -> zip, byte for byte as the real service writes it: stored, UTF-8 names.

Measured on https://github.com/enpotech/mapgen (images/*.zip, made by the real service in 2023-07).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from datetime import datetime

_VERSION = 10
_UTF8_NAMES = 0x0800
_STORED = 0


def write_zip(members: Sequence[tuple[str, bytes]], made_at: datetime) -> bytes:
    """Return a zip file of members, in the given order.

    :param members: (name, content).
    :param made_at: the timestamp of every member, in steps of two seconds.
    """
    time = made_at.hour << 11 | made_at.minute << 5 | made_at.second // 2
    date = (made_at.year - 1980) << 9 | made_at.month << 5 | made_at.day
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for name, content in members:
        encoded = name.encode()
        sizes = (zlib.crc32(content), len(content), len(content), len(encoded), 0)
        fields = (_VERSION, _UTF8_NAMES, _STORED, time, date, *sizes)
        local = struct.pack("<4s5H3I2H", b"PK\3\4", *fields) + encoded
        central = struct.pack("<4s6H3I2H", b"PK\1\2", _VERSION, *fields)
        # No comment, first disk, no attributes, and the offset of the member.
        directory.append(central + struct.pack("<3H2I", 0, 0, 0, 0, offset) + encoded)
        parts += [local, content]
        offset += len(local) + len(content)
    listing = b"".join(directory)
    count = len(members)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(listing), offset, 0)
    return b"".join([*parts, listing, end])
