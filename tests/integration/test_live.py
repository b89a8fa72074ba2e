"""``make live`` refuses to start without an account, and asks the service that it is told of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider.earthengine.emulator.server import serve
from stack.emulator import CATALOG_FOLDER
from stack.environment import PROJECT_FOLDER, child_environment
from tests.support.service_account import EMAIL, make_key

# No server of metadata is looked for: it is not on loopback.
NO_CLOUD = {"NO_GCE_CHECK": "true"}


def run_live(home: Path, more: dict[str, str], *arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "stack.live", *arguments],
        cwd=PROJECT_FOLDER, env=child_environment(home, {**NO_CLOUD, **more}), timeout=400,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return result.returncode, result.stdout


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "live: EARTHENGINE_LIVE_PROJECT does not name a project"),
        ({"EARTHENGINE_LIVE_PROJECT": "demo"}, "live: there are no application default creden"),
    ],
    ids=["no project", "no credentials"],
)
def test_it_does_not_start_without_an_account(
    tmp_path: Path, environment: dict[str, str], missing: str
) -> None:
    code, output = run_live(tmp_path, environment)
    assert code == 1
    assert output.startswith(missing)
    assert output.count("\n") == 1


@pytest.mark.slow
def test_its_tests_reach_the_service_that_they_are_told(tmp_path: Path) -> None:
    """The emulator stands in for the real service, and asks for the account's credentials."""
    catalog = tmp_path / "catalog"
    shutil.copytree(CATALOG_FOLDER, catalog)
    series = json.loads((catalog / "projects/demo/assets/s2_daily.json").read_text())
    (catalog / "series.json").write_text(json.dumps(series | {"id": "COPERNICUS/S2_SR"}))
    key, public = make_key("to be known when it serves")
    with serve(catalog, require_auth=True, service_accounts={EMAIL: public}) as service:
        key["token_uri"] = f"{service.url}/token"
        (tmp_path / "key.json").write_text(json.dumps(key))
        environment = {
            "EARTHENGINE_LIVE_PROJECT": "demo",
            "EARTHENGINE_LIVE_URL": service.url,
            "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"),
        }
        code, output = run_live(tmp_path, environment, "-q", "-p", "no:cacheprovider")
        counts = service.counts()
    assert code == 0, output
    assert re.search(r"^\d+ passed, \d+ deselected", output, re.MULTILINE), output
    assert counts["thumbnails.getPixels"] > 10
