"""The emulator as a program: ``python -m airflow_provider.earthengine.emulator``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from airflow_provider.earthengine.emulator.descriptions import CatalogError
from airflow_provider.earthengine.emulator.server import Address, Tls, serve


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT and returns the exit code."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if (options.certfile is None) != (options.keyfile is None):
        print("error: --certfile and --keyfile belong together", file=sys.stderr)
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
        ) as emulator:
            print(f"Earth Engine emulator ready at {emulator.url}", flush=True)
            stop.wait()
    except (CatalogError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider.earthengine.emulator",
        description="A strict stand-in for Earth Engine's REST API.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--catalog", type=Path, help="directory of asset descriptions")
    parser.add_argument("--project", default="demo", help="the project that callers may use")
    parser.add_argument("--certfile", type=Path, help="serve https with this certificate (PEM)")
    parser.add_argument("--keyfile", type=Path, help="the certificate's private key (PEM)")
    parser.add_argument(
        "--require-auth", action="store_true", help="refuse requests without credentials"
    )
    parser.add_argument(
        "--admin-token", help="lets clients on other machines use the admin routes with it"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
