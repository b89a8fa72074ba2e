"""The codec floor: what a COG of these pixels costs at least, each step measured alone.

Inflating what Earth Engine sends, the predictor, deflating the blocks and those of the overviews,
one sha256, and the sending: by one thread, with the fastest library that is known for each. The
steps run on a sample of the very pixels, and are scaled to all of them.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from tests.benchmarks.assignment import Assignment, Compression
from tests.benchmarks.scenes import MEBIBYTE, Scene
from tests.support.expected import formula_values

Pixels = npt.NDArray[Any]
T = TypeVar("T")

_SAMPLE_BYTE_COUNT = 160 * MEBIBYTE
_ALIGNMENT = 1024  # so that the first overview has whole blocks, too
_SIDE, _SERVED_SIDE = 512, 256
_PART_BYTE_COUNT = 16 * MEBIBYTE


class _Steps:
    """CPU seconds by the name of the step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, times: float, work: Callable[..., T], *arguments: Any) -> T:
        """Do the work, which stands for ``times`` as much."""
        began = time.thread_time()
        done = work(*arguments)
        spent = (time.thread_time() - began) * times
        self.seconds[name] = self.seconds.get(name, 0.0) + spent
        return done


def measure(assignment: Assignment) -> dict[str, float]:
    """Return the CPU seconds of each step for the whole scene, by name."""
    scene, compression = assignment.scene, assignment.compression
    side, band_count = _sample(scene)
    full = scene.width * scene.height * scene.band_count / (side * side * band_count)
    overviews = full * overview_share(scene)
    steps = _Steps()
    blocks: list[bytes] = []
    compress = _compressor(compression, scene.dtype)
    for band in range(band_count):
        pixels = _band(scene, band, side)
        steps.time("inflate", full, _inflate, _served(pixels))
        # Of an overview: a quarter of the pixels stands for all of its pixels.
        for level, times in ((pixels, full), (_halved(pixels), overviews * 4)):
            for block in _cut(level):
                coded = steps.time("predictor", times, _predicted, block, compression.has_predictor)
                written = steps.time("compress", times, compress, coded)
                if level is pixels:
                    blocks.append(written)
    stored = full + overviews  # the blocks of the sample stand for those of the overviews
    content = b"".join(blocks)
    steps.time("sha256", stored, hashlib.sha256, content)
    _send(assignment, content, steps, stored)
    return steps.seconds


def _sample(scene: Scene) -> tuple[int, int]:
    """Return the side of a square of the scene, and how many of the bands to take."""
    byte_count = min(_SAMPLE_BYTE_COUNT, scene.byte_count)
    pixels = byte_count // (scene.band_count * scene.bytes_per_sample)
    side = max(1, int(pixels**0.5) // _ALIGNMENT) * _ALIGNMENT
    bands = max(1, byte_count // (side * side * scene.bytes_per_sample))
    return side, min(scene.band_count, bands)


def overview_share(scene: Scene) -> float:
    """Return how many pixels the overviews have, per pixel of the full resolution."""
    width, height, total = scene.width, scene.height, 0
    while max(width, height) > _SIDE:
        width, height = -(-width // 2), -(-height // 2)
        total += width * height
    return total / (scene.width * scene.height)


def _band(scene: Scene, band: int, side: int) -> Pixels:
    rows = [
        formula_values(band, scene.dtype, np.arange(top, top + _SIDE)[:, None], np.arange(side))
        for top in range(0, side, _SIDE)
    ]
    return np.concatenate(rows)


def _served(pixels: Pixels) -> list[bytes]:
    """Return the blocks as Earth Engine sends them: deflated, without predictor."""
    return [zlib.compress(block.tobytes(), 1) for block in _cut(pixels, _SERVED_SIDE)]


def _cut(pixels: Pixels, side: int = _SIDE) -> Iterator[Pixels]:
    for top in range(0, pixels.shape[0], side):
        for left in range(0, pixels.shape[1], side):
            yield pixels[top : top + side, left : left + side]


def _halved(pixels: Pixels) -> Pixels:
    if pixels.dtype.kind != "f":
        return np.ascontiguousarray(pixels[::2, ::2])
    halved: Pixels = pixels.reshape(pixels.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
    return halved.astype(pixels.dtype)


def _inflate(bodies: list[bytes]) -> None:
    from isal import isal_zlib

    for body in bodies:
        isal_zlib.decompress(body)


def _predicted(block: Pixels, has_predictor: bool) -> Pixels:
    """Return the block as TIFF's predictors 2 and 3 leave it."""
    if not has_predictor:
        return np.ascontiguousarray(block)
    if block.dtype.kind == "f":
        planes = np.ascontiguousarray(block).view(np.uint8)
        planes = planes.reshape(*block.shape, block.itemsize)[:, :, ::-1]
        block = np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(block.shape[0], -1)
    coded = np.empty_like(block)
    coded[:, 0] = block[:, 0]
    np.subtract(block[:, 1:], block[:, :-1], out=coded[:, 1:])
    return coded


def _compressor(compression: Compression, dtype: str) -> Callable[[Pixels], bytes]:
    from isal import isal_zlib

    if compression.name == "deflate":
        level = 2 if dtype.startswith("float") else 1
        return lambda coded: isal_zlib.compress(coded.data, level)
    if compression.name == "zstd":
        from backports import zstd

        return lambda coded: zstd.compress(coded.data, compression.level)
    return lambda coded: coded.tobytes()


def _send(assignment: Assignment, content: bytes, steps: _Steps, times: float) -> None:
    """Put the parts of an upload, without a digest of any, and drop it."""
    client = assignment.s3_client()
    place = {"Bucket": assignment.bucket, "Key": f"{assignment.prefix}/raster.tif"}
    place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]
    with closing(http.client.HTTPConnection(urlsplit(assignment.s3_url).netloc)) as connection:
        for start in range(0, len(content), _PART_BYTE_COUNT):
            params = place | {"PartNumber": 1 + start // _PART_BYTE_COUNT}
            url = client.generate_presigned_url("upload_part", Params=params)
            target = url.removeprefix(assignment.s3_url)
            part = memoryview(content)[start : start + _PART_BYTE_COUNT]
            steps.time("send", times, _put, connection, target, part)
    client.abort_multipart_upload(**place)


def _put(connection: http.client.HTTPConnection, target: str, part: memoryview) -> None:
    connection.request("PUT", target, part)
    reply = connection.getresponse()
    body = reply.read()
    if reply.status != 200:
        raise OSError(f"the S3 server answered {reply.status}: {body[:300]!r}")
