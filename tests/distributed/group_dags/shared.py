"""A raster that a group of tasks downloads, or one task."""

from __future__ import annotations

import json
import os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.transfers.earthengine_to_s3_group import earthengine_to_s3_group

with DAG("shared", schedule=None):
    earthengine_to_s3_group(
        "download",
        image="projects/demo/assets/tall",
        download_params={"format": "GEO_TIFF"},
        s3_bucket=os.environ["GROUP_BUCKET"],
        s3_prefix="shared/{{ run_id | replace(':', '-') }}",
        **json.loads(os.environ["GROUP_FIELDS"]),
        task_args={"retries": 4, "retry_delay": timedelta(seconds=1)},
    )

with DAG("alone", schedule=None):
    EarthEngineToS3Operator(
        task_id="download",
        image="projects/demo/assets/tall",
        download_params={"format": "GEO_TIFF"},
        s3_bucket=os.environ["GROUP_BUCKET"],
        s3_prefix="alone",
    )
