"""The picture of a download, beside its item, which names it as its asset "thumbnail".

No download depends on it: what fails here is a warning. Each picture has a key of its own, since
attempts run at the same time: an item names the one that its attempt has just written, and nobody
overwrites it. It is deleted once an item is committed that does not name it. An attempt that could
still commit an item with a deleted picture cannot exist: the item's key has changed since.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence

from airflow_provider.earthengine.download.bucket.errors import (
    ConditionFailedError,
    UploadConflictError,
)
from airflow_provider.earthengine.download.bucket.objects import Precondition
from airflow_provider.earthengine.download.publish.check_item import BuildItem
from airflow_provider.earthengine.download.publish.claim import new_id
from airflow_provider.earthengine.download.publish.files import LocalFile
from airflow_provider.earthengine.download.publish.record import (
    ETAG,
    SHA256_MULTIHASH,
    THUMBNAIL,
    CommitRecord,
    StoredObject,
    Target,
    is_thumbnail_key,
)
from airflow_provider.earthengine.download.publish.standing import Standing
from airflow_provider.earthengine.download.raster.quicklook import (
    MAX_BYTE_COUNT,
    Quicklook,
    SmallBand,
    draw_quicklook,
)
from airflow_provider.earthengine.download.raster.shown_bands import choose_bands
from airflow_provider.earthengine.exceptions import (
    DownloadCancelledError,
    EarthEngineProviderError,
)
from airflow_provider.earthengine.one_line import one_line

log = logging.getLogger(__name__)


def draw_files(files: Sequence[LocalFile], asset_id: str | None) -> Quicklook | None:
    """Return a picture of some bands of the files; None if it cannot be drawn, which is logged.

    :param files: in the order of the bands.
    :param asset_id: of the image; None if it is computed.
    """
    try:
        return _draw(files, asset_id)
    except DownloadCancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the download is worth more
        log.warning("Could not draw a picture of the download: %s", _one_line_of(error))
        return None


def _draw(files: Sequence[LocalFile], asset_id: str | None) -> Quicklook | None:
    places = [
        (file, raster, band)
        for file in files
        for raster in file.rasters
        for band in range(len(raster.bands))
    ]
    names = [raster.bands[band].id for _, raster, band in places]
    chosen = [places[position] for position in choose_bands(names, asset_id)]
    if len({raster.grid for _, raster, _ in chosen}) > 1:
        chosen = places[:1]
    small = []
    for file, raster, band in chosen:
        pixels = file.read_small(raster, band)
        if pixels is None:
            log.info("There is no overview to draw a picture from.")
            return None
        nodata = raster.bands[band].nodata
        small.append(SmallBand(pixels, nodata))
    return draw_quicklook(small, all(raster.is_all_masked for _, raster, _ in chosen))


class Thumbnails:
    """The pictures that one attempt writes and deletes.

    :param quicklook: None for none.
    """

    def __init__(self, target: Target, standing: Standing, quicklook: Quicklook | None) -> None:
        self._target = target
        self._bucket = target.bucket
        self._quicklook = quicklook
        item_key = target.destination.item_key
        self._others = {
            key: listed.etag
            for key, listed in standing.listed.items()
            if is_thumbnail_key(key, item_key)
        }

    def added_to(self, build_item: BuildItem) -> BuildItem:
        """Return what builds the same item with a picture, which is in the bucket by then."""
        return lambda objects: self._add(build_item(objects))

    def _add(self, item: bytes) -> bytes:
        quicklook = self._quicklook
        stored = None if quicklook is None else self._put(quicklook)
        if quicklook is None or stored is None:
            return item
        content = json.loads(item)
        content["assets"][THUMBNAIL] = {
            "href": self._target.destination.uri(stored.key),
            "type": quicklook.media_type,
            "roles": [THUMBNAIL],
            "file:size": stored.byte_count,
            "file:checksum": f"{SHA256_MULTIHASH}{stored.sha256}",
            ETAG: stored.etag,
        }
        return json.dumps(content, indent=2, allow_nan=False).encode()

    def _put(self, quicklook: Quicklook) -> StoredObject | None:
        """Write the picture; return None if that fails."""
        content, destination = quicklook.content, self._target.destination
        try:
            suffix = f"{destination.item_suffix.removesuffix('.json')}.thumbnail.{new_id()}"
            key = destination.key(f"{suffix}.{quicklook.extension}")
            etag = self._bucket.write_object(key, content, quicklook.media_type, Precondition())
        except DownloadCancelledError:
            raise
        except (EarthEngineProviderError, ConditionFailedError, UploadConflictError) as error:
            log.warning("Could not store the picture of the download: %s", _one_line_of(error))
            return None
        self._others[key] = etag
        return StoredObject(key, len(content), etag, hashlib.sha256(content).hexdigest())

    def sweep(self, record: CommitRecord) -> None:
        """Delete the pictures that were here, or were written, and that the item does not name."""
        named = record.thumbnail.key if record.thumbnail else None
        for key, etag in self._others.items():
            if key == named:
                continue
            try:
                self._bucket.delete_object(key, etag)
            except DownloadCancelledError:
                raise
            except ConditionFailedError:
                continue
            except EarthEngineProviderError as error:
                log.warning(
                    "Could not delete %s, a picture that no item names: %s",
                    self._target.destination.uri(key), _one_line_of(error),
                )  # fmt: skip
                return


def read_thumbnail(target: Target, record: CommitRecord) -> tuple[bytes, str] | None:
    """Return the picture that an item names, and its media type; None if there is none to show."""
    named = record.thumbnail
    if named is None:
        return None
    try:
        found = target.bucket.read_object(named.key, MAX_BYTE_COUNT + 1)
    except DownloadCancelledError:
        raise
    except EarthEngineProviderError as error:
        log.warning("Could not read the picture of the download: %s", _one_line_of(error))
        return None
    if found is None or hashlib.sha256(found[0]).hexdigest() != named.sha256:
        log.warning("The picture %s is gone or another one.", target.destination.uri(named.key))
        return None
    return found[0], named.media_type


def _one_line_of(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)
