"""How many threads compress a raster: what they hold at once is bounded."""

import pytest

from airflow_provider.earthengine.download.raster.cog import thread_count


@pytest.mark.parametrize(
    ("band_count", "dtype", "threads"),
    [
        (1, "uint8", 2),
        (13, "uint16", 2),
        (16, "uint16", 2),
        (17, "uint16", 1),
        (4, "float64", 2),
        (5, "float64", 1),
        (200, "float64", 1),
    ],
)
def test_rasters_whose_blocks_are_large_are_compressed_by_one_thread(
    band_count: int, dtype: str, threads: int
) -> None:
    assert thread_count(band_count, dtype) == threads
