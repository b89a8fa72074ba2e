"""A client of Airflow's REST API, for the tests and the kept stack."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stack.processes import StackError

_REQUEST_SECONDS = 60
# A scheduler that shares two cores with the tests takes minutes instead of the usual seconds.
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class AirflowApi:
    """The API of one Airflow.

    :param url: of the API server, without a path.
    """

    url: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the API's JSON answer; each request fetches a new token.

        :param path: from the first slash, for example "/api/v2/dags".
        :raises urllib.error.URLError: if the API refuses the request or does not answer.
        """
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        if path.startswith("/api/") and not path.startswith("/api/v2/monitor/"):
            token = self.ask("GET", "/auth/token")["access_token"]
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_REQUEST_SECONDS) as answer:
            return json.load(answer)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run without a logical date, and return its path in the API."""
        body = {"logical_date": None, "conf": conf}
        run = self.ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
        return f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}"

    def state(self, path: str) -> str:
        """Return the state of a run or a task instance."""
        return str(self.ask("GET", path)["state"])


def wait_until(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until ``is_so()`` holds.

    :raises StackError: if it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() >= deadline:
            raise StackError(f"the condition does not hold after {seconds:g} s")
        time.sleep(0.1)
