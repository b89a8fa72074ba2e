"""Bodies that were made to hurt whoever reads them: zips, TIFFs and NPY files."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

BANDS = ("B3", "B11")
WIDTH, HEIGHT = 300, 200
TRANSFORM = (10.0, 0.0, 499980.0, 0.0, -10.0, 4200000.0)
_SHORT, _LONG = 3, 4


@dataclass(frozen=True)
class Body:
    """What a server may send as a download of this format."""

    name: str
    file_format: str
    content: bytes


def geotiff(count: int = 1) -> bytes:
    """A right GeoTIFF."""
    values = np.arange(count * HEIGHT * WIDTH, dtype="uint16").reshape(count, HEIGHT, WIDTH)
    profile: dict[str, Any] = {
        "driver": "GTiff", "count": count, "height": HEIGHT, "width": WIDTH, "dtype": "uint16",
        "crs": "EPSG:32610", "transform": Affine(*TRANSFORM), "compress": "deflate",
        "tiled": True, "blockxsize": 256, "blockysize": 256,
    }  # fmt: skip
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(values)
        return bytes(memory.read())


def zipped(members: Sequence[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def right_zip() -> bytes:
    """A right zip of one GeoTIFF a band."""
    return zipped([(f"scene.{band}.tif", geotiff()) for band in BANDS], zipfile.ZIP_STORED)


def right_npy() -> bytes:
    """A right NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((HEIGHT, WIDTH), [(band, "<u2") for band in BANDS]))
    return buffer.getvalue()


def deflated_zeros(mebibytes: int) -> bytes:
    """Zeros as a zlib stream, a thousandth of their length."""
    packer = zlib.compressobj(9)
    chunks = [packer.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join([*chunks, packer.flush()])


def tiff(
    tags: dict[int, tuple[int, int, int]], block: bytes = b"", next_directory: int = 0
) -> bytes:
    """A little-endian TIFF with one directory.

    :param tags: number -> (type, count, value or offset). The block is at byte 8; -1 stands for
        the place of the directory itself.
    """
    start = 8 + len(block) + len(block) % 2
    entries = b"".join(
        struct.pack("<HHII", number, kind, count, value & 0xFFFFFFFF)
        for number, (kind, count, value) in sorted(tags.items())
    )
    follows = start if next_directory < 0 else next_directory
    head = struct.pack("<2sHI", b"II", 42, start) + block + b"\0" * (len(block) % 2)
    return head + struct.pack("<H", len(tags)) + entries + struct.pack("<I", follows)


def tiff_tags(**changes: int) -> dict[int, tuple[int, int, int]]:
    """The tags of a deflated uint8 image in one tile, with changes by name."""
    values = {
        "width": 256, "height": 256, "samples": 1, "tile_width": 256, "tile_height": 256,
        "offset": 8, "byte_count": 1000, "blocks": 1, "compression": 8,
    } | changes  # fmt: skip
    return {
        256: (_LONG, 1, values["width"]),
        257: (_LONG, 1, values["height"]),
        258: (_SHORT, 1, 8),
        259: (_SHORT, 1, values["compression"]),
        262: (_SHORT, 1, 1),
        277: (_SHORT, 1, values["samples"]),
        284: (_SHORT, 1, 1),
        322: (_LONG, 1, values["tile_width"]),
        323: (_LONG, 1, values["tile_height"]),
        324: (_LONG, values["blocks"], values["offset"]),
        325: (_LONG, values["blocks"], values["byte_count"]),
    }


def hostile_tiffs() -> Iterator[tuple[str, bytes]]:
    pixels = zlib.compress(bytes(256 * 256))
    length = len(pixels)
    far = 0x7FFFFFF0
    for name, changes in {
        "huge dimensions": {"width": far, "height": far},
        "wide": {"width": far},
        "all zero": {"width": 0, "height": 0},
        "huge tiles": {"tile_width": 1 << 20, "tile_height": 1 << 20},
        "tiles beyond all bounds": {"tile_width": far - far % 16, "tile_height": far - far % 16},
        "many samples": {"samples": 65535},
        "huge tag count": {"blocks": far},
        "offset beyond the file": {"offset": far},
        "block beyond the file": {"byte_count": far},
        "unknown compression": {"compression": 4321},
        "tiny tiles of a huge image": {
            "width": 1 << 16, "height": 1 << 16, "tile_width": 16, "tile_height": 16,
        },
    }.items():  # fmt: skip
        yield name, tiff(tiff_tags(**{"byte_count": length, **changes}), pixels)
    yield "a loop of directories", tiff(tiff_tags(byte_count=length), pixels, -1)
    bomb = deflated_zeros(128)
    yield "a block that is a bomb", tiff(tiff_tags(byte_count=len(bomb)), bomb)
    yield "no directory", struct.pack("<2sHI", b"II", 42, far)
    yield "nothing", b"II*\0"
    yield "a chain of directories", _chain(tiff_tags(byte_count=length), pixels, 100_000)


def _chain(tags: dict[int, tuple[int, int, int]], block: bytes, count: int) -> bytes:
    """A right directory, and behind it as many of one tag, each naming the next."""
    first = tiff(tags, block)
    place = len(first)
    parts = [first[:-4], struct.pack("<I", place)]
    for _ in range(count):
        place += 18
        parts.append(struct.pack("<HHHIII", 1, 256, _LONG, 1, 1, place))
    return b"".join(parts)


def hostile_zips() -> Iterator[tuple[str, bytes]]:
    names = [f"scene.{band}.tif" for band in BANDS]
    bomb = zipped([(name, bytes(64 << 20)) for name in names])
    yield "a bomb", bomb
    yield "a bomb that hides its size", _with_directory_sizes(bomb, 1000)
    yield "a zip in a zip", zipped([(name, right_zip()) for name in names])
    yield "members over one another", _overlapping(1000)
    yield "20,000 members", zipped([(f"{number}.tif", b"") for number in range(20_000)])
    yield "60,000 members", zipped([(f"{number}.tif", b"") for number in range(60_000)])
    yield "LZMA", zipped([(name, geotiff()) for name in names], zipfile.ZIP_LZMA)
    yield "BZIP2", zipped([(name, geotiff()) for name in names], zipfile.ZIP_BZIP2)
    yield "encrypted", _with_flags(right_zip(), 1)
    yield (
        "a directory that is not there",
        right_zip()[:-22]
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, 0x7FFFFFFF, 0x7FFFFFFF, 0),
    )
    yield "members that are bombs", zipped([(name, _bomb_tiff()) for name in names])
    yield "long names", zipped([("x" * 65_000 + f"{number}.tif", b"") for number in range(20)])


