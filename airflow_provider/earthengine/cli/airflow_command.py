"""``airflow earthengine ...``: the same commands, below Airflow's own program."""

from __future__ import annotations

import argparse
from typing import Any


def get_cli_commands() -> list[Any]:
    """Return the command for Airflow, which calls this each time it starts."""
    from airflow.cli.cli_config import ActionCommand, Arg

    arguments = Arg(  # type: ignore[no-untyped-call]  # Airflow's
        ("arguments",),
        nargs=argparse.REMAINDER,
        help="plan, download, verify, collection, index, emulator or demo, and its arguments",
    )
    return [
        ActionCommand(
            name="earthengine",
            help="Download rasters from Google Earth Engine to S3",
            description="The same as the program earthengine-to-s3.",
            func=run,
            args=(arguments,),
        )
    ]


def run(options: argparse.Namespace) -> None:
    """Run what was given after ``airflow earthengine``."""
    from airflow_provider.earthengine.cli.program import main

    code = main(options.arguments or ["--help"], "airflow earthengine")
    if code:
        raise SystemExit(code)
