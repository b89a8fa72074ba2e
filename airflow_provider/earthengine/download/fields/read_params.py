"""A user's dict -> :class:`DownloadParams`.

Earth Engine ignores parameters that it does not know and turns ``format=None`` into a JPEG. Here
every mistake is an error before anything is sent.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider.earthengine.download.fields.params import (
    FORMATS,
    ZIPPED_GEO_TIFF,
    ZIPPED_GEO_TIFF_PER_BAND,
    BandParams,
    DownloadParams,
)
from airflow_provider.earthengine.download.fields.region import Region, read_region
from airflow_provider.earthengine.download.fields.values import (
    read_boolean,
    read_json,
    read_number,
    read_positive_integer,
    read_text,
    shown,
    shown_names,
)
from airflow_provider.earthengine.exceptions import DownloadParamsError

MAX_NAME_LENGTH = 200
_NAME = re.compile(r"[\w.()+@-][\w.()+@ -]*")


def read_params(
    raw: Mapping[str, Any] | str, read_region: Callable[[Any], Any] = read_region
) -> DownloadParams:
    """Return the parameters that a user's dict describes.

    :param raw: keys of ``ee.data.getDownloadId``, except ``image``; a dict, or JSON text of one.
    :param read_region: reads the region.
    :raises DownloadParamsError: if Earth Engine would refuse, misread or silently ignore one.
    """
    given = read_json("download_params", raw)
    if not isinstance(given, Mapping):
        raise DownloadParamsError(
            f"download_params is {shown(raw)}; write a dict with the keys of getDownloadId.",
            field="download_params",
        )
    _check_keys("download_params", given, _READERS)
    readers = _readers(read_region)
    values = {key: readers[key](key, value) for key, value in given.items()}
    file_per_band = values.pop("filePerBand", True)
    file_format = values.pop("format", None) or (
        ZIPPED_GEO_TIFF_PER_BAND if file_per_band else ZIPPED_GEO_TIFF
    )
    params = DownloadParams(**values, file_format=file_format)
    _check_own("download_params", params)
    everything = params.band(BandParams("", dimensions=params.dimensions))
    _check_merged("download_params", everything, params.region)
    for band in params.bands:
        _check_band(band, params)
    return params


def check_params_in_part(
    given: Mapping[Any, Any],
    is_literal: Callable[[Any], bool],
    read_region: Callable[[Any], object],
) -> None:
    """Raise if a key, or a value that is a literal, can never be right.

    :raises DownloadParamsError: if one cannot.
    """
    _check_keys("download_params", given, _READERS)
    readers = _readers(read_region)
    for key, value in given.items():
        if is_literal(value):
            readers[key](key, value)


def _readers(read_region: Callable[[Any], Any]) -> dict[str, Callable[[str, Any], Any]]:
    return {**_READERS, "region": lambda _key, value: read_region(value)}


def _check_keys(where: str, raw: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for key, value in raw.items():
        if key == "id" and "id" not in known:
            raise DownloadParamsError(
                "download_params has the deprecated key 'id'; pass the asset id as the operator's "
                "image.",
                field="id",
            )
        if key == "image":
            raise DownloadParamsError(
                "download_params has the key 'image'; pass it as the operator's image.",
                field="image",
            )
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"use one of {', '.join(known)}."
            raise DownloadParamsError(
                f"{where} has the unknown key {shown(key)}; {hint}", field=key
            )
        if value is None:
            raise DownloadParamsError(
                f"{where} has {key}=None, which Earth Engine does not treat as unset; "
                "leave the key out.",
                field=key,
            )


def _check_own(where: str, params: DownloadParams | BandParams) -> None:
    """Refuse contradictions within one dict."""
    if params.dimensions and params.scale:
        raise DownloadParamsError(
            f"{where} has both dimensions and scale, and Earth Engine would ignore scale; "
            "leave one out.",
            field="scale",
        )


def _check_merged(where: str, band: BandParams, region: Region | None) -> None:
    """Refuse contradictions once a band has inherited the download's values."""
    if band.crs_transform and not band.crs:
        raise DownloadParamsError(
            f"{where} has crs_transform without crs; add the crs of the transform.", field="crs"
        )
    if band.crs_transform and len(band.dimensions or ()) == 1:
        raise DownloadParamsError(
            f"{where} has crs_transform and a single number as dimensions, and Earth Engine would "
            "ignore the pixel size of crs_transform; write dimensions as [width, height].",
            field="dimensions",
        )
    if region and band.dimensions and (band.crs_transform or band.scale):
        raise DownloadParamsError(
            f"{where} has region, dimensions and crs_transform, which Earth Engine does not accept "
            "together; leave region out: crs, crs_transform and dimensions already define the "
            "grid.",
            field="region",
        )


