"""The least that anybody has to do: the same requests, and no care taken of anything."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.assignment import Assignment, Piece
from tests.benchmarks.scenes import CRS, MEBIBYTE, ORIGIN, STEP, Scene

_TILE_BYTE_COUNT = 32 * MEBIBYTE
_MOST_PIXELS_A_SIDE = 10_000
_ALIGNMENT = 512
_PART_BYTE_COUNT = 16 * MEBIBYTE


@dataclass(frozen=True)
class Tile:
    """Pixels of a scene: columns left to left + width, rows top to top + height."""

    left: int
    top: int
    width: int
    height: int


def run(assignment: Assignment, variant: str) -> list[Piece]:
    """Fetch and put, in one of two ways."""
    return _run_raw(assignment) if variant == "raw" else _run_cog(assignment)


def rehearse(assignment: Assignment, _variant: str) -> list[Piece]:
    """Fetch all tiles and keep none."""
    _each_tile(assignment, lambda _number, _tile, _body: None)
    return []


def plan_tiles(scene: Scene) -> list[Tile]:
    """Return the tiles of a scene: as wide as they may be, and as many as there must be.

    All are of about one height, for S3 wants 5 MiB of each part but the last.
    """
    count = -(-scene.width // _MOST_PIXELS_A_SIDE)
    width = -(-scene.width // count // _ALIGNMENT) * _ALIGNMENT
    bytes_per_row = width * scene.band_count * (scene.bytes_per_sample + 1)
    most = min(_MOST_PIXELS_A_SIDE, _TILE_BYTE_COUNT // bytes_per_row)
    height = -(-scene.height // -(-scene.height // most))
    return [
        Tile(left, top, min(width, scene.width - left), min(height, scene.height - top))
        for top in range(0, scene.height, height)
        for left in range(0, scene.width, width)
    ]


def _each_tile(assignment: Assignment, take: Callable[[int, Tile, bytes], Any]) -> list[Any]:
    """Fetch all tiles with equal concurrency; return what ``take`` made of number, tile, body."""

    def work(numbered: tuple[int, Tile]) -> Any:
        number, tile = numbered
        return take(number, tile, _fetch(assignment, tile))

    with ThreadPoolExecutor(assignment.concurrency) as pool:
        return list(pool.map(work, enumerate(plan_tiles(assignment.scene), 1)))


def _fetch(assignment: Assignment, tile: Tile) -> bytes:
    """Return the GeoTIFF of a tile: a request for an id, and one for its pixels."""
    load = {"functionName": "Image.load", "arguments": {"id": {"constantValue": ""}}}
    load["arguments"] = {"id": {"constantValue": assignment.scene.asset_id}}
    grid = {
        "crsCode": CRS,
        "affineTransform": {
            "scaleX": STEP,
            "translateX": ORIGIN[0] + STEP * tile.left,
            "scaleY": -STEP,
            "translateY": ORIGIN[1] - STEP * tile.top,
        },
        "dimensions": {"width": tile.width, "height": tile.height},
    }
    expression = {"result": "0", "values": {"0": {"functionInvocationValue": load}}}
    asked = {"expression": expression, "fileFormat": "GEO_TIFF", "grid": grid}
    host = urlsplit(assignment.earthengine_url).netloc
    connection = http.client.HTTPConnection(host, timeout=300)
    project = f"/v1/projects/{assignment.project}"
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"{project}/thumbnails", json.dumps(asked), headers)
    name = json.loads(_body(connection))["name"]
    connection.request("GET", f"/v1/{name}:getPixels")
    return _body(connection)


def _body(connection: http.client.HTTPConnection) -> bytes:
    reply = connection.getresponse()
    body = reply.read()
    if reply.status != 200:
        raise OSError(f"Earth Engine answered {reply.status}: {body[:300]!r}")
    return body


def _run_raw(assignment: Assignment) -> list[Piece]:
    """Each body becomes a part of one object, as it is."""
    client, key = assignment.s3_client(), f"{assignment.prefix}/raster.bodies"
    place = {"Bucket": assignment.bucket, "Key": key}
    place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]

    def put(number: int, tile: Tile, body: bytes) -> tuple[Tile, int, str]:
        part = client.upload_part(**place, PartNumber=number, Body=body)
        return tile, len(body), part["ETag"]

    put_parts = _each_tile(assignment, put)
    parts = [{"PartNumber": n, "ETag": etag} for n, (_, _, etag) in enumerate(put_parts, 1)]
    client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    return list(_pieces(key, [(tile, size) for tile, size, _ in put_parts]))


def _pieces(key: str, sizes: list[tuple[Tile, int]]) -> Iterator[Piece]:
    start = 0
    for tile, size in sizes:
        yield Piece(key, start, size, tile.left, tile.top, tile.width, tile.height)
        start += size


def _run_cog(assignment: Assignment) -> list[Piece]:
    """The bodies become files, those one COG, and that one object."""

    def write(number: int, tile: Tile, body: bytes) -> tuple[Tile, Path]:
        path = assignment.scratch / f"{number}.tif"
        path.write_bytes(body)
        return tile, path

    files = _each_tile(assignment, write)
    mosaic, cog = assignment.scratch / "mosaic.vrt", assignment.scratch / "raster.tif"
    mosaic.write_text(_mosaic(assignment.scene, files))
    _translate(assignment, mosaic, cog)
    _put_parts(assignment, cog)
    return []


def _mosaic(scene: Scene, files: list[tuple[Tile, Path]]) -> str:
    """Return the text of GDAL's virtual raster that has each tile at its place."""
    name = {"uint16": "UInt16", "float64": "Float64"}[scene.dtype]
    lines = [
        f'<VRTDataset rasterXSize="{scene.width}" rasterYSize="{scene.height}">',
        f"<SRS>{CRS}</SRS>",
        f"<GeoTransform>{ORIGIN[0]}, {STEP}, 0, {ORIGIN[1]}, 0, {-STEP}</GeoTransform>",
    ]
    for band in range(1, scene.band_count + 1):
        lines.append(f'<VRTRasterBand dataType="{name}" band="{band}">')
        for tile, path in files:
            size = f'xSize="{tile.width}" ySize="{tile.height}"'
            lines.append(
                f"<SimpleSource><SourceFilename>{path}</SourceFilename><SourceBand>{band}"
                f'</SourceBand><SrcRect xOff="0" yOff="0" {size}/>'
                f'<DstRect xOff="{tile.left}" yOff="{tile.top}" {size}/></SimpleSource>'
            )
        lines.append("</VRTRasterBand>")
    return "\n".join([*lines, "</VRTDataset>"])


