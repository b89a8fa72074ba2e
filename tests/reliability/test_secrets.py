"""Marked secrets go in; nothing that a run writes has them, not even at DEBUG level."""

from __future__ import annotations

import json
import pickle
import re
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.emulator.access.identities import AuthorizedUser, Identities
from airflow_provider.earthengine.emulator.faults import Cut, Fault, Html, Reset, Status
from airflow_provider.earthengine.emulator.server import Emulator, serve
from airflow_provider.earthengine.exceptions import EarthEngineProviderError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from airflow_provider.earthengine.hooks.session import SESSION
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.airflow import AirflowHome, airflow_home
from stack.emulator import CATALOG_FOLDER
from stack.seaweedfs import SeaweedFS
from tests.support.service_account import EMAIL, make_key

LANDSAT = "projects/demo/assets/landsat7_olinda"
PRIVATE = "projects/demo/assets/private"
CLIENT_SECRET, REFRESH_TOKEN = "CLIENTSECRETMARK", "1//REFRESHTOKENMARK"
USER = AuthorizedUser("user@example.com", "1.apps.example", CLIENT_SECRET, REFRESH_TOKEN)
# As a careless server would quote it.
ECHOED = f"GET /v1/projects/demo/thumbnails/{'ab' * 16}-{'cd' * 16}:getPixels failed"
# `airflow dags test` has no supervisor's process to send requests to; it logs them at DEBUG level,
# and among them the one that says what is to be masked. A task
# under a scheduler, whose supervisor is a process of its own, has no such line.
OWN_LINES_OF_AIRFLOW = re.compile(r"^.*Sending request .*msg=MaskSecret\(.*$", re.MULTILINE)
# What Earth Engine and its token endpoint hand out during a run.
CAPABILITY = re.compile(rb"[0-9a-f]{32}-[0-9a-f]{32}")
ACCESS_TOKEN = re.compile(rb"ya29\.[\w-]{20,}|\beyJ[\w-]{20,}\.[\w-]{20,}")

DAG = f"""
from datetime import datetime

from airflow.sdk import DAG
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

with DAG("secrets", schedule=None, start_date=datetime(2026, 1, 1)):
    for name, fields in {{
        "service_account": {{}},
        "user": {{"earthengine_conn_id": "earthengine_user"}},
        "absent": {{"image": "projects/demo/assets/absent"}},
        "mistake": {{"download_params": "{{{{ dict(scael=20) }}}}"}},
        "no_bucket": {{"s3_bucket": "no-such-bucket"}},
        "wrong_key": {{"earthengine_conn_id": "earthengine_wrong"}},
        "wrong_aws": {{"aws_conn_id": "aws_wrong"}},
        "refused_pixels": {{}},
    }}.items():
        EarthEngineToS3Operator(
            task_id=name,
            **{{
                "image": "{LANDSAT}",
                "download_params": {{"bands": ["B1", "B2"], "scale": 114}},
                "s3_bucket": "{{{{ params.bucket }}}}",
                "s3_prefix": name,
                **fields,
            }},
        )
"""


@dataclass(frozen=True)
class Guarded:
    """An emulator that wants credentials, and connections with marked secrets."""

    emulator: Emulator
    connections: dict[str, str]
    secrets: dict[str, bytes]


@pytest.fixture(scope="module")
def guarded(s3: SeaweedFS) -> Iterator[Guarded]:
    key, public = make_key("to be known when it serves")
    wrong, _ = make_key("likewise")
    identities = Identities({EMAIL: public}, users=(USER,))
    with serve(CATALOG_FOLDER, require_auth=True, identities=identities) as emulator:
        key["token_uri"] = wrong["token_uri"] = f"{emulator.url}/token"
        user = {
            "type": "authorized_user", "client_id": USER.client_id, "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN, "token_uri": f"{emulator.url}/token",
        }  # fmt: skip
        aws = json.loads(s3.airflow_connection)
        yield Guarded(
            emulator,
            {
                "earthengine_default": connection(emulator, key),
                "earthengine_user": connection(emulator, user),
                "earthengine_wrong": connection(emulator, wrong),
                "aws_default": json.dumps(aws),
                "aws_wrong": json.dumps(aws | {"password": "WRONGAWSSECRETMARK"}),
            },
            {
                "the key": key["private_key"].split("\n")[3].encode(),
                "the wrong key": wrong["private_key"].split("\n")[3].encode(),
                "the client's secret": CLIENT_SECRET.encode(),
                "the refresh token": REFRESH_TOKEN.encode(),
                "the AWS secret": SeaweedFS.secret_key.encode(),
                "the wrong AWS secret": b"WRONGAWSSECRETMARK",
            },
        )


def connection(emulator: Emulator, key: dict[str, Any]) -> str:
    extra = {
        "project": "demo", "endpoint_url": emulator.url, "keyfile_dict": json.dumps(key),
    }  # fmt: skip
    return json.dumps({"conn_type": "earthengine", "extra": extra})


