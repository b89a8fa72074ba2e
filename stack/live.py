"""``make live``: the tests marked ``live``, run against the real Earth Engine.

It refuses to start without a project and credentials, so that skipped tests are never mistaken for
passed ones.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from stack.environment import PROJECT_FOLDER
from stack.processes import StackError

PROJECT = "EARTHENGINE_LIVE_PROJECT"
"""Names the Google Cloud project whose quota is used."""
URL = "EARTHENGINE_LIVE_URL"
"""Names an endpoint other than the client's own; optional."""
IS_LIVE = "EARTHENGINE_LIVE"
"""Tells the tests that the network is open, and to use the account."""


def check_account() -> None:
    """Raise unless there are a project and credentials.

    :raises StackError: if one is missing; says how to get it.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    if not os.environ.get(PROJECT):
        raise StackError(
            f"{PROJECT} does not name a project; set it to a Google Cloud project that is "
            "registered for Earth Engine"
        )
    try:
        with warnings.catch_warnings():
            # The project is known from above.
            warnings.simplefilter("ignore")
            google.auth.default()
    except DefaultCredentialsError:
        raise StackError(
            "there are no application default credentials; run `gcloud auth application-default "
            "login`, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account"
        ) from None


def main(arguments: list[str]) -> None:
    """Replace this process by pytest with the live tests, passing on the arguments."""
    check_account()
    os.chdir(PROJECT_FOLDER)
    os.environ[IS_LIVE] = "1"
    python = Path(sys.executable)
    os.execv(python, [str(python), "-m", "pytest", "-m", "live", *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except StackError as error:
        sys.exit(f"live: {error}")
