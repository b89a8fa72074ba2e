"""A virtual environment with geemap, a client of Earth Engine that brings all of Jupyter along.

The emulator's other clients are in the project's own environment; this one would add forty packages
to it.
"""

from __future__ import annotations

import sys

from stack.environment import PROJECT_FOLDER
from stack.processes import StackError
from stack.uv import SideEnvironment

ENVIRONMENT = SideEnvironment(
    "geemap",
    # It fetches tiles with geedim, which it does not require.
    (f"--constraint={PROJECT_FOLDER / 'constraints.txt'}", "geemap==0.37.2", "geedim"),
    made_of=("constraints.txt",),
)


if __name__ == "__main__":
    try:
        ENVIRONMENT.install()
    except StackError as error:
        sys.exit(f"geemap: {error}")
