"""What a process keeps of its downloads does not grow with their number: no masks, files, threads.

Masking every download's URL, for example, would make each one slower than the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.reliability.many_downloads import sample_downloads


@pytest.fixture
def fields(connections: object, bucket: str) -> dict[str, Any]:
    params = {"bands": ["B1"], "format": "GEO_TIFF", "scale": 2000}
    return {
        "image": "projects/demo/assets/landsat7_olinda",
        "download_params": params,
        "s3_bucket": bucket,
    }


@pytest.mark.slow
@pytest.mark.xdist_group("a thousand downloads")
def test_a_thousand_downloads_in_one_process_keep_everything_flat(
    fields: dict[str, Any], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    samples = sample_downloads(fields, count=1000, every=50, scratch=tmp_path)
    warm, late = samples[2:7], samples[-5:]
    assert late[-1].downloads == 1000
    assert {sample.files for sample in late} == {samples[2].files}
    assert {sample.threads for sample in late} == {samples[2].threads}
    first, last = (median(each.seconds for each in some) for some in (warm, late))
    grown = late[-1].memory_byte_count - samples[2].memory_byte_count
    record_property(
        "CPU time per download, around the 250th and the 900th",
        f"{first:.3f} s and {last:.3f} s",
    )
    record_property("memory growth over 850 downloads", f"{grown / (1 << 20):.1f} MiB")
    assert median(each.cost for each in late) < 1.3 * median(each.cost for each in warm), samples
    assert grown < 32 << 20, samples
    assert list(tmp_path.iterdir()) == []
