"""Whatever names, prefixes and bands are called: keys stay below ``s3_prefix``, or are refused."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.fields.job import DownloadFields, Job, Worker, read_job
from airflow_provider.earthengine.download.fields.read_params import read_params
from airflow_provider.earthengine.download.plan.grid import PixelGrid
from airflow_provider.earthengine.download.plan.image_info import BandInfo, ImageInfo
from airflow_provider.earthengine.download.plan.requests import plan_download
from airflow_provider.earthengine.exceptions import DownloadParamsError, PermanentError, PlanError

GRID = PixelGrid("EPSG:32610", (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), 3, 2)
MAX_KEY_BYTE_COUNT = 1024

# Text of any kind, and text that means something in a path, a URI or a key.
HOSTILE = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            ["..", ".", "/", "\\", "a", "ä", " ", "%2e%2e", "%2F", ":", "s3://", "?", "#", "\0",
             "\n", "\x7f", "\u202e", "\ud800", "*", ".tif", "a" * 300]
        ),
        max_size=6,
    ).map("".join),
)  # fmt: skip


def job_of(prefix: str, name: str | None, image: Any = "an/asset") -> Job:
    fields = DownloadFields(
        image=image, s3_bucket="bucket", s3_prefix=prefix,
        download_params={} if name is None else {"name": name},
    )  # fmt: skip
    return read_job(fields, "a_dag/run/0", Worker(lambda: None, lambda _: b"", {}))


def keys_of(job: Job, band_ids: list[str]) -> list[str]:
    """Return every key that the download would write."""
    image = ImageInfo(tuple(BandInfo(band_id, "uint8", GRID) for band_id in band_ids), {})
    rasters = plan_download(image, job.params, job.layout).rasters
    return [job.destination.item_key, *(job.destination.key(each.suffix) for each in rasters)]


def assert_plain(key: str, prefix: str) -> None:
    """The key is below the prefix however it is read: as a key, a path or a URI."""
    below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    assert key.startswith(below)
    assert "/" not in key[len(below) :]
    assert key.isprintable()
    assert "\\" not in key[len(below) :]
    assert len(key.encode()) <= MAX_KEY_BYTE_COUNT
    assert posixpath.normpath(f"/{key}") == f"/{key}"
    if not below:
        assert urlsplit(f"s3://bucket/{key}").path == f"/{key}"


@given(prefix=HOSTILE, name=st.none() | HOSTILE, band_ids=st.lists(HOSTILE, min_size=1, max_size=3))
@example(prefix="a", name=None, band_ids=["../../b"])
@example(prefix="a", name=None, band_ids=["B\x00"])
@example(prefix="a" * 900, name="b" * 200, band_ids=["B1"])
def test_keys_never_leave_the_prefix(prefix: str, name: str | None, band_ids: list[str]) -> None:
    try:
        keys = keys_of(job_of(prefix, name), list(dict.fromkeys(band_ids)))
    except PermanentError:
        return
    for key in keys:
        assert_plain(key, prefix)


@given(asset_id=HOSTILE)
@example(asset_id="a/../b\n")
@example(asset_id="a/")
def test_an_asset_id_in_a_program_names_objects_only_if_it_is_one(asset_id: str) -> None:
    load = {"functionName": "Image.load", "arguments": {"id": {"constantValue": asset_id}}}
    image = {"result": "0", "values": {"0": {"functionInvocationValue": load}}}
    for key in keys_of(job_of("a/b", None, image), ["B1"]):
        assert_plain(key, "a/b")


@pytest.mark.parametrize("band_id", ["a/b", "..", "a..b", "", "B\n", "B?x", "B#", "\\", "B%2F"])
def test_a_band_that_cannot_name_an_object_is_told_what_to_do(band_id: str) -> None:
    with pytest.raises(PlanError, match=r"rename it in the image.*or use format GEO_TIFF"):
        keys_of(job_of("a", None), [band_id])


@pytest.mark.parametrize(
    "band_id", ["B1", "B1_mean", "a b", "2021.NDVI", "Band(1)", "größe", "b-1"]
)
def test_names_that_are_only_unusual_are_fine(band_id: str) -> None:
    assert keys_of(job_of("a", None), [band_id])[1] == f"a/asset.{band_id}.tif"


def test_a_band_may_have_any_name_where_it_names_no_object() -> None:
    image = ImageInfo((BandInfo("a/b", "uint8", GRID),), {})
    assert plan_download(image, read_params({"format": "GEO_TIFF"}), "as_served").rasters


def test_a_key_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(DownloadParamsError, match=r"1,0\d\d bytes.*shorten s3_prefix or name"):
        assert job_of("ä" * 500, "b" * 60).destination.item_key
