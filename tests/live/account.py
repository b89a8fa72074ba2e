"""The account of the real Earth Engine that ``make live`` was started with."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from stack.live import PROJECT, URL

_SCOPES = [
    "https://www.googleapis.com/auth/earthengine",
    "https://www.googleapis.com/auth/cloud-platform",
]


@dataclass(frozen=True)
class Account:
    """Who asks, and whom.

    :param url: None for the client's own endpoint.
    """

    project: str
    url: str | None

    def credentials(self) -> Any:
        """Return the machine's application default credentials."""
        import google.auth

        return google.auth.default(scopes=_SCOPES)[0]

    @property
    def airflow_connection(self) -> str:
        """The JSON text of an ``earthengine`` connection that asks the same in the same name."""
        extra = {"project": self.project, "auth": "application_default"}
        if self.url:
            extra["endpoint_url"] = self.url
        return json.dumps({"conn_type": "earthengine", "extra": extra})


def live_account() -> Account:
    """Return the account; without one a live test fails, it is never skipped."""
    project = os.environ.get(PROJECT)
    assert project, f"{PROJECT} must name a project of the real service: use `make live`"
    return Account(project, os.environ.get(URL))