def secrets_in(content: bytes, guarded: Guarded) -> set[str]:
    """Return what of the secrets is in there."""
    found = {name for name, secret in guarded.secrets.items() if secret in content}
    if CAPABILITY.search(content):
        found.add("a download id")
    if ACCESS_TOKEN.search(content):
        found.add("an access token")
    return found


@pytest.fixture
def home(guarded: Guarded, migrated_file: Path, tmp_path: Path) -> Iterator[AirflowHome]:
    (tmp_path / "secrets_dag.py").write_text(textwrap.dedent(DAG))
    with airflow_home(
        dags_folder=tmp_path,
        connections=guarded.connections,
        migrated_file=migrated_file,
        extra={"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
    ) as made:
        yield made


FAULTS: list[tuple[str, Fault]] = [
    ("thumbnails.getPixels", Reset(0.5)),
    ("thumbnails.getPixels", Cut()),
    ("thumbnails.getPixels", Html()),
    ("thumbnails.create", Status(503, message=ECHOED)),
]


@pytest.mark.slow
def test_a_run_writes_no_secrets_anywhere(
    guarded: Guarded, home: AirflowHome, s3: SeaweedFS, bucket: str
) -> None:
    with ExitStack() as faults:
        for fault in FAULTS:
            faults.enter_context(guarded.emulator.fault(*fault))
        # Two downloads take what they need before the last task asks for pixels.
        last = Status(400, message=ECHOED)
        faults.enter_context(guarded.emulator.fault("thumbnails.getPixels", last, skip=2))
        run = home.run("dags", "test", "secrets", "--conf", json.dumps({"bucket": bucket}))
    output = OWN_LINES_OF_AIRFLOW.sub("", run.stdout).encode()
    assert b"AccessDeniedError" in output
    assert b"RequestRejectedError" in output
    assert b"AssetNotFoundError" in output
    assert b"thumbnails/***" in output  # It is at DEBUG level, and what is there is cleaned.
    written = {"output": output} | {
        str(path.relative_to(home.folder)): path.read_bytes()
        for path in home.folder.rglob("*")
        if path.is_file()
    }
    assert any(name.endswith(".db") for name in written)
    client = s3.client()
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert len(listed) == 8
    for each in listed:
        answer = client.get_object(Bucket=bucket, Key=each["Key"])
        written[each["Key"]] = answer["Body"].read() + json.dumps(answer["Metadata"]).encode()
    leaks = {name: secrets_in(content, guarded) for name, content in written.items()}
    assert {name: found for name, found in leaks.items() if found} == {}


@pytest.fixture
def hook(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> Iterator[EarthEngineHook]:
    for name, text in guarded.connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", text)
    yield EarthEngineHook(retry_policy=RetryPolicy(attempts=1))
    SESSION.close()


def test_what_is_looked_for_is_found_where_it_is(guarded: Guarded, hook: EarthEngineHook) -> None:
    import ee

    hook.get_conn()
    download_id = hook.get_download_id({"image": ee.Image(LANDSAT)})
    assert secrets_in(hook.make_download_url(download_id).encode(), guarded) == {"a download id"}
    grant = {
        "grant_type": "refresh_token", "client_id": USER.client_id,
        "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
    }  # fmt: skip
    answer = requests.post(f"{guarded.emulator.url}/token", data=grant, timeout=10)
    token = answer.json()["access_token"]
    assert secrets_in(token.encode(), guarded) == {"an access token"}
    everything = "".join(guarded.connections.values()).encode()
    assert len(secrets_in(everything, guarded)) == len(guarded.secrets)


def test_reprs_and_pickles_hold_no_secrets(guarded: Guarded, hook: EarthEngineHook) -> None:
    import ee

    hook.get_conn()
    download_id = hook.get_download_id({"image": ee.Image(LANDSAT)})
    operator = EarthEngineToS3Operator(
        task_id="download", image=LANDSAT, download_params={}, s3_bucket="bucket"
    )
    shown = [repr(each) for each in (hook, hook.config, download_id, SESSION, SESSION.__dict__)]
    content = "\n".join(shown).encode() + pickle.dumps(operator)
    assert secrets_in(content, guarded) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("thumbnails.create", Status(400, message=ECHOED)),
        ("thumbnails.create", Reset()),
        ("value:compute", Status(403, message=f"Bearer {'ya29.' + 'x' * 30} is not good")),
        ("discovery", Html()),
    ],
    ids=str,
)
@pytest.mark.parametrize("conn_id", ["earthengine_default", "earthengine_user"])
def test_errors_hold_no_secrets(
    guarded: Guarded, hook: EarthEngineHook, operation: str, fault: Fault, conn_id: str
) -> None:
    import ee

    SESSION.close()
    failing = EarthEngineHook(conn_id, retry_policy=RetryPolicy(attempts=1))

    def use() -> None:
        failing.get_conn()
        failing.compute_value(ee.Number(1))
        failing.get_download_id({"image": ee.Image(LANDSAT)})

    with guarded.emulator.fault(operation, fault), pytest.raises(EarthEngineProviderError) as told:
        use()
    error = told.value
    text = "".join(traceback.format_exception(error)) + repr(error)
    assert secrets_in(text.encode() + pickle.dumps(error), guarded) == set()
