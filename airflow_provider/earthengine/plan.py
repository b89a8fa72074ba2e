"""``python -m airflow_provider.earthengine.plan``: show what a download would take.

Earth Engine only describes the image; no pixel is computed, and nothing is published.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from airflow_provider.earthengine.download.fields.job import DownloadFields
from airflow_provider.earthengine.exceptions import EarthEngineProviderError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.one_line import one_line
from airflow_provider.earthengine.task.standalone import Connections, plan_alone


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan; return the exit code, 1 if the download cannot be planned."""
    options = _parser().parse_args(arguments)
    fields = DownloadFields(
        image=options.image,
        download_params=options.params,
        s3_bucket=options.bucket,
        s3_prefix=options.prefix,
        layout=options.layout,
        nodata=options.nodata,
        limits=options.limits,
    )
    try:
        plan = plan_alone(fields, Connections(options.earthengine_conn_id))
    except EarthEngineProviderError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the command's output
        return 1
    told = [*plan.lines(), *(f"Warning: {warning}" for warning in plan.info.warnings)]
    lines = [json.dumps(plan.to_dict(), indent=2)] if options.json else map(one_line, told)
    print("\n".join(lines))  # noqa: T201 - the command's output
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider.earthengine.plan", description=__doc__
    )
    parser.add_argument("image", help="an asset id, or the output of ee.Image.serialize()")
    parser.add_argument(
        "--params", default="{}", help="the parameters of ee.data.getDownloadId, as JSON"
    )
    parser.add_argument("--bucket", default="bucket", help="the bucket in the printed URIs")
    parser.add_argument("--prefix", default="", help="the key prefix in the printed URIs")
    parser.add_argument("--layout", help="cog, as_served or zip")
    parser.add_argument("--nodata", help="the value for masked pixels")
    parser.add_argument("--limits", help="the operator's limits, as JSON")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.add_argument(
        "--earthengine-conn-id",
        default=EarthEngineHook.default_conn_name,
        help="an Airflow connection, for example in AIRFLOW_CONN_EARTHENGINE_DEFAULT",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
