"""The five downloads on the reference page of ``ee.data.getDownloadId``, as five tasks.

One image, one small region: an array, a file per band, a file with several bands, bands with their
own scales, and a plain GeoTIFF. A last task opens the published files and compares them. Run it
with

    airflow dags test getdownloadid_examples --conf '{"s3_bucket": "my-bucket"}'

Source: https://developers.google.com/earth-engine/apidocs/ee-data-getdownloadid, read 2025-07.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag, task

from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

# A Sentinel-2 surface reflectance image, and a small region within it.
IMAGE = "COPERNICUS/S2_SR/20210109T185751_20210109T185931_T10SEG"
REGION = [-122.0859, 37.0436, -122.0626, 37.0586]
BANDS = ["B3", "B8", "B11"]

EXAMPLES: dict[str, dict[str, Any]] = {
    # A chunk of the image as a NumPy structured array.
    "array": {"bands": BANDS, "region": REGION, "scale": 20, "format": "NPY"},
    # A GeoTIFF per band, each at its own resolution.
    "single_band": {"name": "single_band", "bands": BANDS, "region": REGION},
    # One GeoTIFF with all bands.
    "multi_band": {
        "name": "multi_band",
        "bands": BANDS,
        "region": REGION,
        "scale": 20,
        "filePerBand": False,
    },
    # A GeoTIFF per band, with a scale for each.
    "custom_single_band": {
        "name": "custom_single_band",
        "bands": [
            {"id": "B3", "scale": 10},
            {"id": "B8", "scale": 10},
            {"id": "B11", "scale": 20},
        ],
        "region": REGION,
    },
    # One GeoTIFF with all bands, not wrapped in a zip file.
    "geotiff": {"bands": BANDS, "region": REGION, "scale": 20, "format": "GEO_TIFF"},
}


@task
def check_pixels(uris: dict[str, list[str]], aws_conn_id: str = "aws_default") -> dict[str, str]:
    """Open every published raster, and compare the pixels that must be equal.

    :param uris: the published URIs by example.
    :return: band -> a short description.
    """
    import numpy as np

    (array_uri,) = uris["array"]
    (multi_band_uri,), (geotiff_uri,) = uris["multi_band"], uris["geotiff"]
    array = read_array(array_uri, aws_conn_id)
    single = [read_bands(uri, aws_conn_id)[0] for uri in uris["single_band"]]
    custom = [read_bands(uri, aws_conn_id)[0] for uri in uris["custom_single_band"]]
    multi, geotiff = read_bands(multi_band_uri, aws_conn_id), read_bands(geotiff_uri, aws_conn_id)

    for index, band in enumerate(BANDS):
        np.testing.assert_array_equal(single[index], custom[index])
        np.testing.assert_array_equal(multi[index], geotiff[index])
        np.testing.assert_array_equal(multi[index], array[band])
    # B11 has 20 m pixels, so requesting 20 m changes nothing; B3 and B8 are finer.
    np.testing.assert_array_equal(single[2], multi[2])
    described = {
        band: f"{pixels.dtype}, {pixels.shape[1]} x {pixels.shape[0]} px, mean {pixels.mean():.1f}"
        for band, pixels in zip(BANDS, single, strict=True)
    }
    expected = {"B3": (170, 209), "B8": (170, 209), "B11": (86, 105)}
    shapes = {band: pixels.shape for band, pixels in zip(BANDS, single, strict=True)}
    if shapes != expected or any(pixels.std() == 0 for pixels in single):
        raise ValueError(
            f"The bands are {described}, but rows and columns of {expected} were expected"
        )
    for band, text in described.items():
        log.info("%s: %s", band, text)
    return described


def read_bands(uri: str, aws_conn_id: str) -> list[np.ndarray[Any, Any]]:
    """Return the bands of a published GeoTIFF, after checking its CRS and pixel size."""
    with open_raster(uri, aws_conn_id=aws_conn_id) as raster:
        if raster.crs.to_string() != "EPSG:32610" or raster.res not in ((10, 10), (20, 20)):
            raise ValueError(f"{uri} is in {raster.crs}, with pixels of {raster.res}")
        return list(raster.read())


def read_array(uri: str, aws_conn_id: str) -> np.ndarray[Any, Any]:
    """Return the published structured array: one field per band."""
    import io

    import numpy as np
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, key = S3Hook.parse_s3_url(uri)
    content = S3Hook(aws_conn_id).get_key(key, bucket).get()["Body"].read()
    array: np.ndarray[Any, Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


@dag(
    schedule=None,
    params={"s3_bucket": Param("demo", type="string", description="An existing bucket")},
    tags=["earthengine"],
    doc_md=__doc__,
)
def getdownloadid_examples() -> None:
    published: dict[str, Any] = {
        name: EarthEngineToS3Operator(
            task_id=name,
            image=IMAGE,
            download_params=download_params,
            layout="as_served",
            s3_bucket="{{ params.s3_bucket }}",
            s3_prefix="examples",
        ).output
        for name, download_params in EXAMPLES.items()
    }
    check_pixels(published)


getdownloadid_examples()