def _check_band(band: BandParams, params: DownloadParams) -> None:
    if band.has_transformations and params.file_format != ZIPPED_GEO_TIFF_PER_BAND:
        ignored = ", ".join(key for key in band.to_dict() if key != "id")
        raise DownloadParamsError(
            f"band {shown_names([band.id])} has its own {ignored}, which Earth Engine ignores with "
            f"format {params.file_format}; use ZIPPED_GEO_TIFF_PER_BAND, or set it for all bands.",
            field="bands",
        )
    _check_own(f"band {band.id}", band)
    _check_merged(f"band {band.id}", params.band(band), params.region)


def read_name(key: str, value: Any) -> str:
    """Return text that may become part of object names."""
    name = read_text(key, value)
    if not _NAME.fullmatch(name) or ".." in name or len(name) > MAX_NAME_LENGTH:
        raise DownloadParamsError(
            f"{key} is {shown(value)} and becomes part of object names; use letters, digits and "
            f". _ - ( ) + @, no slash, at most {MAX_NAME_LENGTH} characters.",
            field=key,
        )
    return name


def _read_format(key: str, value: Any) -> str:
    name = read_text(key, value).upper()
    if name not in FORMATS:
        raise DownloadParamsError(
            f"{key} is {shown(value)}; use one of {', '.join(FORMATS)}.", field=key
        )
    return name


def _read_number_above_zero(key: str, value: Any) -> float:
    number = read_number(key, value)
    if number <= 0:
        raise DownloadParamsError(f"{key} is {shown(value)}; write metres above 0.", field=key)
    return number


def _read_transform(key: str, value: Any) -> tuple[float, ...]:
    value = read_json(key, value)
    terms = value.split(",") if isinstance(value, str) else value
    if not isinstance(terms, list | tuple) or len(terms) != 6:
        raise DownloadParamsError(
            f"{key} is {shown(value)}; write six numbers: "
            "xScale, xShearing, xTranslation, yShearing, yScale, yTranslation.",
            field=key,
        )
    a, b, c, d, e, f = (read_number(key, term) for term in terms)
    if a * e - b * d == 0:
        raise DownloadParamsError(
            f"{key} is {shown(value)}, whose pixels have no area; xScale or yScale is 0.", field=key
        )
    return a, b, c, d, e, f


def _read_dimensions(key: str, value: Any) -> tuple[int, ...]:
    value = read_json(key, value)
    sides = value.lower().split("x") if isinstance(value, str) else value
    sides = sides if isinstance(sides, list | tuple) else [sides]
    if len(sides) not in (1, 2):
        raise DownloadParamsError(
            f"{key} is {shown(value)}; write [width, height] or the longest side, in pixels.",
            field=key,
        )
    return tuple(read_positive_integer(key, side) for side in sides)


def _read_bands(key: str, value: Any) -> tuple[BandParams, ...]:
    value = read_json(key, value)
    if isinstance(value, str):
        value = [band_id.strip() for band_id in value.split(",")]
    if not isinstance(value, list) or not value:
        raise DownloadParamsError(
            f"{key} is {shown(value)}; write a list of band ids, or a list of dicts with an id "
            "each, or leave it out for all bands.",
            field=key,
        )
    if len({isinstance(band, Mapping) for band in value}) > 1:
        raise DownloadParamsError(
            f"{key} is {shown(value)}, which mixes ids and dicts; use only one of the two.",
            field=key,
        )
    bands = tuple(_read_band(band) for band in value)
    ids = [band.id for band in bands]
    twice = sorted(band_id for band_id, count in Counter(ids).items() if count > 1)
    if twice:
        raise DownloadParamsError(f"{key} names {shown_names(twice)} more than once.", field=key)
    return bands


def _read_band(value: Any) -> BandParams:
    if not isinstance(value, Mapping):
        return BandParams(id=read_text("a band id in bands", value))
    _check_keys("a band in bands", value, _BAND_READERS)
    if "id" not in value:
        raise DownloadParamsError(
            f"bands holds {shown(dict(value))}; every band needs an id.", field="bands"
        )
    return BandParams(**{key: _BAND_READERS[key](key, item) for key, item in value.items()})


_BAND_READERS: dict[str, Callable[[str, Any], Any]] = {
    "id": read_text,
    "crs": read_text,
    "crs_transform": _read_transform,
    "dimensions": _read_dimensions,
    "scale": _read_number_above_zero,
}
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "name": read_name,
    "bands": _read_bands,
    "crs": read_text,
    "crs_transform": _read_transform,
    "dimensions": _read_dimensions,
    "scale": _read_number_above_zero,
    "region": lambda _, value: read_region(value),
    "filePerBand": read_boolean,
    "format": _read_format,
}
