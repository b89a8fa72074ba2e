"""The assets, and who may see them."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from airflow_provider.earthengine.emulator.access.identities import Identities
from airflow_provider.earthengine.emulator.replies import ApiError, invalid_argument
from airflow_provider.earthengine.emulator.values.elements import IMAGES, Collection
from airflow_provider.earthengine.emulator.values.images import Image

PUBLIC_PREFIX = "projects/earthengine-public/assets/"

_WANTED = {
    "Image.load": "Image",
    "ImageCollection.load": IMAGES,
    "Collection.loadTable": "FeatureCollection",
}


@dataclass(frozen=True, eq=False)
class Asset:
    """One asset: an image, an image collection or a table.

    :param readers: the e-mails of those who may read it; None if everyone may.
    :param visible_from: the time from which it is visible, in seconds since 1970.
    :param visible_until: the time from which it is no longer visible.
    :param images: the images of a collection, as separate assets.
    :param byte_count: the storage that it takes; None for collections of images.
    """

    value: Image | Collection
    readers: tuple[str, ...] | None = None
    visible_from: float = 0.0
    visible_until: float = math.inf
    images: tuple[Asset, ...] = ()
    byte_count: int | None = None

    @property
    def id(self) -> str:
        return str(self.value.id)

    @property
    def kind(self) -> str:
        return "Image" if isinstance(self.value, Image) else self.value.kind

    def is_readable_by(self, caller: str | None, now: float) -> bool:
        is_reader = self.readers is None or caller in self.readers
        return is_reader and self.is_visible_at(now)

    def is_visible_at(self, now: float) -> bool:
        return self.visible_from <= now < self.visible_until

    def value_at(self, now: float) -> Image | Collection:
        """Return the image, or the collection with the images that are visible by now."""
        if isinstance(self.value, Image) or not self.images:
            return self.value
        visible = (asset.value for asset in self.images if asset.is_visible_at(now))
        return replace(
            self.value, elements=tuple(image for image in visible if isinstance(image, Image))
        )


@dataclass(frozen=True)
class Catalog:
    """The assets by id, and the identities of callers.

    :param directory: the directory of the rasters of further assets.
    """

    assets: Mapping[str, Asset] = field(default_factory=dict)
    identities: Identities = field(default_factory=Identities)
    directory: Path | None = None

    def load_image(self, asset_id: str, version: int, caller: str | None, now: float) -> Image:
        """Return an image for a caller.

        :param version: -1 for the current one.
        :raises ApiError: the same if it does not exist or the caller has no access.
        """
        value = self._load("Image.load", asset_id, version, caller, now)
        assert isinstance(value, Image)  # of the wanted kind
        return value

    def load_collection(
        self, function: str, asset_id: str, version: int, caller: str | None, now: float
    ) -> Collection:
        """Return a collection of images or features for a caller."""
        value = self._load(function, asset_id, version, caller, now)
        assert isinstance(value, Collection)  # of the wanted kind
        return value

    def _load(
        self, function: str, asset_id: str, version: int, caller: str | None, now: float
    ) -> Image | Collection:
        asset = self.find(asset_id, caller, now)
        if asset is None:
            raise _not_found(function, asset_id)
        if asset.kind != _WANTED[function]:
            article = "an" if _WANTED[function][0] == "I" else "a"
            raise invalid_argument(
                f"{function}: Asset '{asset_id}' is not {article} {_WANTED[function]}."
            )
        value = asset.value_at(now)
        if version not in {-1, value.version}:
            raise _not_found(function, asset_id)
        return value

    def find(self, asset_id: str, caller: str | None, now: float) -> Asset | None:
        """Return an asset, or an image of a collection, that a caller may see."""
        asset = self._visible(asset_id, now)
        return asset if asset is not None and asset.is_readable_by(caller, now) else None

    def is_forbidden(self, asset_id: str, caller: str | None, now: float) -> bool:
        """Return whether an asset exists that a caller may not see."""
        asset = self._visible(asset_id, now)
        return asset is not None and not asset.is_readable_by(caller, now)

    def _visible(self, asset_id: str, now: float) -> Asset | None:
        """Return an asset, or an image of a collection, that is visible to those who may see it."""
        plain_id = asset_id.removeprefix(PUBLIC_PREFIX)
        asset = self.assets.get(plain_id)
        if asset is not None:
            return asset if asset.is_visible_at(now) else None
        parent = self.assets.get(plain_id.rpartition("/")[0])
        if parent is None:
            return None
        versions = (image for image in parent.images if image.id == plain_id)
        return next((image for image in versions if image.is_visible_at(now)), None)


class EditableCatalog:
    """A catalog that changes while it is served; safe to use from any thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._lock = threading.Lock()
        self._catalog = catalog

    def now(self) -> Catalog:
        """Return the current catalog; later changes do not affect it."""
        with self._lock:
            return self._catalog

    def restore(self, catalog: Catalog) -> None:
        """Restore an earlier catalog."""
        with self._lock:
            self._catalog = catalog

    def put(self, asset: Asset) -> None:
        """Add an asset, or replace the one with the same id."""
        with self._lock:
            assets = {**self._catalog.assets, asset.id: asset}
            self._catalog = replace(self._catalog, assets=assets)

    def remove(self, asset_id: str) -> bool:
        """Remove an asset, and return whether it existed."""
        with self._lock:
            assets = dict(self._catalog.assets)
            was_there = assets.pop(asset_id, None) is not None
            self._catalog = replace(self._catalog, assets=assets)
            return was_there


def _not_found(function: str, asset_id: str) -> ApiError:
    """Return the refusal; the texts are the real service's, seen in public error reports."""
    kind = {"FeatureCollection": "Collection"}.get(_WANTED[function], _WANTED[function])
    return invalid_argument(
        f"{function}: {kind} asset '{asset_id}' not found "
        "(does not exist or caller does not have access)."
    )
