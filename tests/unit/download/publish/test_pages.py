"""Where a person finds an object and an image: the pages' addresses, and none that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.destination import (
    Destination,
    Identity,
    IfExists,
)
from airflow_provider.earthengine.download.publish.pages import pages_of
from airflow_provider.earthengine.download.publish.record import (
    CommitRecord,
    Endpoint,
    StoredObject,
    Target,
)

CATALOG = "https://developers.google.com/earth-engine/datasets/catalog/"
US = Endpoint("https://s3.us-west-2.amazonaws.com", "us-west-2")


def pages(
    endpoint: Endpoint = US, asset_id: str | None = None, bucket: str = "demo", base: str = "scene"
) -> dict[str, str]:
    destination = Destination(bucket, "a", base, ".tif.json")
    nowhere: Any = None
    target = Target(
        nowhere, destination, Identity("f", "g", IfExists.FAIL), endpoint=endpoint
    )  # fmt: skip
    stored = StoredObject(destination.key(".tif"), 1, "e", "s")
    record = CommitRecord(
        destination.item_uri, "e", "f", "g", (stored,), (destination.uri(stored.key),)
    )  # fmt: skip
    return pages_of(record, target, asset_id)


@pytest.mark.parametrize(
    ("url", "region", "start"),
    [
        ("https://s3.us-west-2.amazonaws.com", "us-west-2",
         "https://us-west-2.console.aws.amazon.com/s3/object/demo?region=us-west-2"),
        ("https://s3.amazonaws.com", "us-east-1",
         "https://us-east-1.console.aws.amazon.com/s3/object/demo?region=us-east-1"),
        ("https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1",
         "https://eu-west-1.console.aws.amazon.com/s3/object/demo?region=eu-west-1"),
        ("https://s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1",
         "https://console.amazonaws-us-gov.com/s3/object/demo?region=us-gov-west-1"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1",
         "https://cn-north-1.console.amazonaws.cn/s3/object/demo?region=cn-north-1"),
    ],
)  # fmt: skip
def test_objects_in_aws_have_a_page_in_its_console(url: str, region: str, start: str) -> None:
    found = pages(Endpoint(url, region))
    assert found == {
        "item": f"{start}&prefix=a%2Fscene.tif.json", "object": f"{start}&prefix=a%2Fscene.tif"
    }  # fmt: skip


def test_odd_names_do_not_break_an_address() -> None:
    found = pages(base='a&b #<"> é')
    assert found["object"].endswith("&prefix=a%2Fa%26b%20%23%3C%22%3E%20%C3%A9.tif")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "https://minio.example.org", "https://amazonaws.com.evil.org"]
)
def test_an_item_elsewhere_has_its_address_at_the_endpoint(url: str) -> None:
    assert pages(Endpoint(url, "us-east-1")) == {"item": f"{url}/demo/a/scene.tif.json"}


@pytest.mark.parametrize(
    ("endpoint", "bucket"),
    [
        (Endpoint(), "demo"),
        (Endpoint("ftp://x", "y"), "demo"),
        (Endpoint("https://user:secret@minio.example.org", "y"), "demo"),
        (US, "arn:aws:s3:us-west-2:123456789012:accesspoint/x"),
        (Endpoint(US.url, ""), "demo"),
    ],
)
def test_where_no_page_is_known_there_is_none(endpoint: Endpoint, bucket: str) -> None:
    assert pages(endpoint, bucket=bucket) == {}


@pytest.mark.parametrize(
    ("asset_id", "page"),
    [
        ("COPERNICUS/S2_SR_HARMONIZED/20210109T185751_20210109T185931_T10SEG",
         f"{CATALOG}COPERNICUS_S2_SR_HARMONIZED"),
        ("LANDSAT/LC08/C02/T1_L2/LC08_044034_20140318", f"{CATALOG}LANDSAT_LC08_C02_T1_L2"),
        ("MODIS/061/MOD13A2/2020_01_01", f"{CATALOG}MODIS_061_MOD13A2"),
        ("USDA/NAIP/DOQQ/m_4609915_sw_14_1_20100629", f"{CATALOG}USDA_NAIP_DOQQ"),
        ("USGS/SRTMGL1_003", f"{CATALOG}USGS_SRTMGL1_003"),
        ("ESA/WorldCover/v200/2021", f"{CATALOG}ESA_WorldCover_v200_2021"),
        ("projects/earthengine-public/assets/USGS/SRTMGL1_003", f"{CATALOG}USGS_SRTMGL1_003"),
        ("projects/demo/assets/dem olinda",
         "https://code.earthengine.google.com/?asset=projects/demo/assets/dem%20olinda"),
        ("users/somebody/x", "https://code.earthengine.google.com/?asset=users/somebody/x"),
        (None, None),
        ("", None),
    ],
)  # fmt: skip
def test_an_image_has_the_page_of_its_dataset_or_its_own(
    asset_id: str | None, page: str | None
) -> None:
    assert pages(asset_id=asset_id).get("catalog") == page
