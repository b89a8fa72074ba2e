"""Access to published rasters for the tasks that follow a download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rasterio.io import DatasetReader


@contextmanager
def open_raster(uri: str, aws_conn_id: str = "aws_default") -> Iterator[DatasetReader]:
    """Open a published raster as a rasterio dataset that reads it block by block.

    Use it as ``with open_raster(uri) as dataset:``.

    :param uri: ``s3://bucket/key`` of a GeoTIFF, for example from the operator's XCom.
    :param aws_conn_id: the AWS connection; its endpoint and credentials are used.
    :raises rasterio.errors.RasterioIOError: if it does not exist or is not a raster.
    """
    import rasterio
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from rasterio.session import AWSSession

    hook = S3Hook(aws_conn_id=aws_conn_id)
    client: Any = hook.get_conn()
    endpoint = urlsplit(client.meta.endpoint_url)
    options: dict[str, Any] = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
    own_endpoint = None
    if not (endpoint.hostname or "").endswith("amazonaws.com"):
        own_endpoint = endpoint.netloc
        options |= {
            "AWS_HTTPS": "YES" if endpoint.scheme == "https" else "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
        }
    session = AWSSession(hook.get_session(), endpoint_url=own_endpoint)
    with rasterio.Env(session=session, **options), rasterio.open(uri) as dataset:
        yield dataset
