"""Where the blocks of a GeoTIFF lie in its file, as GDAL reads its directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rasterio.io import DatasetReader


@dataclass(frozen=True)
class StoredBlock:
    """The position of a block: in its file, in bytes, and in its raster, in blocks."""

    offset: int
    byte_count: int
    row: int
    column: int


def stored_blocks(dataset: DatasetReader) -> Iterator[StoredBlock]:
    """Yield every block of the file; with pixel interleaving, one block holds all bands."""
    interleaved = dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    for band in [1] if interleaved else dataset.indexes:
        for (row, column), _ in dataset.block_windows(band):
            place = f"{column}_{row}"
            offset = dataset.get_tag_item(f"BLOCK_OFFSET_{place}", "TIFF", bidx=band)
            byte_count = dataset.get_tag_item(f"BLOCK_SIZE_{place}", "TIFF", bidx=band)
            if offset and byte_count:  # A block without pixels may be left out of the file.
                yield StoredBlock(int(offset), int(byte_count), row, column)
