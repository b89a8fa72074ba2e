"""Bodies made to hurt, and bodies damaged at random: one documented error, in bounds."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from airflow_provider.earthengine.download.client import DownloadId
from airflow_provider.earthengine.download.fetch.body import BodyRequest, fetch_body
from airflow_provider.earthengine.download.raster.verify import verify_body
from airflow_provider.earthengine.exceptions import RasterMismatchError
from tests.reliability.hostile_bodies import (
    Body,
    damaged_bodies,
    geotiff,
    hostile_bodies,
    right_npy,
    right_zip,
)
from tests.reliability.judged_bodies import Verdict, judge_bodies, planned
from tests.support.loopback_server import LoopbackServer, QuietHandler, serving

pytestmark = pytest.mark.slow

# On a free machine a right body takes a hundredth of a second.
MAX_SECONDS = 3.0
MAX_TEXT_LENGTH = 2000


def judge(bodies: list[Body], tmp_path: Path) -> list[Verdict]:
    """Return the verdicts; nothing may have been written beside the place, or crashed."""
    place = tmp_path / "scratch"
    place.mkdir()
    verdicts = judge_bodies(bodies, place)
    assert [verdict for verdict in verdicts if verdict.error is None] == []
    assert [verdict for verdict in verdicts if not verdict.is_documented] == []
    assert [verdict for verdict in verdicts if verdict.seconds > MAX_SECONDS] == []
    assert [verdict for verdict in verdicts if len(verdict.text) > MAX_TEXT_LENGTH] == []
    assert list(tmp_path.iterdir()) == [place]
    written = {path.name for folder in place.iterdir() for path in folder.iterdir()}
    assert written <= {"body", "raster-0.tif", "raster-1.tif"}
    return verdicts


def test_right_bodies_are_accepted_within_the_limits(tmp_path: Path) -> None:
    right = [
        Body("tif", "GEO_TIFF", geotiff(2)),
        Body("zip", "ZIPPED_GEO_TIFF_PER_BAND", right_zip()),
        Body("npy", "NPY", right_npy()),
    ]
    assert [verdict.error for verdict in judge(right, tmp_path)] == ["", "", ""]


def test_bodies_made_to_hurt_are_refused(tmp_path: Path) -> None:
    bodies = hostile_bodies()
    # A longer one would not be fetched to its end.
    bound = {each.file_format: planned(each.file_format).max_body_byte_count for each in bodies}
    assert [each.name for each in bodies if len(each.content) > 3 * bound[each.file_format]] == []
    verdicts = judge(bodies, tmp_path)
    assert [verdict for verdict in verdicts if not verdict.error] == []
    assert {verdict.error for verdict in verdicts} == {"TruncatedBodyError", "RasterMismatchError"}


@pytest.mark.parametrize(("seed", "count"), [(1, 300), (2, 5000)])
def test_bodies_damaged_at_random_meet_a_documented_error_or_are_right(
    tmp_path: Path, seed: int, count: int
) -> None:
    verdicts = judge(list(damaged_bodies(seed, count)), tmp_path)
    refused = [verdict for verdict in verdicts if verdict.error]
    # A flipped pixel of an NPY file, which has no checksum, is a pixel.
    assert len(refused) > count / 3


class Bomber(QuietHandler):
    """Answers with 64 MiB of zeros, packed to 64 KiB."""

    packed = b""

    def do_GET(self) -> None:
        content = self.packed
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Client:
    """An Earth Engine that sends everybody to one URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get_download_id(self, params: Any) -> DownloadId:
        return DownloadId("any")

    def make_download_url(self, download_id: DownloadId) -> str:
        return self._url


def test_a_body_that_unpacks_while_it_travels_is_left_early(tmp_path: Path) -> None:
    bound = 1 << 20
    Bomber.packed = gzip.compress(bytes(64 << 20))
    with serving(LoopbackServer(Bomber)) as server:
        request = BodyRequest({}, "scene", tmp_path / "body", bound, lambda _: None)
        client = Client(f"http://127.0.0.1:{server.port}/")
        tracemalloc.start()
        try:
            with pytest.raises(RasterMismatchError, match="exceeds 1,048,576 bytes"):
                fetch_body(client, request)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert not (tmp_path / "body").exists()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= bound
    assert peak < 16 << 20


def test_numbers_whose_sum_is_none_have_no_mean(tmp_path: Path) -> None:
    path = tmp_path / "body"
    download = planned("GEO_TIFF")
    huge = np.full((2, 200, 300), 1e308)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=2,
        height=200,
        width=300,
        dtype="float64",
        crs="EPSG:32610",
        transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
    ) as dataset:
        dataset.write(huge)
    (facts,) = verify_body(path, download, tmp_path)
    statistics = facts.bands[0].statistics
    assert (statistics.minimum, statistics.mean, statistics.maximum) == (1e308, None, 1e308)
