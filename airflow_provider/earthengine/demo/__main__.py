"""The demo as a program: ``python -m airflow_provider.earthengine.demo``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from airflow_provider.earthengine.demo.folder import held_folder
from airflow_provider.earthengine.demo.processes import StackError, interrupts_unwind
from airflow_provider.earthengine.exceptions import EarthEngineProviderError

# What the extra "demo" brings.
_NEEDED = ("cryptography", "starlette", "uvicorn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code."""
    options = _parser().parse_args(arguments)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        extra = "pip install 'airflow-provider-earthengine[demo]'"
        return _failed(f"{', '.join(missing)} is missing: {extra}")
    try:
        with interrupts_unwind(), held_folder(options.folder) as data_folder:
            _run(options, data_folder)
    except KeyboardInterrupt:
        print("Stopped.")  # noqa: T201 - the command's output
    except (StackError, OSError, EarthEngineProviderError) as error:
        return _failed(str(error))
    return 0


def _run(options: argparse.Namespace, data_folder: Path) -> None:
    # Before Airflow is imported, which would otherwise write its configuration to the user's home
    # and log what would bury the demo's lines.
    os.environ.setdefault("AIRFLOW_HOME", str(data_folder / "airflow"))
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    from airflow_provider.earthengine.demo.servers import Ports
    from airflow_provider.earthengine.demo.show import DemoOptions, show_demo

    ports = Ports(options.emulator_port, options.s3_port)
    show_demo(DemoOptions(options.folder, ports, not options.once), data_folder / "s3")


def _failed(text: str) -> int:
    print(f"demo: {text}", file=sys.stderr)  # noqa: T201 - the command's output
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider.earthengine.demo",
        description="Run an Earth Engine emulator and an S3 server on loopback, download an image"
        " between them, show it, and keep both running until Ctrl-C.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("earthengine-demo"),
        help="gets the picture, the item and a file of exports (default: %(default)s)",
    )
    parser.add_argument("--emulator-port", type=int, default=0, help="0 chooses a free port")
    parser.add_argument("--s3-port", type=int, default=0, help="0 chooses a free port")
    parser.add_argument("--once", action="store_true", help="stop after the download")
    return parser


if __name__ == "__main__":
    sys.exit(main())
