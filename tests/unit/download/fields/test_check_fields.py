"""Literals that can never be right are refused while a DAG is parsed; templates are not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.check_fields import check_literals
from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
from airflow_provider.earthengine.download.fields.on_empty import OnEmpty
from airflow_provider.earthengine.download.fields.source import KnownSource, ListedImage
from airflow_provider.earthengine.exceptions import (
    AllMaskedError,
    DownloadParamsError,
    EmptyImageError,
    PlanError,
)

TEMPLATE = "{{ ds }}"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"s3_bucket": "a/b"}, "s3_bucket is"),
        ({"s3_prefix": "a//b"}, "s3_prefix is"),
        ({"if_exists": "keep"}, "if_exists is"),
        ({"on_empty": "publish"}, "on_empty is"),
        ({"recheck_days": 0}, "recheck_days is"),
        ({"record": {"license": "x"}}, "record"),
        ({"s3_extra_args": {"Bucket": "x"}}, "s3_extra_args"),
        ({"limits": {"max_request": 1}}, "did you mean max_requests"),
        ({"image_kwargs": [1]}, "image_kwargs is"),
        ({"plan_only": "perhaps"}, "plan_only"),
        ({"quicklook": "perhaps"}, "quicklook"),
        ({"source": {"images": ["x"]}}, "source is"),
        ({"limits": {"staging_prefix": "a/b"}, "s3_prefix": "a"}, "inside s3_prefix"),
        ({"download_params": {"scales": 1}}, "scale"),
        ({"download_params": {"region": [1, 2]}}, "region holds"),
        ({"layout": "zips"}, "layout is"),
        ({"layout": "zip", "download_params": {"format": "NPY"}}, "layout"),
        ({"compression": "lzw"}, "compression is"),
        ({"compression": "zstd", "layout": "as_served"}, "compression"),
        ({"nodata": "none"}, "nodata is"),
        ({"image": "a b"}, "image"),
        ({"image": "A/B", "image_kwargs": {"a": 1}}, "image_kwargs"),
        # Parts that are literals, beside one that is not.
        ({"limits": {"max_requests": TEMPLATE, "tile_bytes": 1}}, "limits has"),
        ({"limits": {"max_requests": 0, "resume": TEMPLATE}}, "max_requests"),
        ({"s3_extra_args": {"StorageClass": TEMPLATE, "Key": "x"}}, "s3_extra_args"),
        ({"record": {"licence": TEMPLATE, "license": "x"}}, "record"),
        ({"download_params": {"scale": TEMPLATE, "region": [1, 2]}}, "region holds"),
        ({"download_params": {"crs": TEMPLATE, "scale": -1}}, "scale"),
    ],
)
def test_what_can_never_be_right_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(DownloadParamsError, match=words):
        check_literals(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"s3_bucket": TEMPLATE, "s3_prefix": TEMPLATE, "image": TEMPLATE, "nodata": TEMPLATE},
        {"download_params": {"scale": TEMPLATE, "region": "areas/of_the_day.geojson"}},
        {"download_params": {"region": "s3://bucket/area.geojson"}},
        {"limits": {"max_requests": TEMPLATE}, "record": {"licence": TEMPLATE}},
        {"limits": {"staging_prefix": "b"}, "s3_prefix": "a", "layout": "zip"},
    ],
    ids=str,
)
def test_what_may_be_right_once_it_is_rendered_is_not(fields: dict[str, Any]) -> None:
    check_literals(fields)


def test_limits_are_the_most_that_is_allowed() -> None:
    limits = DownloadLimits(max_requests=3, max_byte_count=10)
    limits.check_request_count(3)
    limits.check_byte_count(10)
    with pytest.raises(PlanError, match=r"takes 4 requests, but .* is 3; raise it") as requests:
        limits.check_request_count(4)
    assert requests.value.facts == {"request_count": 4}
    with pytest.raises(PlanError, match=r"is 11 bytes as .* is 10; raise it") as size:
        limits.check_byte_count(11)
    assert size.value.facts == {"byte_count": 11}


@pytest.mark.parametrize(
    ("on_empty", "no_pixels", "all_masked"),
    [
        (OnEmpty(), False, False),
        (OnEmpty("skip", "fail"), True, False),
        (OnEmpty("mark", "skip"), True, True),
        (OnEmpty("fail", "mark"), False, True),
    ],
)
def test_what_is_skipped_or_marked_skips_the_task(
    on_empty: OnEmpty, no_pixels: bool, all_masked: bool
) -> None:
    assert on_empty.skips(EmptyImageError("none")) == no_pixels
    assert on_empty.skips(AllMaskedError("masked")) == all_masked


def test_an_item_records_the_images_of_a_listing() -> None:
    image = ListedImage("c/a", datetime(2021, 1, 9, tzinfo=UTC), 7)
    source = KnownSource(images=(image, ListedImage("d/b", None, None)))
    assert source.to_item() == {
        "earthengine:source_images": [
            {"asset_id": "c/a", "version": 7}, {"asset_id": "d/b", "version": None},
        ]
    }  # fmt: skip
    assert source.collections == {"c", "d"}
    assert KnownSource().to_item() == {}
