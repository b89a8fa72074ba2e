"""A raster in S3 -> a rasterio dataset, with the credentials of Airflow's AWS connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.hooks.gdal_options import gdal_environment

if TYPE_CHECKING:
    from rasterio.io import DatasetReader


@contextmanager
def open_stored_raster(uri: str, aws_conn_id: str) -> Iterator[DatasetReader]:
    """Open the raster at ``s3://bucket/key``.

    :raises rasterio.errors.RasterioIOError: if it does not exist or is not a raster.
    """
    import rasterio

    with gdal_environment(aws_conn_id, uri.removeprefix("s3://")), rasterio.open(uri) as dataset:
        yield dataset


def read_raster_grid(uri: str, aws_conn_id: str) -> tuple[str, tuple[float, ...]]:
    """Return the crs, as a code or WKT ("" for none), and the transform a b c d e f of a raster.

    :raises DownloadParamsError: if it does not exist or is not a raster.
    """
    from rasterio.errors import RasterioError

    try:
        with open_stored_raster(uri, aws_conn_id) as dataset:
            crs, transform = dataset.crs, tuple(dataset.transform)[:6]
    except RasterioError:
        raise DownloadParamsError(
            f"{uri} does not exist, may not be read, or is not a raster; check the URI and the "
            f"AWS connection {aws_conn_id}."
        ) from None
    if not crs:
        return "", transform
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt()), transform
