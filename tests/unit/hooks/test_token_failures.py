"""What a token endpoint refuses is said with what to do, and no secret is shown."""

from __future__ import annotations

import logging
import pickle
import traceback
from pathlib import Path

import pytest

from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    ConnectionConfigError,
    EarthEngineProviderError,
    ServiceUnavailableError,
)
from tests.unit.hooks.conftest import SUBJECT_TOKEN, WAYS, Connect, Extra
from tests.unit.hooks.pasted_keys import REFRESH_TOKEN
from tests.unit.hooks.scripted_earthengine import (
    DISCOVERY,
    EXCHANGE,
    IMPERSONATE,
    TOKEN,
    Answer,
    ScriptedEarthEngine,
    google_error,
)

REFUSED = Answer(400, {"error": "invalid_grant", "error_description": "Token has been revoked."})
DENIED = google_error(403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource.")
BAD = google_error(400, "The scope is not valid.")
PAGE = Answer(403, "<html>blocked by a proxy</html>")

FAILURES: list[tuple[str, str, Answer, type[Exception], str]] = [
    ("refresh_token", TOKEN, REFUSED, AccessDeniedError, "log in again.*Token has been revoked"),
    ("federation", EXCHANGE, REFUSED, AccessDeniedError, "rejected.*Token has been revoked"),
    ("impersonation", IMPERSONATE, DENIED, AccessDeniedError, "serviceAccountTokenCreator.*getAcc"),
    ("federation_as_account", IMPERSONATE, DENIED, AccessDeniedError, "workloadIdentityUser.*getA"),
    ("impersonation", IMPERSONATE, BAD, AccessDeniedError, "rejected.*scope is not valid"),
    ("impersonation", TOKEN, REFUSED, AccessDeniedError, "create a new key.*has been revoked"),
    ("refresh_token", TOKEN, PAGE, AccessDeniedError, "rejected the credentials"),
    ("federation", EXCHANGE, PAGE, AccessDeniedError, "rejected the credentials"),
    ("impersonation", IMPERSONATE, PAGE, AccessDeniedError, "cannot be impersonated"),
    ("refresh_token", TOKEN, Answer(502, "<html/>"), ServiceUnavailableError, "endpoint failed"),
    ("federation", EXCHANGE, Answer(503, "<html/>"), ServiceUnavailableError, "endpoint failed"),
    ("impersonation", IMPERSONATE, Answer(429, "{}"), ServiceUnavailableError, "endpoint failed"),
    ("impersonation", IMPERSONATE, Answer(0), ServiceUnavailableError, "127.0.0.1: "),
    ("federation", EXCHANGE, Answer(302, ""), ServiceUnavailableError, "endpoint failed"),
    ("refresh_token", TOKEN, Answer(200, "{}"), ServiceUnavailableError, "No access token in resp"),
    ("federation", EXCHANGE, Answer(200, "[]"), ServiceUnavailableError, "does not come from"),
    ("impersonation", IMPERSONATE, Answer(200, "{}"), ServiceUnavailableError, "endpoint failed"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("way", "what", "answer", "expected", "text"), FAILURES)
def test_what_a_token_endpoint_answers_is_said_with_what_to_do(
    server: ScriptedEarthEngine,
    connect: Connect,
    ways: dict[str, Extra],
    way: str,
    what: str,
    answer: Answer,
    expected: type[Exception],
    text: str,
) -> None:
    server.answer(what, answer)
    hook = connect(ways[way])
    with pytest.raises(expected, match=text) as caught:
        hook.get_conn()
    assert type(caught.value) is expected
    assert "<html" not in str(caught.value)
    assert server.count(DISCOVERY) == 0


def test_a_subject_token_that_is_not_there_is_said(
    connect: Connect, ways: dict[str, Extra], tmp_path: Path
) -> None:
    (tmp_path / "subject").unlink()
    is_good, message = connect(ways["federation"]).test_connection()
    assert not is_good
    assert "no token can be requested with the credentials (File '" in message
    assert "subject' was not found)." in message


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way, _ in WAYS])
def test_no_secret_is_shown_even_when_an_endpoint_repeats_it(
    server: ScriptedEarthEngine,
    connect: Connect,
    ways: dict[str, Extra],
    service_account_key: Extra,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    pem_line = service_account_key["private_key"].splitlines()[3]
    repeated = f"You sent: subject_token={SUBJECT_TOKEN}&refresh_token=1//SECRETSECRET&x={pem_line}"
    body = {"error": "invalid_grant", "error_description": repeated}
    for what in (TOKEN, EXCHANGE, IMPERSONATE):
        server.answer(what, *[Answer(400, body), Answer(400, repeated)])
    hook = connect(ways[way])
    for _ in range(2):
        with caplog.at_level(logging.DEBUG), pytest.raises(EarthEngineProviderError) as caught:
            hook.get_conn()
        shown = [repr(hook.config), caplog.text, "".join(traceback.format_exception(caught.value))]
        shown.append(repr(pickle.dumps(caught.value)))
        for text in shown:
            assert "SECRET" not in text
            assert pem_line not in text


def test_the_secrets_of_a_pasted_key_are_masked_in_logs(connect: Connect) -> None:
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # public, but not in its __all__

    _ = connect({"keyfile_dict": REFRESH_TOKEN}).config
    assert redact("with 1//SECRETSECRET in it") == "with *** in it"


def test_a_pasted_key_that_is_wrong_is_a_matter_of_the_connection(connect: Connect) -> None:
    with pytest.raises(ConnectionConfigError, match="keyfile_dict lacks refresh_token"):
        _ = connect({"keyfile_dict": {**REFRESH_TOKEN, "refresh_token": None}}).config
