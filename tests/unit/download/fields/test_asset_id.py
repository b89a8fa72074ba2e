"""Which texts are ids of assets: for images, collections and tables alike."""

from __future__ import annotations

import re

import pytest
from ee import _cloud_api_utils

from airflow_provider.earthengine.catalog.read_query import read_query
from airflow_provider.earthengine.download.fields.asset_id import find_asset_id
from airflow_provider.earthengine.download.fields.image import read_image
from airflow_provider.earthengine.download.fields.region import is_region_file, read_region
from airflow_provider.earthengine.exceptions import DownloadParamsError

# The client's own pattern for what is in a project.
CLIENTS = re.compile(_cloud_api_utils.ASSET_NAME_PATTERN)
IN_PROJECTS = [
    "projects/my-project/assets/x",
    "projects/my-project/assets/folder/2021_x-1",
    "projects/example.com:my-project/assets/x",
    "projects/sub.my-example.co.uk:my-project/assets/folder/x",
    "projects/earthengine-public/assets/USGS/SRTMGL1_003",
    "projects/earthengine-legacy/assets/users/jane.doe/x",
]
OTHERS = [
    "USGS/SRTMGL1_003",
    "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG",
    "users/jane.doe/x",
    "projects/example.com:proj/assets/x",
    "projects/sat-io/open-datasets/GLO30",
    "MODIS/061/MOD13Q1/2021_01_01",
]


@pytest.mark.parametrize("asset_id", [*IN_PROJECTS, *OTHERS])
def test_an_id_is_taken_in_every_field_as_it_is_written(asset_id: str) -> None:
    image = read_image(f" {asset_id} ")
    assert (image.asset_id, image.name) == (asset_id, asset_id.rsplit("/", maxsplit=1)[-1])
    window = {"start": "2021-01-01", "end": "2021-01-02"}
    assert read_query(collection=f"{asset_id}/", **window).collection == asset_id
    assert not is_region_file(asset_id)
    assert read_region(asset_id) == asset_id


@pytest.mark.parametrize("asset_id", IN_PROJECTS)
def test_what_the_client_takes_for_an_asset_of_a_project_is_one_here(asset_id: str) -> None:
    assert CLIENTS.fullmatch(asset_id)
    assert find_asset_id(asset_id) == asset_id


@pytest.mark.parametrize(
    "text",
    ["", " ", "/", "a//b", "/a/b", "a/b/", "a/../b", "a/.", "..", "a b/c", "a/b:c", "a:b/c",
     "projects/:proj/assets/x", "projects/example.com:/assets/x", "projects/example.com:proj",
     "projects/a:b:c/assets/x", "s3://bucket/key", "a\n/b", "a/{{ ds }}", 5, None],
)  # fmt: skip
def test_what_is_no_id_is_none_in_every_field(text: object) -> None:
    assert find_asset_id(text) is None
    with pytest.raises(DownloadParamsError, match="write an asset id"):
        read_image(text)
