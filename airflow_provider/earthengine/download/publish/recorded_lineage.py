"""What an item says of where its pixels are from, and which bands its objects have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider.earthengine.download.fields.source import SOURCE_IMAGES, ListedImage
from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError


@dataclass(frozen=True)
class RecordedBand:
    """A band of an object, with numpy's name of its type."""

    band_id: str
    dtype: str


@dataclass(frozen=True)
class RecordedLineage:
    """The sources of a download, and the bands of its objects.

    :param images: the assets whose version is recorded.
    :param bands: of each object, by its URI.
    """

    images: tuple[ListedImage, ...] = ()
    bands: Mapping[str, tuple[RecordedBand, ...]] = field(default_factory=dict)


def read_lineage(item: Foreign) -> RecordedLineage:
    """Return what a parsed item says; nothing of what it says in a form that is not known."""
    properties = item.at("properties")
    try:
        images = (
            _image(properties.at("earthengine:asset_id"), properties, "earthengine:asset_version"),
            *(
                _image(each.at("asset_id"), each, "version")
                for each in properties.at(SOURCE_IMAGES).optional_items()
            ),
        )
        assets = [Foreign(asset, "an asset") for asset in item.at("assets").fields().values()]
        bands = {
            asset.at("href").text(): tuple(
                RecordedBand(band.at("name").text(), band.at("data_type").optional_text())
                for band in asset.at("bands").optional_items()
            )
            for asset in assets
        }
    except ForeignValueError:
        return RecordedLineage()
    return RecordedLineage(tuple(each for each in images if each), bands)


def _image(asset_id: Foreign, described: Foreign, version_name: str) -> ListedImage | None:
    if asset_id.is_absent:
        return None
    version = described.at(version_name)
    return ListedImage(asset_id.text(), None, None if version.is_absent else version.whole())