def _bomb_tiff() -> bytes:
    return tiff(tiff_tags(width=0x7FFFFFF0, height=0x7FFFFFF0), b"x" * 1000)


def _with_directory_sizes(content: bytes, byte_count: int) -> bytes:
    """The same zip, whose directory gives every member this unpacked size."""
    changed, place = bytearray(content), content.find(b"PK\x01\x02")
    while place >= 0:
        changed[place + 24 : place + 28] = struct.pack("<L", byte_count)
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def _with_flags(content: bytes, flags: int) -> bytes:
    changed, place = bytearray(content), content.find(b"PK\x01\x02")
    while place >= 0:
        changed[place + 8] |= flags
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def _overlapping(count: int) -> bytes:
    """One packed mebibyte, named so many times. See https://www.bamsoftware.com/hacks/zipbomb/."""
    one = zipped([("scene.B3.tif", bytes(1 << 20))])
    end = one.rfind(b"PK\x05\x06")
    directory = one[one.find(b"PK\x01\x02") : end]
    entries = b"".join(
        directory.replace(b"scene.B3.tif", f"s{number:07}.tif".encode()) for number in range(count)
    )
    local = one[: one.find(b"PK\x01\x02")]
    return local + entries + struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), len(local), 0
    )  # fmt: skip


def npy_with_header(header: str, body: bytes = bytes(100)) -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + body


def hostile_npys() -> Iterator[tuple[str, bytes]]:
    fields = "[('B3', '<u2'), ('B11', '<u2')]"
    for name, descr, shape in [
        ("a huge shape", fields, "(1099511627776, 1099511627776)"),
        ("a shape that overflows", fields, f"({2**62}, {2**62})"),
        ("a negative shape", fields, "(-1, 300)"),
        ("three dimensions", fields, "(1, 5, 5)"),
        ("no dimension", fields, "()"),
        ("objects", "'|O'", "(200, 300)"),
        ("object fields", "[('B3', '|O'), ('B11', '|O')]", "(1, 1)"),
        ("texts", "[('B3', '<U1'), ('B11', '<U1')]", "(1, 1)"),
        ("nothing, often", "[('B3', '|S0'), ('B11', '|S0')]", "(200, 300)"),
        ("arrays in pixels", "[('B3', '<u2', (1000000,)), ('B11', '<u2')]", "(200, 300)"),
        ("dates", "[('B3', '<M8[s]'), ('B11', '<M8[s]')]", "(1, 1)"),
        ("complex numbers", "[('B3', '<c8'), ('B11', '<c8')]", "(2, 3)"),
        ("an unknown type", "'<z9'", "(200, 300)"),
    ]:
        head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
        yield name, npy_with_header(head, bytes(WIDTH * HEIGHT * 4))
    yield "code for a header", npy_with_header("__import__('os').abort()\n")
    yield "a deep header", npy_with_header("(" * 9000 + ")" * 900)
    yield "a long header", npy_with_header(" " * 3_000_000)
    yield "a header beyond the file", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{"
    yield "an unknown version", b"\x93NUMPY\x09\x09\x00\x00"
    yield "nothing", b"\x93NUMPY"


def hostile_bodies() -> list[Body]:
    """Everything that is hostile by design."""
    return [
        *(Body(name, "GEO_TIFF", content) for name, content in hostile_tiffs()),
        *(Body(name, "ZIPPED_GEO_TIFF_PER_BAND", content) for name, content in hostile_zips()),
        *(Body(name, "NPY", content) for name, content in hostile_npys()),
    ]


def damaged_bodies(seed: int, count: int) -> Iterator[Body]:
    """Right bodies that were cut, or in which some bits were flipped."""
    right = [
        ("GEO_TIFF", geotiff(2)), ("ZIPPED_GEO_TIFF_PER_BAND", right_zip()), ("NPY", right_npy()),
    ]  # fmt: skip
    dice = random.Random(seed)
    for number in range(count):
        file_format, content = right[number % len(right)]
        changed = bytearray(content)
        if number % 5 == 0:
            del changed[dice.randrange(len(changed)) :]
        else:
            # The directories and headers, where a bit means most, are at the ends.
            reach = dice.choice([64, 512, len(changed)])
            for _ in range(dice.choice([1, 1, 2, 8])):
                place = dice.randrange(min(reach, len(changed)))
                changed[dice.choice([place, -1 - place])] ^= 1 << dice.randrange(8)
        yield Body(f"{seed}/{number}", file_format, bytes(changed))
