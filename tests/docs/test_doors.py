"""What a newcomer opens first: README, contributor files, CI, issue forms, documentation."""

from __future__ import annotations

import configparser
import re
import shlex
import sys
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider.earthengine.hooks.connection_config import read_connection
from stack.environment import PROJECT_FOLDER
from tests.docs.blocks import page_text, table_rows

PACKAGE = PROJECT_FOLDER / "airflow_provider" / "earthengine"
# What Sphinx does not check.
OUTSIDE_OF_DOCS = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "airflow_provider/earthengine/emulator/README.md",
    "tests/data/README.md",
]
SECTIONS = ["Start", "How-to", "Concepts", "Reference", "Emulator"]


def read_yaml(path: str) -> Any:
    return yaml.safe_load((PROJECT_FOLDER / path).read_text(encoding="utf-8"))


def setup_cfg(section: str, option: str) -> str:
    parser = configparser.ConfigParser()
    parser.read(PROJECT_FOLDER / "setup.cfg", encoding="utf-8")
    return parser[section][option]


# README


def test_the_connections_of_the_readme_are_understood() -> None:
    from airflow.sdk import Connection

    text = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^export AIRFLOW_CONN_\w+=.*$", text, re.MULTILINE)
    exports = dict(shlex.split(line)[1].split("=", 1) for line in lines)
    assert sorted(exports) == ["AIRFLOW_CONN_AWS_DEFAULT", "AIRFLOW_CONN_EARTHENGINE_DEFAULT"]
    earthengine = Connection.from_json(exports["AIRFLOW_CONN_EARTHENGINE_DEFAULT"])
    assert read_connection("documented", earthengine).project == "my-project"
    assert Connection.from_json(exports["AIRFLOW_CONN_AWS_DEFAULT"]).conn_type == "aws"


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", OUTSIDE_OF_DOCS)
def test_every_link_to_a_file_leads_to_it(name: str) -> None:
    page = PROJECT_FOLDER / name
    found = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8"))
    for path, anchor in found:
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, (path, anchor)


# Metadata


def test_airflows_list_of_providers_has_a_link_to_the_documentation() -> None:
    urls = metadata("airflow-provider-earthengine").get_all("Project-URL") or []
    assert [url for url in urls if url.startswith("Documentation, https://")]


# CI and commits


def test_ci_runs_every_python_that_the_metadata_names() -> None:
    job = read_yaml(".github/workflows/ci.yml")["jobs"]["check"]
    classifiers = setup_cfg("metadata", "classifiers")
    assert job["strategy"]["matrix"]["python"] == re.findall(
        r":: (3\.\d+)$", classifiers, re.MULTILINE
    )
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_pre_commit_hooks_call_what_make_install_installs() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        folder, _, program = hook["entry"].split()[0].rpartition("/")
        assert (hook["language"], folder) == ("system", ".venv/bin")
        assert (Path(sys.executable).parent / program).exists(), program


def test_a_bug_report_has_to_have_the_item_and_the_log() -> None:
    form = read_yaml(".github/ISSUE_TEMPLATE/bug.yml")["body"]
    required = {
        field["id"] for field in form if field.get("validations", {}).get("required") is True
    }
    assert {"item", "log"} <= required


# The documentation


def test_the_header_of_the_documentation_holds_its_sections() -> None:
    toctree = page_text("index").split("```{toctree}")[1].split("```")[0]
    assert re.findall(r"^([\w-]+) <[\w/]+>$", toctree, re.MULTILINE) == SECTIONS


def test_the_architecture_names_every_room() -> None:
    page = page_text("architecture")
    rooms = {
        folder.relative_to(PACKAGE).parts[-1]
        for parent in (PACKAGE, PACKAGE / "download")
        for folder in parent.iterdir()
        if any(folder.glob("*.py"))
    }
    assert {room for room in rooms if not re.search(rf"\b{room}\b", page)} == set()


def test_a_change_goes_where_there_is_something() -> None:
    rows = table_rows(page_text("architecture"), "| you want to")
    paths = [path for row in rows for path in re.findall(r"`([a-z_0-9/]+(?:\.py|/))`", row[1])]
    assert len(paths) > len(rows)
    assert [path for path in paths if not (PACKAGE / path).exists()] == []