def _translate(assignment: Assignment, source: Path, target: Path) -> None:
    import rasterio
    from rasterio.shutil import copy

    compression, scene = assignment.compression, assignment.scene
    options = {
        "compress": compression.name,
        "level": compression.level,
        "predictor": "YES" if compression.has_predictor else "NO",
        "blocksize": 512,
        # As the provider's, so that the sizes can be compared.
        "overview_resampling": "average" if scene.dtype.startswith("float") else "nearest",
        "bigtiff": "IF_SAFER",
        "num_threads": 1,
    }
    with rasterio.Env(GDAL_CACHEMAX=256 * MEBIBYTE):
        copy(str(source), str(target), driver="COG", **options)


def _put_parts(assignment: Assignment, path: Path) -> None:
    client, key = assignment.s3_client(), f"{assignment.prefix}/raster.tif"
    place = {"Bucket": assignment.bucket, "Key": key}
    place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]

    def put(number: int) -> dict[str, Any]:
        with path.open("rb") as file:
            file.seek((number - 1) * _PART_BYTE_COUNT)
            body = file.read(_PART_BYTE_COUNT)
        part = client.upload_part(**place, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": part["ETag"]}

    count = -(-path.stat().st_size // _PART_BYTE_COUNT)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(put, range(1, count + 1)))
    client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
