"""Downloads by a worker that runs out of something: one sentence, and nothing left in scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reliability.forked_attempts import Attempt
from tests.support.expected import SENTINEL2_ID

pytestmark = pytest.mark.slow

OPTION = "AIRFLOW__EARTHENGINE__SCRATCH_DIRECTORY"
PIXELS = {
    "crs": "EPSG:32610", "dimensions": [700, 600],
    "crs_transform": [10, 0, 499980, 0, -10, 4200000],
}  # fmt: skip
IN_TILES = {"limits": {"tile_byte_count": 100_000, "max_concurrent_requests": 2}}
DOWNLOADS: dict[str, dict[str, Any]] = {
    "a COG in tiles": {"download_params": {"bands": ["B3"], "format": "GEO_TIFF"}, **IN_TILES},
    "a file as served": {
        "download_params": {"bands": ["B3"], "format": "GEO_TIFF"},
        "layout": "as_served",
        "nodata": 7,
    },
    "a zip": {
        "download_params": {"bands": ["B3", "B4"], "format": "ZIPPED_GEO_TIFF_PER_BAND"}
    },
    "an array in tiles": {
        "download_params": {"bands": ["B3", "B4"], "format": "NPY"}, **IN_TILES
    },
}  # fmt: skip
# The least is what every download needs more of; the others end it at later steps, or do not.
LIMITS = {
    "RLIMIT_FSIZE": (0, 5_000, 60_000, 200_000, 700_000),
    # Elsewhere, what lacks a file or memory may be Python's own imports, or abort in GDAL.
    "RLIMIT_NOFILE": (4,),
    "RLIMIT_AS": (4 << 20, 12 << 20),
}
SENTENCES = {
    "RLIMIT_FSIZE": ("(File too large)",),
    "RLIMIT_NOFILE": ("(Too many open files)",),
    "RLIMIT_AS": ("(Cannot allocate memory)", "(can't start new thread)"),
}
CERTAIN = {
    ("a COG in tiles", "RLIMIT_FSIZE", 60_000),
    ("a COG in tiles", "RLIMIT_NOFILE", 4),
    ("a zip", "RLIMIT_AS", 4 << 20),
    ("a zip", "RLIMIT_AS", 12 << 20),
}
CASES = [
    (kind, name, more)
    for kind in DOWNLOADS
    for name, mores in LIMITS.items()
    for more in mores
    if name == "RLIMIT_FSIZE" or (kind, name, more) in CERTAIN
]


@pytest.mark.parametrize(("kind", "name", "more"), CASES)
def test_what_the_worker_lacks_is_said_in_one_sentence_at_whatever_step(
    connections: object, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    kind: str, name: str, more: int,
) -> None:  # fmt: skip
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv(OPTION, str(place))
    download = DOWNLOADS[kind]
    params = {**PIXELS, **download["download_params"]}
    fields = {"image": SENTINEL2_ID, "s3_bucket": bucket, **download, "download_params": params}
    outcome = Attempt(fields, tmp_path, limit=(name, more)).wait()
    if not outcome.uris or (kind, name, more) in CERTAIN:
        assert outcome.error.startswith("ScratchError: ")
        assert any(sentence in outcome.error for sentence in SENTENCES[name]), outcome.error
        assert "\n" not in outcome.error
    assert list(place.iterdir()) == []
