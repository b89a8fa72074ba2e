"""Image and region -> the image masked as Earth Engine would, for requests that pin the grid."""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.fields.image import prepare_request
from airflow_provider.earthengine.download.fields.params import BandParams, DownloadParams
from airflow_provider.earthengine.exceptions import DownloadParamsError


def clip_to_region(image: Any, params: DownloadParams) -> Any:
    """Return the image masked outside the region, if Earth Engine itself would mask it.

    It does so for a region alone; with a scale or dimensions it crops to the region's bounds.

    :param image: an ``ee.Image``.
    :raises DownloadParamsError: if it would mask only some of the bands.
    """
    return image.clip(_geometry_of(params)) if _masks_outside(params) else image


def _masks_outside(params: DownloadParams) -> bool:
    if params.region is None:
        return False
    merged = [params.band(band) for band in params.bands or (BandParams(""),)]
    crops = {bool(band.dimensions or (band.scale and not band.crs_transform)) for band in merged}
    if len(crops) > 1:
        raise DownloadParamsError(
            "region is given with a scale for some bands only, so only the others would be masked "
            "outside the region; set a scale for all bands or for none.",
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
