"""A virtual environment at the lower end of the version ranges, for one smoke test.

Every direct requirement of ``setup.cfg`` is installed at the lowest version in its range, and
everything else as of a day when that Airflow was current, because an old Airflow does not run with
newer libraries.
"""

from __future__ import annotations

import sys

from stack.environment import PROJECT_FOLDER
from stack.processes import StackError
from stack.uv import SideEnvironment

AIRFLOW_VERSION = "3.1.8"
_LAST_DAY = "2026-04-01"

ENVIRONMENT = SideEnvironment(
    "oldest-airflow",
    (
        "--resolution=lowest-direct",
        f"--exclude-newer={_LAST_DAY}",
        f"apache-airflow=={AIRFLOW_VERSION}",
        "--editable",
        str(PROJECT_FOLDER),
    ),
    made_of=("setup.cfg",),
)


if __name__ == "__main__":
    try:
        ENVIRONMENT.install()
    except StackError as error:
        sys.exit(f"oldest Airflow: {error}")
