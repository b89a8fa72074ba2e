"""The parameters of a download -> what the item records: the same types whatever form they have.

Tables of items, such as stac-geoparquet, have one type for each field, down to the depth of lists.
"""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine.download.fields.params import DownloadParams
from airflow_provider.earthengine.download.fields.region import Region


def record_params(params: DownloadParams, snapped: Region | None = None) -> dict[str, Any]:
    """Return the parameters of ``getDownloadId``, with bands as dicts and the region as GeoJSON.

    A region that is a table has no coordinates here; it is :func:`region_table`.

    :param snapped: the region that the parameters' pixels cover, if it is none of them.
    """
    request = params.to_request()
    region = request.pop("region", snapped)
    if region is not None and not isinstance(region, str):
        request["region"] = _multi_polygon(region)
    if "bands" in request:
        request["bands"] = [
            {"id": band} if isinstance(band, str) else band for band in request["bands"]
        ]
    return request


def region_table(params: DownloadParams) -> str | None:
    """Return the id of the table whose features are the region; None for another region."""
    return params.region if isinstance(params.region, str) else None


def _multi_polygon(region: dict[str, Any] | list[Any]) -> dict[str, Any]:
    if isinstance(region, dict):
        polygons = region["coordinates"]
        if region["type"] == "Polygon":
            polygons = [polygons]
        return {**region, "type": "MultiPolygon", "coordinates": polygons}
    if isinstance(region[0], list):
        ring = region if region[0] == region[-1] else [*region, region[0]]
    else:
        west, south, east, north = region
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "MultiPolygon", "coordinates": [[ring]]}
