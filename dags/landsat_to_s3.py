"""A Landsat 7 scene, one file per band, with a quick-look of each file.

Shows how to map a downstream task over the URIs that the operator returns. Run it with

    airflow dags test landsat_to_s3 --conf '{"s3_bucket": "my-bucket"}'
"""

from __future__ import annotations

import logging

from airflow.sdk import Param, dag, task

from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

log = logging.getLogger(__name__)


@task(map_index_template="{{ task.op_kwargs['uri'].split('/')[-1] }}")
def draw_quicklook(uri: str, aws_conn_id: str = "aws_default") -> str:
    """Log statistics of a raster, and write a grey picture of its first band to the bucket.

    :param uri: ``s3://`` URI of a GeoTIFF.
    :return: ``s3://`` URI of the PNG.
    """
    # Imported here, because the DAG processor imports this file every few seconds.
    import numpy as np
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from rasterio.io import MemoryFile

    with open_raster(uri, aws_conn_id=aws_conn_id) as raster:
        pixels = raster.read(1, masked=True).astype("float64")
        place = {"crs": raster.crs, "transform": raster.transform}
        log.info("%s: %d x %d pixels, %s", uri, raster.width, raster.height, raster.crs)
    log.info("smallest %g, mean %g, largest %g", pixels.min(), pixels.mean(), pixels.max())

    darkest, brightest = np.percentile(pixels.compressed(), (2, 98))
    grey = np.interp(pixels.filled(darkest), (darkest, brightest), (0, 255)).astype("uint8")
    bucket, key = S3Hook.parse_s3_url(uri)
    picture = f"quicklooks/{key.removesuffix('.tif')}.png"
    with MemoryFile() as png:
        height, width = grey.shape
        shape = {"width": width, "height": height, "count": 1, "dtype": "uint8"}
        with png.open(driver="PNG", **shape, **place) as out:
            out.write(grey, 1)
        S3Hook(aws_conn_id).load_bytes(png.read(), picture, bucket, replace=True)
    return f"s3://{bucket}/{picture}"


@dag(
    schedule=None,
    params={"s3_bucket": Param("demo", type="string", description="An existing bucket")},
    tags=["earthengine"],
    doc_md=__doc__,
)
def landsat_to_s3() -> None:
    download = EarthEngineToS3Operator(
        task_id="download",
        image="projects/demo/assets/landsat7_olinda",
        download_params={"format": "ZIPPED_GEO_TIFF_PER_BAND"},
        layout="as_served",
        s3_bucket="{{ params.s3_bucket }}",
        s3_prefix="landsat7",
    )
    draw_quicklook.expand(uri=download.output)


landsat_to_s3()
