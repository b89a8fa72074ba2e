"""Asset ids -> their current versions, with few requests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider.earthengine.catalog.image_query import VERSION, read_version
from airflow_provider.earthengine.download.foreign import Foreign
from airflow_provider.earthengine.download.transport.answers import reading_answer
from airflow_provider.earthengine.exceptions import AssetNotFoundError, RequestRejectedError

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.client import Session


# About 40 bytes each, of the 10 MB that a request may have.
_ASSETS_PER_REQUEST = 5_000


def present_versions(session: Session, asset_ids: Collection[str]) -> dict[str, int | None]:
    """Return the version of each existing asset; vanished assets are left out.

    The images of a collection are requested together; assets outside of collections one by one.
    """
    collections: dict[str, list[str]] = {}
    for asset_id in sorted(asset_ids):
        parent, _, index = asset_id.rpartition("/")
        collections.setdefault(parent, []).append(index)
    versions: dict[str, int | None] = {}
    if collections:
        session.get_conn()
    for parent, indexes in collections.items():
        for part in _parts(indexes):
            versions |= _versions_in(session, parent, part)
    return versions


def _versions_in(session: Session, parent: str, indexes: Sequence[str]) -> dict[str, int | None]:
    import ee

    if not parent:
        return _single_versions(session, indexes)
    images = ee.ImageCollection(parent).filter(ee.Filter.inList("system:index", list(indexes)))
    # The version may be absent; the index identifies the image.
    rows = images.reduceColumns(ee.Reducer.toList(2, 1), ["system:index", VERSION]).get("list")
    try:
        found = session.compute_value(rows)
    except (RequestRejectedError, AssetNotFoundError):
        # A folder, or a collection that was deleted with all its images.
        return _single_versions(session, [f"{parent}/{index}" for index in indexes])
    with reading_answer("the versions of images"):
        pairs = [row.items(2) for row in Foreign(found).items()]
        return {f"{parent}/{index.text()}": read_version(version) for index, version in pairs}


def _single_versions(session: Session, asset_ids: Sequence[str]) -> dict[str, int | None]:
    import ee

    versions: dict[str, int | None] = {}
    for asset_id in asset_ids:
        try:
            version = session.compute_value(ee.Image(asset_id).get(VERSION))
        except (AssetNotFoundError, RequestRejectedError):
            continue  # It is gone, or no image: an item may name anything.
        with reading_answer("the version of an image"):
            versions[asset_id] = read_version(Foreign(version))
    return versions


def _parts(indexes: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(indexes), _ASSETS_PER_REQUEST):
        yield indexes[first : first + _ASSETS_PER_REQUEST]
