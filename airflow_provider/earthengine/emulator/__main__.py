"""The emulator as a program: ``python -m airflow_provider.earthengine.emulator``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from airflow_provider.earthengine.emulator.access.quotas import Quotas
from airflow_provider.earthengine.emulator.api.downloads import Encoding
from airflow_provider.earthengine.emulator.formats.kept_files import KeptFiles
from airflow_provider.earthengine.emulator.server import Address, Tls, serve
from airflow_provider.earthengine.emulator.strict_json import CatalogError


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if (options.certfile is None) != (options.keyfile is None):
        print("error: --certfile and --keyfile must be given together", file=sys.stderr)
        return 2
    tls = Tls(options.certfile, options.keyfile) if options.certfile else None
    address = Address(options.host, options.port)
    try:
        with serve(
            options.catalog,
            options.project,
            options.require_auth,
            address=address,
            tls=tls,
            admin_token=options.admin_token,
            encoding=Encoding(
                options.deflate_level,
                options.npy_masked == "least",
                KeptFiles(options.keep_files) if options.keep_files else None,
            ),
            quotas=Quotas(
                options.max_concurrent_requests, options.max_requests_per_second, options.max_pixels
            ),
        ) as emulator:
            print(f"Earth Engine emulator ready at {emulator.url}", flush=True)
            stop.wait()
    except (CatalogError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, not {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider.earthengine.emulator",
        description="A strict stand-in for Earth Engine's REST API.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=0, help="0 chooses a free port")
    parser.add_argument("--catalog", type=Path, help="directory of asset descriptions")
    parser.add_argument("--project", default="demo", help="the project that callers may use")
    parser.add_argument("--certfile", type=Path, help="serve https with this certificate (PEM)")
    parser.add_argument("--keyfile", type=Path, help="the certificate's private key (PEM)")
    parser.add_argument(
        "--require-auth", action="store_true", help="refuse requests without credentials"
    )
    parser.add_argument(
        "--admin-token", help="admits clients on other machines to the admin routes"
    )
    parser.add_argument(
        "--deflate-level", type=int, choices=range(10), default=9, help="9 is the real service's"
    )
    parser.add_argument(
        "--npy-masked", choices=("zero", "least"), default="zero", help="masked pixels in NPY"
    )
    parser.add_argument(
        "--keep-files",
        type=Path,
        metavar="FOLDER",
        help="write each GeoTIFF or NPY once to this empty folder, and answer repeats from there",
    )
    for name, text in {
        "concurrent-requests": "the most requests at once; others get 429",
        "requests-per-second": "the most requests per second; others get 429",
        "pixels": "the most pixels per band; above: User memory limit exceeded",
    }.items():
        parser.add_argument(f"--max-{name}", type=int, help=text, metavar="N")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
