"""What a region masks, for requests that name their pixels in another way than the user did."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.fields.image import prepare_request
from airflow_provider.earthengine.download.fields.params import BandParams, DownloadParams
from airflow_provider.earthengine.exceptions import DownloadParamsError


def clip_to_region(image: Any, params: DownloadParams) -> Any:
    """Return the image masked outside the region, where Earth Engine masks it by itself.

    It does so for a region alone; with a scale or dimensions it crops to the region's bounds.

    :param image: an ``ee.Image``.
    :raises DownloadParamsError: when it would mask some bands and some not.
    """
    return image.clip(_geometry_of(params)) if _masks_outside(params) else image


def _masks_outside(params: DownloadParams) -> bool:
    if params.region is None:
        return False
    merged = [params.band(band) for band in params.bands or (BandParams(""),)]
    crops = {bool(band.dimensions or (band.scale and not band.crs_transform)) for band in merged}
    if len(crops) > 1:
        raise DownloadParamsError(
            "region is given, and a scale for some bands only, so that some would be masked "
            "outside the region and some not; give a scale for all bands or for none.",
            field="bands",
        )
    return not crops.pop()


def _geometry_of(params: DownloadParams) -> Any:
    import ee

    region = prepare_request(params)["region"]
    if isinstance(region, ee.Geometry):
        return region
    if isinstance(region, dict):
        return ee.Geometry(region, None, geodesic=False)
    if len(region) == 4 and not isinstance(region[0], list):
        return ee.Geometry.Rectangle(region, None, geodesic=False)
    return ee.Geometry.Polygon(region, None, geodesic=False)
