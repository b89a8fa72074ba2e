"""Each way to log in asks its token endpoint as that wants it, and asks nobody else."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest

from airflow_provider.earthengine.hooks.credentials import SCOPES
from tests.support.service_account import EMAIL
from tests.unit.hooks.conftest import SUBJECT_TOKEN, TARGET, WAYS, Connect, Extra
from tests.unit.hooks.pasted_keys import AUDIENCE, REFRESH_TOKEN
from tests.unit.hooks.scripted_earthengine import (
    ALGORITHMS,
    DISCOVERY,
    EXCHANGE,
    IMPERSONATE,
    TOKEN,
    Answer,
    ScriptedEarthEngine,
    silent_listener,
)


@pytest.mark.slow
@pytest.mark.parametrize(("way", "token"), WAYS)
def test_every_way_leads_to_its_token_and_to_no_other_host(
    server: ScriptedEarthEngine,
    connect: Connect,
    ways: dict[str, Extra],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    token: str,
) -> None:
    with silent_listener() as listener:
        # Everything that is not on loopback goes there.
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, listener.url)
        assert connect(ways[way]).test_connection()[0]
        # The background thread that google-auth starts for its own purposes would ask now.
        time.sleep(0.2)
        assert listener.accepted == []
    for what in (DISCOVERY, ALGORITHMS):
        assert set(server.bearers(what)) == {f"Bearer ya29.{token}"}


def form_of(server: ScriptedEarthEngine, what: str) -> dict[str, str]:
    (body,) = server.bodies(what)
    return {name: values[0] for name, values in parse_qs(body).items()}


def test_a_refresh_token_is_sent_as_its_file_says(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Extra]
) -> None:
    connect(ways["refresh_token"]).get_conn()
    assert form_of(server, TOKEN) == {
        "grant_type": "refresh_token",
        "client_id": REFRESH_TOKEN["client_id"],
        "client_secret": REFRESH_TOKEN["client_secret"],
        "refresh_token": REFRESH_TOKEN["refresh_token"],
        "scope": "https://www.googleapis.com/auth/cloud-platform",
    }


def test_a_subject_token_is_exchanged(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Extra]
) -> None:
    connect(ways["federation"]).get_conn()
    assert form_of(server, EXCHANGE) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": AUDIENCE,
        "scope": " ".join(SCOPES),
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": SUBJECT_TOKEN,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }


def test_a_subject_token_may_come_from_a_url_as_json(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Extra]
) -> None:
    server.answer("identity", Answer(body={"value": SUBJECT_TOKEN}))
    source = {
        "url": f"{server.url}/identity",
        "headers": {"X-Ask": "politely"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
    federation = {**ways["federation"]["keyfile_dict"], "credential_source": source}
    connect({"keyfile_dict": federation}).get_conn()
    assert form_of(server, EXCHANGE)["subject_token"] == SUBJECT_TOKEN
    (asked,) = (headers for what, headers in server.requests if what == "identity")
    assert asked["x-ask"] == "politely"
    assert "authorization" not in asked


def test_a_signed_question_of_aws_is_exchanged_without_its_secret(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Extra]
) -> None:
    connect(ways["aws"]).get_conn()
    form = form_of(server, EXCHANGE)
    question = json.loads(unquote(form["subject_token"]))
    assert question["url"].startswith("https://sts.eu-west-1.amazonaws.com?Action=GetCallerId")
    headers = {header["key"]: header["value"] for header in question["headers"]}
    assert headers["x-goog-cloud-target-resource"] == AUDIENCE
    assert "Credential=AKIDEXAMPLE/" in headers["Authorization"]
    assert "SECRETSECRETAWS" not in form["subject_token"]


def test_the_last_of_a_chain_is_impersonated_by_those_before_it(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Extra]
) -> None:
    chain = ["first@a.b", "second@c.d", TARGET]
    connect(
        {**ways["impersonation"], "impersonation_chain": chain, "scopes": "https://a/b"}
    ).get_conn()
    (path,) = (path for path, _ in server.paths if path.endswith(IMPERSONATE))
    assert path == f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    (body,) = server.bodies(IMPERSONATE)
    assert json.loads(body) == {
        "delegates": [f"projects/-/serviceAccounts/{email}" for email in chain[:2]],
        "scope": ["https://a/b"],
        "lifetime": "3600s",
    }
    assert server.bearers(IMPERSONATE) == ["Bearer ya29.of-token"]
    # Who impersonates asks for what the impersonation needs, not for what the connection wants.
    claims = json.loads(_decode(form_of(server, TOKEN)["assertion"].split(".")[1]))
    assert (claims["iss"], claims["scope"]) == (EMAIL, "https://www.googleapis.com/auth/iam")


def test_a_user_who_impersonates_asks_for_what_logins_grant(
    server: ScriptedEarthEngine, connect: Connect, ways: dict[str, Extra]
) -> None:
    connect({**ways["impersonation_by_user"], "scopes": "https://a/b"}).get_conn()
    assert form_of(server, TOKEN)["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert json.loads(server.bodies(IMPERSONATE)[0])["scope"] == ["https://a/b"]


def test_the_application_default_credentials_may_impersonate(
    server: ScriptedEarthEngine,
    connect: Connect,
    ways: dict[str, Extra],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "adc.json").write_text(json.dumps(ways["federation"]["keyfile_dict"]))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    connect({"impersonation_chain": TARGET}).get_conn()
    assert server.bearers(IMPERSONATE) == ["Bearer ya29.of-exchange"]


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
