"""Functions for your own image functions: cloud masks, Landsat's scales, composites; and for DAGs.

Import them, or copy what you need: each is a few lines of Earth Engine's own client. All but
:func:`downloads_of_regions` and :func:`downloads_of_events` run where Earth Engine is initialised,
which is so in a function that is passed as ``image`` or decorated with
``@task.earthengine_to_s3``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.exceptions import DownloadParamsError

if TYPE_CHECKING:
    import ee

# Vegetation, bare soil, water. Source:
# https://developers.google.com/earth-engine/datasets/catalog/COPERNICUS_S2_SR_HARMONIZED (2025-08)
CLEAR_CLASSES = (4, 5, 6)
# Its page suggests to keep scores from 0.50 to 0.65 on. Source: https://developers.google.com/
# earth-engine/datasets/catalog/GOOGLE_CLOUD_SCORE_PLUS_V1_S2_HARMONIZED (2025-08)
CLOUD_SCORE_COLLECTION = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
# Source: https://developers.google.com/earth-engine/datasets/catalog/LANDSAT_LC08_C02_T1_L2
# (2025-08). The bits of QA_PIXEL: fill, dilated cloud, cirrus, cloud, cloud shadow.
_UNCLEAR_BITS = 0b11111
_LANDSAT_SCALES = {"SR_B": (0.0000275, -0.2), "ST_B": (0.00341802, 149.0)}


def mask_by_scene_class(image: ee.Image, keep: Collection[int] = CLEAR_CLASSES) -> ee.Image:
    """Return a Sentinel-2 image (level 2A) with all pixels masked but those of some classes.

    :param keep: classes of the band SCL.
    """
    scene = image.select("SCL")
    first, *others = sorted(keep)
    is_kept = scene.eq(first)
    for each in others:
        is_kept = is_kept.Or(scene.eq(each))
    return image.updateMask(is_kept)


def mask_by_cloud_score(
    image: ee.Image, least: float = 0.6, band: str = "cs_cdf", scores: str = CLOUD_SCORE_COLLECTION
) -> ee.Image:
    """Return a Sentinel-2 image whose pixels are masked where Cloud Score+ says they are not clear.

    An image that has no score is masked wholly.

    :param least: from 0 (cloud) to 1 (clear).
    :param band: "cs_cdf", which is more robust to haze and edges, or "cs".
    """
    import ee

    index = ee.Filter.eq("system:index", image.get("system:index"))
    score = ee.ImageCollection(scores).filter(index).select(band).mosaic()
    # Without a score, the mosaic has no band, and the last one is the constant.
    clear_share = ee.Image.constant(-1).addBands(score).slice(-1)
    masked: ee.Image = image.updateMask(clear_share.gte(least))
    return masked


def mask_landsat_clouds(image: ee.Image) -> ee.Image:
    """Return a Landsat image (Collection 2) with clouds, their shadows, cirrus and fill masked."""
    return image.updateMask(image.select("QA_PIXEL").bitwiseAnd(_UNCLEAR_BITS).eq(0))


def scale_landsat(image: ee.Image, bands: Collection[str]) -> ee.Image:
    """Return bands of a Landsat image (Collection 2, level 2) as reflectance and kelvin.

    :param bands: such as SR_B4 and ST_B10; each needs a scale, so QA_PIXEL is refused.
    :raises DownloadParamsError: if a band has no scale.
    """
    import ee

    first, *others = (_scale_band(image, band) for band in bands)
    for each in others:
        first = first.addBands(each)
    scaled: ee.Image = ee.Image(first.copyProperties(image, ["system:time_start", "system:index"]))
    return scaled


def landsat_scales(bands: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the scale and offset of bands of Landsat (Collection 2, level 2), for ``record``.

    For images that are downloaded as they are, in half the bytes of :func:`scale_landsat`:
    ``record={"bands": landsat_scales(["SR_B4", "SR_B5"])}``.

    :param bands: such as SR_B4 and ST_B10.
    :raises DownloadParamsError: if a band has no scale.
    """
    scales = {band: _scale_of(band) for band in bands}
    return {
        band: {"scale": scale, "offset": offset, **({"unit": "K"} if band[:2] == "ST" else {})}
        for band, (scale, offset) in scales.items()
    }


