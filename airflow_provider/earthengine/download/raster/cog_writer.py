"""Tiles of pixels, in any order -> a COG that is sent in parts while tiles still arrive.

The blocks wait on disk; see :mod:`cog_blocks`. The file does not depend on the order of tiles or
threads. Blocks stay on disk until the end, even after they are sent: the digest covers the whole
file, which begins with what is known last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from airflow_provider.earthengine.download.raster.cog_blocks import CogBlocks
from airflow_provider.earthengine.download.raster.cog_parts import (
    CogParts,
    PartSink,
    SentCog,
    plan_parts,
)
from airflow_provider.earthengine.download.raster.cog_tags import CogDescription
from airflow_provider.earthengine.exceptions import PlanError


class CogWriter:
    """Writes one COG. Whoever creates it closes it, which removes its files.

    :param compression: one of ``layout.COMPRESSIONS``.
    :param directory: where its files go; one COG at a time uses a directory.
    :param sample: some of its pixels, see :class:`BlockEncoder`.
    :raises PlanError: if a GeoTIFF or an upload cannot hold it.
    :raises OSError: if the disk is full; the methods raise it too.
    """

    def __init__(
        self,
        description: CogDescription,
        compression: str,
        directory: Path,
        sink: PartSink,
        sample: Sequence[npt.NDArray[Any]] | None = None,
    ) -> None:
        self._blocks = CogBlocks(description, compression, directory, sample)
        layout, self._header = self._blocks.layout, self._blocks.header
        full, *overviews = map(layout.max_byte_count, range(len(layout.levels)))
        try:
            plan = plan_parts(self._header.max_byte_count + sum(overviews), full)
        except PlanError:
            self._blocks.close()
            raise
        self._parts = CogParts(self._blocks.spool, plan, sink)
        self._written_header = b""

    def write_tile(self, column: int, row: int, first_band: int, pixels: npt.NDArray[Any]) -> None:
        """Write some bands of a tile, from any thread, and send the parts that it completes.

        See :meth:`CogBlocks.write_tile`.
        """
        self._blocks.write_tile(column, row, first_band, pixels)
        self._parts.send_ready()

    def finish(self) -> SentCog:
        """Send the rest of the COG. All tiles must be written."""
        spool = self._blocks.spool
        if not spool.is_complete():
            raise ValueError("The COG lacks tiles that were not written.")
        start = self._header.byte_count(spool.byte_count)
        places = spool.places_in_cog(start)
        self._blocks.finish()
        self._written_header = self._header.written(places, spool.byte_count)
        return self._parts.finish(self._written_header)

    def send_again(self, sink: PartSink) -> None:
        """Send the finished COG once more, to another sink."""
        self._parts.send_again(self._written_header, sink)

    def read_smallest(self, band: int) -> npt.NDArray[Any] | None:
        """Return a band of the smallest level, see :meth:`CogBlocks.read_smallest`."""
        return self._blocks.read_smallest(band)

    def close(self) -> None:
        """Remove the files."""
        self._blocks.close()
