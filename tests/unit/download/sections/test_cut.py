"""A download is cut into sections that cover it once, in parts that S3 takes; or refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.requests import Download, plan_download
from airflow_provider.earthengine.download.sections.cut import cut_sections
from airflow_provider.earthengine.exceptions import PlanError

MANY = DownloadLimits(max_requests=10**9)


def download_of(
    width: int, height: int, bands: int = 1, dtype: str = "uint16", *, apart: bool = False,
    limits: DownloadLimits = MANY,
) -> Download:  # fmt: skip
    grid = PixelGrid("EPSG:32601", (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), width, height)
    infos = tuple(BandInfo(f"b{number}", dtype, grid) for number in range(bands))
    file_format = "ZIPPED_GEO_TIFF_PER_BAND" if apart else "GEO_TIFF"
    params: DownloadParams = read_params({"format": file_format})
    return plan_download(ImageInfo(infos, {}, None), params, "cog", None, limits)


SIDES = st.integers(1, 9_000)


@given(SIDES, SIDES, st.integers(1, 5), st.integers(1, 40), st.booleans(), st.integers(18, 25))
def test_sections_cover_each_raster_once_from_its_top(
    width: int, height: int, bands: int, requests: int, apart: bool, power: int
) -> None:
    limits = replace(MANY, tile_byte_count=2**power)
    download = download_of(width, height, bands, apart=apart, limits=limits)
    plan = cut_sections(download, requests)
    assert sorted(t.name for s in plan.sections for t in s.tiles) == sorted(
        tile.name for tile in download.tiles
    )
    for raster in range(len(download.rasters) if download.tiles else 0):
        mine = list(plan.of_raster(raster))
        assert mine[0][0].first_row == 0
        assert mine[-1][0].end_row == -(-height // 512)
        for (section, parts), (following, next_parts) in pairwise(mine):
            assert section.end_row == following.first_row
            assert parts.first + parts.count == next_parts.first
        assert mine[0][1].first == plan.head_part_counts[raster] + 1
        assert plan.head_part_counts[raster] >= 1
        assert all(parts.count >= 1 for _, parts in mine)
    for section in plan.sections:
        inner = range(section.first_row + 1, section.end_row)
        # More than asked for only if no edge of blocks lies between its tiles.
        assert len(section.tiles) <= requests or all(
            any(tile.row < edge * 512 < tile.row + tile.height for tile in section.tiles)
            for edge in inner
        )
        assert all(
            section.first_row * 512 <= tile.row < tile.row + tile.height <= section.end_row * 512
            for tile in section.tiles
        )


def parts_of(plan: Any) -> int:
    return int(plan.head_part_counts[0] + sum(parts.count for _, parts in plan.of_raster(0)))


@pytest.mark.slow
def test_a_raster_near_the_limit_of_an_object_has_fewer_parts_than_an_upload_holds() -> None:
    # 4 x uint16 with overviews and a little for noise: 4.8 TiB.
    download = download_of(700_000, 700_000, 4)
    plan = cut_sections(download, 400)
    assert len(plan.sections) <= 1_024
    assert 5_000 < parts_of(plan) < 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "requests", "named"),
    [
        (
            800_000,
            400,
            r"can take 6,8\d\d,\d{3},\d{3},\d{3} bytes.* at most 5,497,558,138,880;",
        ),
        (400_000, 5_000, r"The largest of \d+ sections can take .* at most 16,106,127,360 .*lower"),
    ],
)
def test_what_s3_cannot_hold_is_refused_with_the_numbers(
    side: int, requests: int, named: str
) -> None:
    download = download_of(side, side, 4)
    with pytest.raises(PlanError, match=named):
        cut_sections(download, requests)


def test_a_download_of_one_request_has_no_section() -> None:
    assert cut_sections(download_of(100, 100), 1).sections == ()
