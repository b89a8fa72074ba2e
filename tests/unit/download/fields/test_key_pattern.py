"""A pattern names each object once, below the prefix, and its item beside them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.fields.destination import Destination
from airflow_provider.earthengine.download.fields.job import (
    DownloadFields,
    Job,
    Worker,
    read_job,
)
from airflow_provider.earthengine.download.fields.key_pattern import read_key_pattern
from airflow_provider.earthengine.exceptions import DownloadParamsError

DAY = datetime(2021, 1, 9, 23, 30, tzinfo=UTC)


def job(pattern: str | None, run: dict[str, Any] | None = None, **fields: Any) -> Job:
    params = {"name": "scene", **fields.pop("download_params", {})}
    given = {"image": "A/b", "s3_bucket": "demo", "s3_prefix": "p/q", **fields}
    worker = Worker(lambda: None, lambda _: b"", run or {"data_interval_start": DAY})
    return read_job(DownloadFields(s3_key=pattern, download_params=params, **given), "g", worker)


def place(pattern: str | None, **fields: Any) -> Destination:
    return job(pattern, **fields).destination


TIF = {"download_params": {"format": "GEO_TIFF"}}


@pytest.mark.parametrize(
    ("pattern", "key", "item"),
    [
        ("{base}.{band}.tif", "scene.B4.tif", "scene.bands.json"),
        ("{base}{suffix}", "scene.B4.tif", "scene.bands.json"),
        ("{base}.{band}{suffix}", "scene.B4.tif", "scene.bands.json"),
        ("2021/2021-01-09/{base}.{band}.tif", "2021/2021-01-09/scene.B4.tif",
         "2021/2021-01-09/scene.bands.json"),
        ("year={year}/month={month}/day={day}/{base}_{band}.tif",
         "year=2021/month=01/day=09/scene_B4.tif", "year=2021/month=01/day=09/scene.bands.json"),
        ("{base}/{band}.tif", "scene/B4.tif", "scene/scene.bands.json"),
        ("band={band}/date={date}/{base}.tif", "band=B4/date=2021-01-09/scene.tif",
         "date=2021-01-09/scene.bands.json"),
        ("{date}/{band}/{base}_v2.tif", "2021-01-09/B4/scene_v2.tif",
         "2021-01-09/scene_v2.bands.json"),
        ("{year}-{band}/x.tif", "2021-B4/x.tif", "2021/x.bands.json"),
    ],
)  # fmt: skip
def test_each_band_has_a_key_and_all_have_one_item(pattern: str, key: str, item: str) -> None:
    found = place(pattern)
    assert found.key(".B4.tif") == f"p/q/{key}"
    assert found.item_key == f"p/q/{item}"
    assert found.key(".empty.json") == f"p/q/{item.replace('.bands.json', '.empty.json')}"
    for each in (found.key(".B4.tif"), found.item_key, found.key(".empty.json")):
        assert each.startswith(found.listing_prefix)
    assert found.holds(found.key(".any.tif"))
    assert not found.holds(found.item_key)
    assert not found.holds(found.key(".B4.tif").replace("scene", "other").replace("x.tif", "y.tif"))


@pytest.mark.parametrize(
    ("pattern", "fields", "key", "item"),
    [
        ("{date}/{base}.tif", TIF, "2021-01-09/scene.tif", "2021-01-09/scene.tif.json"),
        ("{date}{suffix}", TIF, "2021-01-09.tif", "2021-01-09.tif.json"),
        ("{date}/x{suffix}", {"download_params": {"format": "NPY"}}, "2021-01-09/x.npy",
         "2021-01-09/x.npy.json"),
        ("{date}/x.zip", {"layout": "zip"}, "2021-01-09/x.zip", "2021-01-09/x.zip.json"),
    ],
)  # fmt: skip
def test_a_single_file_has_its_item_beside_it(
    pattern: str, fields: dict[str, Any], key: str, item: str
) -> None:
    found = place(pattern, **fields)
    assert found.key(f".{key.rpartition('.')[2]}") == f"p/q/{key}"
    assert found.item_key == f"p/q/{item}"


@pytest.mark.parametrize("pattern", ["{base}{suffix}", "{base}.{band}.tif"])
def test_the_keys_of_before_are_a_pattern_too(pattern: str) -> None:
    """What is in a bucket under the default names is found under the patterns that mean them."""
    before, now = place(None), place(pattern)
    assert before.names is None
    for suffix in (".B4.tif", ".bands.json", ".empty.json"):
        assert before.key(suffix) == now.key(suffix)
    assert before.listing_prefix == now.listing_prefix == "p/q/scene."
    assert job(None).identity.fingerprint == job(pattern).identity.fingerprint


@pytest.mark.parametrize(
    ("fields", "date"),
    [
        ({}, "2021-01-09"),
        ({"record": {"datetime": "2020-02-29"}}, "2020-02-29"),
        ({"record": {"start_datetime": "2020-02-01", "end_datetime": "2020-03-01"}}, "2020-02-01"),
        ({"source": {"name": "s", "start_time": "2019-05-06T10:00:00Z"},
          "record": {"datetime": "2020-02-29"}}, "2019-05-06"),
        ({"run": {"logical_date": DAY.astimezone(timezone(timedelta(hours=9)))}}, "2021-01-09"),
        ({"record": {"datetime": "0999-01-02"}}, "0999-01-02"),
    ],
)  # fmt: skip
def test_the_date_is_the_datas_else_the_runs(fields: dict[str, Any], date: str) -> None:
    assert place("{date}{suffix}", **fields).item_key == f"p/q/{date}.bands.json"


def test_a_date_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DownloadParamsError, match="nobody knows the time of the data"):
        job("{year}/{base}{suffix}", run={"ds": "2021-01-09"})


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{base}.{bnad}.tif", "has the field 'bnad'; use base, band, suffix, date"),
        ("{0}.tif", "has the field '0'"),
        ("{}.tif", "has the field ''"),
        ("{base.__class__}.{band}.tif", "has the field 'base.__class__'"),
        ("{base!r}.{band}.tif", "without a format"),
        ("{year:>9}{suffix}", "without a format"),
        ("{base.{band}.tif", "braces"),
        ("base}.{band}.tif", "braces"),
        ("{{base}}.{band}.tif", "braces"),
        ("../{base}{suffix}", "write the prefix of the keys"),
        ("a/../../{base}{suffix}", "write the prefix of the keys"),
        ("a//{base}{suffix}", "write the prefix of the keys"),
        ("/{base}{suffix}", "write a key below s3_prefix"),
        ("{base}/", "write a key below s3_prefix"),
        ("s3://other/{base}{suffix}", "write a key below s3_prefix"),
        ("a\\{base}{suffix}", "backslash"),
        ("a\n{base}{suffix}", "write the prefix of the keys"),
        ("{suffix}/{base}.tif", "belongs at its end"),
        ("{base}{suffix}{suffix}", "belongs at its end"),
        ("{base}.{suffix}", "begins with a dot of its own"),
        (7, "write text"),
    ],
)
def test_a_pattern_that_names_no_keys_below_the_prefix_is_refused(
    pattern: Any, message: str
) -> None:
    with pytest.raises(DownloadParamsError, match=message):
        read_key_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "fields", "message"),
    [
        ("{base}.tif", {}, "one key for the files of all bands; add {band}"),
        ("{date}/x.tif", {}, "one key for the files of all bands"),
        ("{base}.{band}.tif", TIF, "one file for all bands; leave {band} out"),
        ("{base}.{band}.zip", {"layout": "zip"}, "one file for all bands"),
        ("{base}.tif", {"download_params": {"format": "NPY"}}, "let it end in .npy"),
        ("{base}.json", TIF, "let it end in .tif"),
        ("{base}.{band}.tif.json", {}, "let it end in .tif"),
        ("{base}", TIF, "let it end in .tif"),
    ],
)
def test_one_key_for_two_files_is_refused(
    pattern: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(DownloadParamsError, match=message):
        job(pattern, **fields)


def test_the_staged_tiles_are_never_among_the_results() -> None:
    with pytest.raises(DownloadParamsError, match="inside s3_prefix"):
        job("staged/{base}{suffix}", s3_prefix="", limits={"staging_prefix": "staged/tiles"})


@given(
    st.permutations(["{date}", "{base}", "b-{band}", "x"]),
    st.lists(st.sampled_from(["/", "_", "."]), min_size=3, max_size=3),
    st.sampled_from([".tif", "{suffix}"]),
)
def test_no_two_bands_and_no_two_names_share_a_key_or_an_item(
    parts: list[str], ties: list[str], end: str
) -> None:
    pattern = "".join(a + b for a, b in zip(parts, [*ties, end], strict=True))
    found = {}
    for name in ("scene", "scenes", "a"):
        destination = place(pattern, download_params={"name": name})
        keys = [destination.key(f".{band}.tif") for band in ("B4", "B8", "B8A")]
        found[destination.item_key] = keys
        assert all(map(destination.holds, keys))
        assert all(each.startswith(destination.listing_prefix) for each in keys)
    every = [*found, *(key for keys in found.values() for key in keys)]
    assert len(set(every)) == 3 + 9
