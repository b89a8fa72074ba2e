"""What to download, in Earth Engine's terms: the parameters of ``ee.data.getDownloadId``.

Source: https://developers.google.com/earth-engine/apidocs/ee-data-getdownloadid, read 2025-07.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider.earthengine.download.fields.region import Region
from airflow_provider.earthengine.download.fields.region_area import warnings_of

GEO_TIFF = "GEO_TIFF"
NPY = "NPY"
ZIPPED_GEO_TIFF = "ZIPPED_GEO_TIFF"
ZIPPED_GEO_TIFF_PER_BAND = "ZIPPED_GEO_TIFF_PER_BAND"
FORMATS = (GEO_TIFF, ZIPPED_GEO_TIFF, ZIPPED_GEO_TIFF_PER_BAND, NPY)
ZIPPED_FORMATS = frozenset({ZIPPED_GEO_TIFF, ZIPPED_GEO_TIFF_PER_BAND})


@dataclass(frozen=True)
class BandParams:
    """One band, and the transformations requested for it (None: not requested).

    :param id: the band's name.
    :param crs: for example "EPSG:32610".
    :param crs_transform: affine terms in row-major order a b c d e f, in units of the crs.
    :param dimensions: (width, height) in pixels, or (longest side,).
    :param scale: nominal metres per pixel.
    """

    id: str
    crs: str | None = None
    crs_transform: tuple[float, ...] | None = None
    dimensions: tuple[int, ...] | None = None
    scale: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the band as ``getDownloadId`` takes it, without what was not requested."""
        return _without_none(vars(self))

    @property
    def has_transformations(self) -> bool:
        """Whether more than the band's id was requested."""
        return len(self.to_dict()) > 1


@dataclass(frozen=True)
class DownloadParams:
    """The parameters of one download, coerced and checked; None where nothing was requested.

    ``crs``, ``crs_transform``, ``dimensions`` and ``scale`` are those of :class:`BandParams`, for
    all bands that do not set their own.

    :param name: base name of the files.
    :param bands: the bands, in the requested order; empty: all bands of the image.
    :param region: a GeoJSON geometry, [west, south, east, north], a ring, or the id of a table.
    :param file_format: one of :data:`FORMATS`.
    """

    name: str | None = None
    bands: tuple[BandParams, ...] = ()
    crs: str | None = None
    crs_transform: tuple[float, ...] | None = None
    dimensions: tuple[int, ...] | None = None
    scale: float | None = None
    region: Region | None = None
    file_format: str = ZIPPED_GEO_TIFF_PER_BAND

    @property
    def band_ids(self) -> tuple[str, ...]:
        """The ids of the requested bands; empty: all bands of the image."""
        return tuple(band.id for band in self.bands)

    @property
    def ignored(self) -> tuple[str, ...]:
        """What was requested but has no effect, one sentence each."""
        everything = BandParams("download_params", self.crs, self.crs_transform, scale=self.scale)
        merged = [everything, *(self.band(band) for band in self.bands)]
        return tuple(
            f"{each.id}: scale is ignored, because crs and crs_transform are given."
            for each in merged
            if each.scale and each.crs and each.crs_transform
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the log is to say of the parameters, one sentence each."""
        odd = warnings_of(self.region) if isinstance(self.region, dict) else ()
        return (*self.ignored, *odd)

    def band(self, band: BandParams) -> BandParams:
        """Return the band, with the download's values where the band sets none."""
        dimensions = band.dimensions or (None if band.scale else self.dimensions)
        return replace(
            band,
            crs=band.crs or self.crs,
            crs_transform=band.crs_transform or self.crs_transform,
            dimensions=dimensions,
            scale=band.scale or (None if dimensions else self.scale),
        )

    def names_pixels_of(self, band_id: str) -> bool:
        """Return whether they say which pixels of a band are wanted.

        A crs alone does not: its pixels are one unit of it, a metre or a degree.
        """
        asked = {band.id: band for band in self.bands}.get(band_id, BandParams(band_id))
        merged = self.band(asked)
        return bool(merged.scale or merged.crs_transform or merged.dimensions)

    def to_request(self) -> dict[str, Any]:
        """Return the dict for ``ee.data.getDownloadId``, without its ``image``.

        A scale that has no effect is left out: the client would send it all the same.
        """
        own = {key: value for key, value in vars(self).items() if key in _OWN_KEYS}
        bands: list[Any]
        if any(band.has_transformations for band in self.bands):
            bands = [_effective(self.band(band)).to_dict() for band in self.bands]
        else:
            bands = list(self.band_ids)
            everything = BandParams("", self.crs, self.crs_transform, self.dimensions, self.scale)
            own |= {**vars(_effective(everything)), "id": None}
        return _without_none({**own, "bands": bands or None, "format": self.file_format})


_OWN_KEYS = frozenset({"name", "region"})


def _effective(band: BandParams) -> BandParams:
    return replace(band, scale=None) if band.crs and band.crs_transform else band


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without None, tuples as lists: the client takes only lists."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not None
    }
