"""Access to published rasters for the tasks that follow a download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.exceptions import DownloadParamsError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader


@contextmanager
def open_raster(uri: str, aws_conn_id: str = "aws_default") -> Iterator[DatasetReader]:
    """Open a published raster as a rasterio dataset that reads it block by block.

    Use it as ``with open_raster(uri) as dataset:``.

    :param uri: ``s3://bucket/key`` of a GeoTIFF, for example from the operator's XCom.
    :param aws_conn_id: the AWS connection; its endpoint, credentials, role, CA and proxy are used.
        Credentials that expire are those at the time of opening.
    :raises DownloadParamsError: if it is not a URI, for example the list that the operator returns.
    :raises rasterio.errors.RasterioIOError: if it does not exist or is not a raster.
    """
    from airflow_provider.earthengine.hooks.stored_raster import open_stored_raster

    _check_uri(uri)
    with open_stored_raster(uri, aws_conn_id) as dataset:
        yield dataset


def _check_uri(uri: Any) -> None:
    if isinstance(uri, str) and uri.startswith("s3://"):
        return
    if isinstance(uri, str):
        raise DownloadParamsError(f"uri is {uri[:60]!r}; write s3://bucket/key.", field="uri")
    raise DownloadParamsError(
        f"uri is a {type(uri).__name__}, and open_raster opens one raster; expand the task over "
        "the URIs, with .expand(uri=...), or open each in a loop.",
        field="uri",
    )
