"""Sources and bands in items: those of now, of before, and of others."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.source import ListedImage
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.publish.recorded_lineage import (
    RecordedBand,
    RecordedLineage,
    read_lineage,
)


def item(properties: dict[str, Any], **assets: Any) -> Foreign:
    return Foreign({"properties": properties, "assets": assets}, "the item")


def test_an_asset_and_the_images_of_a_listing_are_sources_with_versions() -> None:
    read = read_lineage(
        item(
            {
                "earthengine:asset_id": "C/a",
                "earthengine:asset_version": 7,
                "earthengine:source_images": [
                    {"asset_id": "C/b", "version": 8},
                    {"asset_id": "C/c", "version": None},
                ],
            }
        )
    )
    assert read.images == (
        ListedImage("C/a", None, 7),
        ListedImage("C/b", None, 8),
        ListedImage("C/c", None, None),
    )


def test_each_object_has_its_bands() -> None:
    bands = [{"name": "B4", "data_type": "uint16"}, {"name": "B3", "data_type": "uint16"}]
    read = read_lineage(
        item({}, data={"href": "s3://b/a.tif", "bands": bands}, extra={"href": "s3://b/a.png"})
    )
    assert read.bands == {
        "s3://b/a.tif": (RecordedBand("B4", "uint16"), RecordedBand("B3", "uint16")),
        "s3://b/a.png": (),
    }


@pytest.mark.parametrize(
    ("properties", "bands"),
    [
        ({"earthengine:asset_id": 3}, []),
        ({"earthengine:asset_id": "a", "earthengine:asset_version": "new"}, []),
        ({"earthengine:source_images": {"asset_id": "a"}}, []),
        ({}, "B4"),
        ({}, [{"title": "B4"}]),
    ],
)
def test_of_an_item_in_another_form_nothing_is_claimed(properties: Any, bands: Any) -> None:
    asset = {"href": "s3://b/a.tif", "bands": bands}
    assert read_lineage(item(properties, data=asset)) == RecordedLineage()
