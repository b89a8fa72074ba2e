"""Access to the STAC items of a series for the tasks that follow its downloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from airflow_provider.earthengine.hooks.s3 import open_bucket

if TYPE_CHECKING:
    from pystac import Item


@contextmanager
def open_items(uri: str, aws_conn_id: str = "aws_default") -> Iterator[list[Item]]:
    """Yield the items below a prefix in order of time; in the block, GDAL reads their rasters.

    Use it as ``with open_items(uri) as items:``, around what loads them, for example
    ``odc.stac.load(items, bands=["ndvi"]).load()``.

    :param uri: ``s3://bucket/prefix``, for example that of a collection.
    :param aws_conn_id: the AWS connection; its endpoint, credentials, role, CA and proxy are used.
        Credentials that expire are those at the time of opening.
    :raises DownloadParamsError: if it is not a URI.
    :raises AssetNotFoundError: if there is no item.
    """
    from airflow_provider.earthengine.download.publish.compare import read_prefix_uri
    from airflow_provider.earthengine.download.publish.items_below import read_items
    from airflow_provider.earthengine.hooks.gdal_options import gdal_environment

    name, prefix = read_prefix_uri(uri)
    with closing(open_bucket(aws_conn_id, name)) as bucket:
        items = read_items(bucket, prefix)
    with gdal_environment(aws_conn_id, f"{name}/{prefix}"):
        yield items
