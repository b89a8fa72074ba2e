"""Airflow discovers the provider, and its connection form is the one that the hook reads."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

import airflow_provider.earthengine as provider
from airflow_provider.earthengine.hooks import connection_config
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.provider_info import get_provider_info

INFO = get_provider_info()
CONNECTION_TYPE: dict[str, Any] = INFO["connection-types"][0]


def run_airflow(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def test_the_info_satisfies_airflows_schema() -> None:
    schema = Path(airflow.__file__).with_name("provider_info.schema.json")
    jsonschema.validate(INFO, json.loads(schema.read_text()))


def test_the_form_satisfies_airflows_schema() -> None:
    path = Path(airflow.__file__).with_name("provider.yaml.schema.json")
    if not path.exists():
        pytest.skip("needs Airflow 3.2 or newer, which has the form as data")
    entry = json.loads(path.read_text())["properties"]["connection-types"]["items"]
    jsonschema.validate(CONNECTION_TYPE, entry)


def test_the_info_names_the_distribution_and_its_version() -> None:
    name = INFO["package-name"]
    assert INFO["versions"] == [provider.__version__] == [importlib.metadata.version(name)]
    (entry_point,) = (
        entry
        for entry in importlib.metadata.entry_points(group="apache_airflow_provider")
        if entry.dist is not None and entry.dist.name == name
    )
    assert entry_point.load()() == INFO


def test_the_form_has_every_key_of_the_extra_and_hides_the_key() -> None:
    fields = CONNECTION_TYPE["conn-fields"]
    assert tuple(fields) == connection_config.EXTRA_KEYS
    assert set(fields["auth"]["schema"]["enum"]) == set(connection_config.AUTH_METHODS)
    assert fields["keyfile_dict"]["schema"]["format"] == "password"


def test_airflow_hides_the_key_by_its_name() -> None:
    from airflow.sdk.log import redact

    assert redact({"keyfile_dict": "SECRETSECRET"}) == {"keyfile_dict": "***"}
    # Why this name is refused, though other tools use it.
    assert redact({"keyfile_json": "a text"}) == {"keyfile_json": "a text"}


def test_the_hook_is_the_one_that_is_declared() -> None:
    assert CONNECTION_TYPE["connection-type"] == EarthEngineHook.conn_type
    assert CONNECTION_TYPE["hook-name"] == EarthEngineHook.hook_name
    path = f"{EarthEngineHook.__module__}.{EarthEngineHook.__qualname__}"
    assert CONNECTION_TYPE["hook-class-name"] == path
    hidden = EarthEngineHook.get_ui_field_behaviour()["hidden_fields"]
    assert hidden == CONNECTION_TYPE["ui-field-behaviour"]["hidden-fields"]


@pytest.mark.slow
def test_airflow_lists_the_provider_and_its_hook() -> None:
    listed = run_airflow("providers", "list", "--output", "json")
    assert listed.returncode == 0, listed.stderr
    assert "airflow-provider-earthengine" in listed.stdout
    hooks = run_airflow("providers", "hooks", "--output", "json")
    assert hooks.returncode == 0, hooks.stderr
    (row,) = (
        row
        for row in json.loads(hooks.stdout[hooks.stdout.index("[") :])
        if row["connection_type"] == "earthengine"
    )
    assert row["class"] == CONNECTION_TYPE["hook-class-name"]
    assert row["conn_id_attribute_name"] == "earthengine_conn_id"
    assert row["hook_name"] == "Google Earth Engine"


@pytest.mark.slow
def test_airflow_lists_the_trigger() -> None:
    (module,) = INFO["triggers"][0]["python-modules"]
    listed = run_airflow("providers", "triggers", "--output", "json")
    assert listed.returncode == 0, listed.stderr
    assert module in listed.stdout


@pytest.mark.parametrize("room", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_that_is_named_can_be_imported(room: str) -> None:
    modules = [module for entry in INFO[room] for module in entry["python-modules"]]
    assert [importlib.import_module(module).__name__ for module in modules] == modules


def test_airflow_makes_the_hook_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_EARTH", '{"conn_type": "earthengine"}')
    made = EarthEngineHook.get_hook("earth")
    assert isinstance(made, EarthEngineHook)
    assert made.earthengine_conn_id == "earth"


@pytest.mark.slow
def test_airflow_tests_a_connection_and_says_what_is_wrong_without_its_secrets() -> None:
    federation = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/q/r",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "client_secret": "SECRETSECRET",
        "credential_source": {"file": "/nowhere/token"},
    }
    extra = {"project": "demo", "keyfile_dict": json.dumps(federation)}
    tested = run_airflow(
        "connections",
        "test",
        "earth",
        AIRFLOW_CONN_EARTH=json.dumps({"conn_type": "earthengine", "extra": extra}),
        AIRFLOW__CORE__TEST_CONNECTION="Enabled",
    )
    output = tested.stdout + tested.stderr
    assert "no token can be requested with the credentials" in " ".join(output.split())
    assert "/nowhere/token" in output
    assert "SECRET" not in output
