"""Earth Engine's properties of an image -> STAC's, of one type each, where they mean the same.

A value that is not what its name promises is left out: :mod:`item` records all of them as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider.earthengine.download.plan.sensors import Sensor

EO = "https://stac-extensions.github.io/eo/v1.1.0/schema.json"
VIEW = "https://stac-extensions.github.io/view/v1.0.0/schema.json"
SAT = "https://stac-extensions.github.io/sat/v1.0.0/schema.json"
_EXTENSIONS = {"eo": EO, "view": VIEW, "sat": SAT}

Read = Callable[[Any], Any]


def typed_properties(properties: Mapping[str, Any], sensor: Sensor | None) -> dict[str, Any]:
    """Return what is known of the scene, under STAC's names.

    :param properties: as Earth Engine returns them.
    """
    known: dict[str, Any] = {}
    if sensor:
        known = {"constellation": sensor.constellation, "instruments": list(sensor.instruments)}
    for field, name, read in _READERS:
        value = read(properties[name]) if name in properties else None
        if value is not None:
            known.setdefault(field, value)
    if known.get("platform", "").startswith("sentinel-1"):
        known |= {"constellation": "sentinel-1", "instruments": ["c-sar"]}
    return known


def extensions_of(fields: Mapping[str, Any]) -> list[str]:
    """Return the URIs of the extensions whose fields are among these, without others'."""
    prefixes = {name.partition(":")[0] for name in fields if ":" in name}
    return [uri for prefix, uri in _EXTENSIONS.items() if prefix in prefixes]


def _number(low: float, high: float) -> Read:
    """Return a reader of a number within bounds; None for anything else."""

    def read(value: Any) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if low <= value <= high else None

    return read


def _direction(value: Any) -> float | None:
    """Return an angle from north, clockwise, from 0 up to 360 degrees."""
    angle = _number(-360, 360)(value)
    return None if angle is None else angle % 360.0


def _elevation(value: Any) -> float | None:
    zenith = _number(0, 180)(value)
    return None if zenith is None else round(90 - zenith, 9)


def _off_nadir(value: Any) -> float | None:
    roll = _number(-90, 90)(value)
    return None if roll is None else math.fabs(roll)


def _orbit(value: Any) -> int | None:
    number = _number(1, 2**31)(value)
    return int(number) if number is not None and number.is_integer() else None


def _orbit_state(value: Any) -> str | None:
    state = value.lower() if isinstance(value, str) else None
    return state if state in ("ascending", "descending") else None


def _platform(pattern: str, prefix: str) -> Read:
    def read(value: Any) -> str | None:
        found = re.fullmatch(pattern, value) if isinstance(value, str) else None
        return f"{prefix}{found[1].lower()}" if found else None

    return read


# Names and meanings. Source: https://developers.google.com/earth-engine/datasets/catalog/
# COPERNICUS_S2_SR_HARMONIZED, LANDSAT_LC08_C02_T1_L2 and COPERNICUS_S1_GRD, read 2025-08.
_READERS: tuple[tuple[str, str, Read], ...] = (
    ("platform", "SPACECRAFT_NAME", _platform(r"Sentinel-2([A-Z])", "sentinel-2")),
    ("platform", "SPACECRAFT_ID", _platform(r"LANDSAT_(\d)", "landsat-")),
    ("platform", "platform_number", _platform(r"([A-Z])", "sentinel-1")),
    ("eo:cloud_cover", "CLOUDY_PIXEL_PERCENTAGE", _number(0, 100)),
    ("eo:cloud_cover", "CLOUD_COVERAGE_ASSESSMENT", _number(0, 100)),
    # -1 where it was not computed.
    ("eo:cloud_cover", "CLOUD_COVER", _number(0, 100)),
    ("eo:snow_cover", "SNOW_ICE_PERCENTAGE", _number(0, 100)),
    ("view:sun_azimuth", "MEAN_SOLAR_AZIMUTH_ANGLE", _direction),
    ("view:sun_azimuth", "SUN_AZIMUTH", _direction),
    ("view:sun_elevation", "MEAN_SOLAR_ZENITH_ANGLE", _elevation),
    ("view:sun_elevation", "SUN_ELEVATION", _number(-90, 90)),
    ("view:incidence_angle", "MEAN_INCIDENCE_ZENITH_ANGLE_B8", _number(0, 90)),
    ("view:azimuth", "MEAN_INCIDENCE_AZIMUTH_ANGLE_B8", _direction),
    ("view:off_nadir", "ROLL_ANGLE", _off_nadir),
    ("sat:orbit_state", "SENSING_ORBIT_DIRECTION", _orbit_state),
    ("sat:orbit_state", "orbitProperties_pass", _orbit_state),
    ("sat:relative_orbit", "SENSING_ORBIT_NUMBER", _orbit),
    ("sat:relative_orbit", "relativeOrbitNumber_start", _orbit),
    ("sat:absolute_orbit", "orbitNumber_start", _orbit),
)
