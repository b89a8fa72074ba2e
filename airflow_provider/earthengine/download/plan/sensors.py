"""Which sensor an image is of, and what its bands measure: the imagers of Sentinel-2 and Landsat.

A band that is not listed here has no known name or wavelength.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SensorBand:
    """What a band measures.

    :param common_name: STAC's name of it. Source:
        https://github.com/stac-extensions/eo/blob/v2.0.0/README.md#common-band-names, read 2026-11.
    :param center_wavelength: in micrometres.
    :param full_width_half_max: in micrometres; None where the source does not have it.
    """

    common_name: str
    center_wavelength: float
    full_width_half_max: float | None = None


@dataclass(frozen=True)
class Sensor:
    """An imager and its bands, by the ids that Earth Engine gives them.

    :param instruments: as STAC writes them, in lower case.
    :param prefixes: of the ids, before the bands' own names, in some of the collections.
    """

    constellation: str
    instruments: tuple[str, ...]
    bands: Mapping[str, SensorBand]
    prefixes: tuple[str, ...] = ()

    def band(self, band_id: str) -> SensorBand | None:
        """Return what the band measures; None if that is not known."""
        for prefix in self.prefixes:
            band_id = band_id.removeprefix(prefix)
        return self.bands.get(band_id)


def _between(common_name: str, low: float, high: float) -> SensorBand:
    return SensorBand(common_name, round((low + high) / 2, 5), round(high - low, 5))


# Wavelengths of Sentinel-2A; those of 2B and 2C differ by up to 17 nm. Source:
# https://developers.google.com/earth-engine/datasets/catalog/COPERNICUS_S2_HARMONIZED (2025-08).
SENTINEL2 = Sensor(
    "sentinel-2",
    ("msi",),
    {
        "B1": SensorBand("coastal", 0.4439),
        "B2": SensorBand("blue", 0.4966),
        "B3": SensorBand("green", 0.56),
        "B4": SensorBand("red", 0.6645),
        "B5": SensorBand("rededge071", 0.7039),
        "B6": SensorBand("rededge075", 0.7402),
        "B7": SensorBand("rededge078", 0.7825),
        "B8": SensorBand("nir", 0.8351),
        "B8A": SensorBand("nir08", 0.8648),
        "B9": SensorBand("nir09", 0.945),
        "B10": SensorBand("cirrus", 1.3735),
        "B11": SensorBand("swir16", 1.6137),
        "B12": SensorBand("swir22", 2.2024),
    },
)
# Source: https://developers.google.com/earth-engine/datasets/catalog/LANDSAT_LC08_C02_T1_TOA, read
# 2025-08.
LANDSAT_OLI = Sensor(
    "landsat",
    ("oli", "tirs"),
    {
        "B1": _between("coastal", 0.43, 0.45),
        "B2": _between("blue", 0.45, 0.51),
        "B3": _between("green", 0.53, 0.59),
        "B4": _between("red", 0.64, 0.67),
        "B5": _between("nir08", 0.85, 0.88),
        "B6": _between("swir16", 1.57, 1.65),
        "B7": _between("swir22", 2.11, 2.29),
        "B8": _between("pan", 0.52, 0.90),
        "B9": _between("cirrus", 1.36, 1.38),
        "B10": _between("lwir11", 10.60, 11.19),
        "B11": _between("lwir12", 11.50, 12.51),
    },
    ("SR_", "ST_"),
)
# Source: https://developers.google.com/earth-engine/datasets/catalog/LANDSAT_LE07_C02_T1_TOA, read
# 2025-08. Those of the Thematic Mapper (Landsat 4 and 5) are the same to 0.02 micrometres.
_ETM_BANDS = {
    "B1": _between("blue", 0.45, 0.52),
    "B2": _between("green", 0.52, 0.60),
    "B3": _between("red", 0.63, 0.69),
    "B4": _between("nir", 0.77, 0.90),
    "B5": _between("swir16", 1.55, 1.75),
    "B6": _between("lwir", 10.40, 12.50),
    "B6_VCID_1": _between("lwir", 10.40, 12.50),
    "B6_VCID_2": _between("lwir", 10.40, 12.50),
    "B7": _between("swir22", 2.08, 2.35),
    "B8": _between("pan", 0.52, 0.90),
}
LANDSAT_ETM = Sensor("landsat", ("etm+",), _ETM_BANDS, ("SR_", "ST_"))
LANDSAT_TM = Sensor(
    "landsat",
    ("tm",),
    {name: band for name, band in _ETM_BANDS.items() if name != "B8" and "_" not in name},
    ("SR_", "ST_"),
)

_OF_ASSETS = (
    (re.compile(r"COPERNICUS/S2(_|/|$)"), SENTINEL2),
    (re.compile(r"LANDSAT/L[CO]0[89](/|_)"), LANDSAT_OLI),
    (re.compile(r"LANDSAT/LE07(/|_)"), LANDSAT_ETM),
    (re.compile(r"LANDSAT/LT0[45](/|_)"), LANDSAT_TM),
)
# What the images' own properties say. Source:
# https://developers.google.com/earth-engine/datasets/catalog/LANDSAT_LC08_C02_T1_L2 and
# .../COPERNICUS_S2_SR_HARMONIZED, read 2025-08.
_OF_SPACECRAFTS = (
    (re.compile(r"Sentinel-2[A-Z]"), SENTINEL2),
    (re.compile(r"LANDSAT_[89]"), LANDSAT_OLI),
    (re.compile(r"LANDSAT_7"), LANDSAT_ETM),
    (re.compile(r"LANDSAT_[45]"), LANDSAT_TM),
)


def find_sensor(properties: Mapping[str, Any], asset_ids: Iterable[str]) -> Sensor | None:
    """Return the sensor; None if it is not known, or there are several.

    :param properties: of the image.
    :param asset_ids: of the images and collections that it is made of.
    """
    spacecraft = properties.get("SPACECRAFT_NAME") or properties.get("SPACECRAFT_ID")
    for pattern, sensor in _OF_SPACECRAFTS:
        if isinstance(spacecraft, str) and pattern.fullmatch(spacecraft):
            return sensor
    found = {
        number
        for each in asset_ids
        for number, (pattern, _) in enumerate(_OF_ASSETS)
        if pattern.match(each)
    }
    return _OF_ASSETS[found.pop()][1] if len(found) == 1 else None
