"""A scripted Earth Engine, a hook connected to it, and no session left behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.session import SESSION
from tests.support.service_account import make_key
from tests.unit.hooks.pasted_keys import FEDERATION, REFRESH_TOKEN
from tests.unit.hooks.scripted_earthengine import (
    EXCHANGE,
    TOKEN,
    ScriptedEarthEngine,
    scripted_earthengine,
)

HookMaker = Callable[..., EarthEngineHook]
Extra = dict[str, Any]
Connect = Callable[[Extra], EarthEngineHook]

TARGET = "target@of-the-target.iam.gserviceaccount.com"
SUBJECT_TOKEN = "SECRETSECRET.of.the.other.cloud"

# Each way to log in with a secret, and the endpoint whose token it ends with.
WAYS = (
    ("service_account", "of-token"),
    ("refresh_token", "of-token"),
    ("federation", "of-exchange"),
    ("federation_as_account", "of-impersonate"),
    ("aws", "of-exchange"),
    ("impersonation", "of-impersonate"),
    ("impersonation_by_user", "of-impersonate"),
    ("impersonation_by_federation", "of-impersonate"),
)


@pytest.fixture(autouse=True)
def no_session_left() -> Iterator[None]:
    SESSION.close()
    yield
    SESSION.close()


@pytest.fixture
def server() -> Iterator[ScriptedEarthEngine]:
    with scripted_earthengine() as running:
        yield running


@pytest.fixture
def sleeps() -> list[float]:
    """The waits between two tries, in seconds, instead of waiting."""
    return []


@pytest.fixture
def make_hook(monkeypatch: pytest.MonkeyPatch, sleeps: list[float]) -> HookMaker:
    """Return what makes a hook for an anonymous connection to a URL."""

    def make(url: str, *, conn_id: str = "scripted", **hook: Any) -> EarthEngineHook:
        extra = {"project": "demo", "endpoint_url": url, "auth": "anonymous"}
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{conn_id.upper()}",
            json.dumps({"conn_type": "earthengine", "extra": extra}),
        )
        policy = RetryPolicy(attempts=3, sleep=sleeps.append, uniform=lambda _low, high: high)
        return EarthEngineHook(conn_id, **{"retry_policy": policy, **hook})

    return make


@pytest.fixture
def hook(make_hook: HookMaker, server: ScriptedEarthEngine) -> Iterator[EarthEngineHook]:
    with make_hook(server.url) as made:
        yield made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: no credentials of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    # The metadata server of a machine in Google's cloud is asked for credentials, too.
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return tmp_path


@pytest.fixture(scope="session")
def service_account_key() -> Extra:
    return make_key("to be known when it serves")[0]


@pytest.fixture
def connect(server: ScriptedEarthEngine, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return what makes a hook for a connection to the scripted server."""

    def connect(extra: Extra) -> EarthEngineHook:
        urls = {"endpoint_url": server.url, "iam_endpoint_url": server.url}
        connection = {"conn_type": "earthengine", "extra": {"project": "demo", **urls, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_EARTH", json.dumps(connection))
        return EarthEngineHook("earth", retry_policy=RetryPolicy(attempts=1))

    return connect


@pytest.fixture
def ways(
    server: ScriptedEarthEngine,
    service_account_key: Extra,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Extra]:
    """The extras of every way to log in that has a secret, by a name."""
    (tmp_path / "subject").write_text(SUBJECT_TOKEN)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRETSECRETAWS")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    token_url = f"{server.url}/{EXCHANGE}"
    federation = {
        **FEDERATION,
        "token_url": token_url,
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    account = f"{server.url}/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    aws = {
        "environment_id": "aws1",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action="
        "GetCallerIdentity&Version=2011-06-15",
    }
    service_account = {**service_account_key, "token_uri": f"{server.url}/{TOKEN}"}
    refresh_token = {**REFRESH_TOKEN, "token_uri": f"{server.url}/{TOKEN}"}
    aws_type = "urn:ietf:params:aws:token-type:aws4_request"
    return {
        "service_account": {"keyfile_dict": service_account},
        "refresh_token": {"keyfile_dict": refresh_token},
        "federation": {"keyfile_dict": federation},
        "federation_as_account": {
            "keyfile_dict": {**federation, "service_account_impersonation_url": account}
        },
        "aws": {
            "keyfile_dict": {**federation, "subject_token_type": aws_type, "credential_source": aws}
        },
        "impersonation": {"keyfile_dict": service_account, "impersonation_chain": TARGET},
        "impersonation_by_user": {"keyfile_dict": refresh_token, "impersonation_chain": TARGET},
        "impersonation_by_federation": {"keyfile_dict": federation, "impersonation_chain": TARGET},
    }