def _scale_of(band: str) -> tuple[float, float]:
    if band[:4] not in _LANDSAT_SCALES:
        raise DownloadParamsError(
            f"The band {band!r} has no scale; the surface bands of Landsat, SR_B... and ST_B..., "
            "have.",
            field="bands",
        )
    return _LANDSAT_SCALES[band[:4]]


def _scale_band(image: ee.Image, band: str) -> ee.Image:
    scale, offset = _scale_of(band)
    scaled: ee.Image = image.select([band]).multiply(scale).add(offset).toFloat()
    return scaled


def monthly_median(
    collection: str, month: str, prepare: Callable[[ee.Image], ee.Image]
) -> ee.Image:
    """Return the median of a month's images, as floats.

    :param month: for example "2021-01", in UTC.
    :param prepare: applied to each image, such as a mask; may also select bands.
    """
    import ee

    start, end = _month(month)
    images = ee.ImageCollection(collection).filterDate(start, end)
    composite: ee.Image = images.map(prepare).median().toFloat()
    return composite


def _month(text: str) -> tuple[str, str]:
    try:
        start = date.fromisoformat(f"{text}-01")
    except (TypeError, ValueError):
        raise DownloadParamsError(
            f"month is {text!r:.60}; write it as in '2021-01'.", field="month"
        ) from None
    return start.isoformat(), (start + timedelta(days=31)).replace(day=1).isoformat()


def downloads_of_regions(
    regions: Mapping[str, Any], download_params: Mapping[str, Any] | None = None, **fields: Any
) -> list[dict[str, Any]]:
    """Return a download for each region, for ``EarthEngineToS3Operator.partial().expand_kwargs``.

    :param regions: name -> region, as ``download_params`` takes it; the name is that of the
        objects.
    :param download_params: those that all downloads share; they replace those of ``partial``.
    :param fields: further fields of the operator, the same for all.
    :raises DownloadParamsError: if there is no region, or ``download_params`` has a name or region.
    """
    shared = dict(download_params or {})
    if not regions:
        raise DownloadParamsError("regions names no region.", field="regions")
    if twice := sorted({"name", "region"} & set(shared)):
        raise DownloadParamsError(
            f"download_params has {' and '.join(twice)}, which the regions give; remove it.",
            field="download_params",
        )
    return [
        {**fields, "download_params": {**shared, "name": name, "region": region}}
        for name, region in regions.items()
    ]


def downloads_of_events(events: Mapping[Any, Iterable[Any]]) -> list[dict[str, Any]]:
    """Return a download for each image that a watcher announced, to expand a task over.

    An image that was announced more than once is downloaded once, as of its newest version. Events
    of other origins, such as one that a person made, are passed over.

    :param events: ``triggering_asset_events`` of the run.
    """
    newest: dict[str, Mapping[str, Any]] = {}
    announced = (event for of_asset in events.values() for event in of_asset)
    for image in (image for event in announced for image in _images(event)):
        known = newest.setdefault(image["asset_id"], image)
        if (image.get("version") or 0) > (known.get("version") or 0):
            newest[image["asset_id"]] = image
    return [dict(image["download"]) for image in newest.values()]


def _images(event: Any) -> list[Mapping[str, Any]]:
    """Return the images that a watcher's event names; none for any other event."""
    payload = (event.extra or {}).get("payload")
    images = payload.get("images") if isinstance(payload, Mapping) else None
    return [
        image
        for image in (images if isinstance(images, list) else [])
        if isinstance(image, Mapping) and {"asset_id", "download"} <= set(image)
    ]
