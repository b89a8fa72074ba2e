"""Which environment does a child get? A small one: nothing of the caller's accounts or proxies."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT_FOLDER = Path(__file__).resolve().parent.parent

# Everything else of the caller's environment stays outside: credentials, proxies, AIRFLOW__*, and
# PYTHONDONTWRITEBYTECODE, with which every start of the airflow command costs three seconds more.
_INHERITED = ("LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


def child_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child whose home is this folder.

    :param home: becomes HOME, so that no configuration or credential file of the user is read.
    :param extra: what this child needs besides.
    """
    scripts = Path(sys.executable).parent
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "HOME": str(home),
        "PATH": os.pathsep.join([str(scripts), "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONUNBUFFERED": "1",
        # Loopback is reached directly; anything else meets a port where nobody listens.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        # boto3 must not look for an instance role, nor in the user's files.
        "AWS_EC2_METADATA_DISABLED": "true",
        **(extra or {}),
    }


def installed_program(name: str) -> Path:
    """Return the path of a program that the virtual environment holds.

    :raises FileNotFoundError: it is not installed.
    """
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise FileNotFoundError(
            f"{name} is not installed beside {sys.executable}: run `make install`"
        )
    return path
