"""Proxies, private CAs and ~/.netrc: the environment of every program on requests counts here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider.earthengine.download.fetch.body import BodyRequest, fetch_body
from airflow_provider.earthengine.download.transport.retry import RetryPolicy
from airflow_provider.earthengine.exceptions import ServiceUnavailableError
from airflow_provider.earthengine.hooks.earthengine import EarthEngineHook
from tests.support.forward_proxy import ForwardProxy, forward_proxy
from tests.support.private_ca import PrivateCA, make_private_ca
from tests.support.service_account import make_key
from tests.unit.hooks.scripted_earthengine import (
    ALGORITHMS,
    COMPUTE,
    DISCOVERY,
    DOCID,
    IMPERSONATE,
    THUMBNAILS,
    TOKEN,
    Answer,
    ScriptedEarthEngine,
    closed_port,
    scripted_earthengine,
)

pytestmark = pytest.mark.slow

Connect = Callable[..., EarthEngineHook]
# A name that no name server knows: only the proxy leads there.
HOST = "earthengine.test"
GET_PIXELS = f"{DOCID.rpartition('/')[2]}:getPixels"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what sets the environment; all that this machine says is gone."""
    names = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY")
    others = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC")
    for name in (*names, *(name.lower() for name in names), *others):
        monkeypatch.delenv(name, raising=False)

    def set_environment(**environment: Any) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))

    return set_environment


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    return make_private_ca(tmp_path_factory.mktemp("ca"), HOST, "127.0.0.1")


@pytest.fixture
def https(ca: PrivateCA) -> Iterator[ScriptedEarthEngine]:
    with scripted_earthengine(ca.server_context()) as running:
        yield running


@pytest.fixture
def https_by_name(ca: PrivateCA) -> Iterator[ScriptedEarthEngine]:
    with scripted_earthengine(ca.server_context(), HOST) as running:
        yield running


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with forward_proxy() as running:
        yield running


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return what makes a hook that impersonates an account, all of it at one URL."""

    def connect(url: str, **extra: Any) -> EarthEngineHook:
        key, _ = make_key(f"{url}/{TOKEN}")
        impersonating = {
            "keyfile_dict": key,
            "impersonation_chain": "target@demo.iam.gserviceaccount.com",
            "iam_endpoint_url": url,
        }
        extra = {"project": "demo", "endpoint_url": url, **(extra or impersonating)}
        connection = {"conn_type": "earthengine", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_EARTH", json.dumps(connection))
        return EarthEngineHook("earth", retry_policy=ONCE)

    return connect


ALL_STEPS = {TOKEN, IMPERSONATE, DISCOVERY, ALGORITHMS, COMPUTE, THUMBNAILS, GET_PIXELS}


def take_every_step(hook: EarthEngineHook, server: ScriptedEarthEngine, path: Path) -> None:
    """Ask for tokens, a session, a value, an id, and fetch its pixels."""
    server.answer(GET_PIXELS, Answer(200, "pixels"))
    one = hook.get_conn().Number(1)
    assert hook.compute_value(one) == 1
    params = {"image": hook.get_conn().Image("A/B")}
    body = BodyRequest(params, "A/B", path, max_byte_count=100, check=lambda _path: None)
    assert fetch_body(hook, body, ONCE).byte_count == len("pixels")
    assert {what for what, _ in server.requests} == ALL_STEPS


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_private_ca_is_trusted_at_every_step(
    https: ScriptedEarthEngine,
    ca: PrivateCA,
    connect: Connect,
    network: Callable[..., None],
    tmp_path: Path,
    variable: str,
) -> None:
    network(**{variable: ca.ca})
    take_every_step(connect(https.url), https, tmp_path / "body")


def test_ssl_cert_file_names_a_private_ca_too(
    https: ScriptedEarthEngine, ca: PrivateCA, connect: Connect, network: Callable[..., None]
) -> None:
    network(SSL_CERT_FILE=ca.ca)
    assert connect(https.url).test_connection()[0]


def test_a_private_ca_that_is_not_trusted_is_named(
    https: ScriptedEarthEngine, connect: Connect, network: Callable[..., None]
) -> None:
    network()
    is_good, message = connect(https.url).test_connection()
    assert not is_good
    assert "127.0.0.1: [SSL: CERTIFICATE_VERIFY_FAILED]" in message
    assert "for a private CA, set REQUESTS_CA_BUNDLE" in message
    assert https.requests == []


def test_every_step_goes_through_the_proxy(
    https_by_name: ScriptedEarthEngine,
    proxy: ForwardProxy,
    ca: PrivateCA,
    connect: Connect,
    network: Callable[..., None],
    tmp_path: Path,
) -> None:
    network(HTTPS_PROXY=f"http://{proxy.address}", REQUESTS_CA_BUNDLE=ca.ca)
    take_every_step(connect(https_by_name.url), https_by_name, tmp_path / "body")
    # The session's requests share a connection; the pixels have one of their own.
    assert set(proxy.targets) == {https_by_name.url.removeprefix("https://")}
    assert len(proxy.targets) == 2


def test_a_host_of_no_proxy_is_reached_directly(
    https: ScriptedEarthEngine,
    proxy: ForwardProxy,
    ca: PrivateCA,
    connect: Connect,
    network: Callable[..., None],
    tmp_path: Path,
) -> None:
    url = f"http://{proxy.address}"
    network(HTTPS_PROXY=url, NO_PROXY="example.com,127.0.0.1", REQUESTS_CA_BUNDLE=ca.ca)
    take_every_step(connect(https.url), https, tmp_path / "body")
    assert proxy.targets == []


def test_a_proxy_that_wants_a_password_gets_it_and_it_is_not_shown(
    https_by_name: ScriptedEarthEngine,
    ca: PrivateCA,
    connect: Connect,
    network: Callable[..., None],
) -> None:
    with forward_proxy(password="SECRETSECRET") as proxy:
        network(HTTPS_PROXY=f"http://user:SECRETSECRET@{proxy.address}", REQUESTS_CA_BUNDLE=ca.ca)
        hook = connect(https_by_name.url)
        assert hook.test_connection()[0]
        network(HTTPS_PROXY=f"http://user:SECRETWRONG@{proxy.address}")
        with pytest.raises(ServiceUnavailableError, match="407 Proxy Authentication") as caught:
            connect(https_by_name.url, auth="anonymous").get_conn()
        assert HOST in str(caught.value)
        assert "SECRET" not in str(caught.value)


def test_a_proxy_that_is_not_there_is_said(
    https_by_name: ScriptedEarthEngine, connect: Connect, network: Callable[..., None]
) -> None:
    network(HTTPS_PROXY=f"http://user:SECRETSECRET@127.0.0.1:{closed_port()}")
    is_good, message = connect(https_by_name.url).test_connection()
    assert not is_good
    assert f"{HOST}: Connection refused" in message
    assert "Check endpoint_url, proxies and firewalls" in message
    assert "SECRET" not in message


def test_netrc_replaces_no_token(
    https: ScriptedEarthEngine,
    ca: PrivateCA,
    connect: Connect,
    network: Callable[..., None],
    tmp_path: Path,
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    network(NETRC=tmp_path / "netrc", REQUESTS_CA_BUNDLE=ca.ca)
    assert connect(https.url).test_connection()[0]
    assert set(https.bearers(DISCOVERY)) == {"Bearer ya29.of-impersonate"}
    basic = base64.b64encode(b"somebody:else").decode()
    assert not any(basic in headers.get("authorization", "") for _, headers in https.requests)
