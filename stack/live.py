"""``make live``: the tests that are marked ``live``, run against the real Earth Engine.

It refuses to start without a project and credentials, so that nothing of it is ever skipped and
taken for passed.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from stack.environment import PROJECT_FOLDER
from stack.processes import StackError

PROJECT = "EARTHENGINE_LIVE_PROJECT"
"""Names the Google Cloud project that is asked in the name of."""
URL = "EARTHENGINE_LIVE_URL"
"""Names another endpoint than the client's own; may be absent."""
IS_LIVE = "EARTHENGINE_LIVE"
"""Says to the tests that the network is open, and the account is to be used."""


def check_account() -> None:
    """Look whether there are a project and credentials.

    :raises StackError: what is missing, and how to get it.
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
            # It is said above which project is meant.
            warnings.simplefilter("ignore")
            google.auth.default()
    except DefaultCredentialsError:
        raise StackError(
            "there are no application default credentials; run `gcloud auth application-default "
            "login`, or let GOOGLE_APPLICATION_CREDENTIALS name the key file of a service account"
        ) from None


def main(arguments: list[str]) -> None:
    """Become pytest with the live tests; arguments are passed on to it."""
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
