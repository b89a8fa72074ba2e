"""The rasters that were published, opened by all that an AWS connection may say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import RasterioIOError
from rasterio.io import MemoryFile

from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    ConnectionConfigError,
    DownloadParamsError,
)
from airflow_provider.earthengine.rasters import open_raster
from stack.other_stores import Store
from stack.seaweedfs import SeaweedFS
from tests.support.forward_proxy import forward_proxy
from tests.support.private_ca import PrivateCA, make_private_ca
from tests.support.s3_relay import S3Relay, s3_relay_to

# A name that no name server knows: only the proxy leads there.
HOST = "s3.test"
VALUES = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
ENVIRONMENT = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "AWS_CA_BUNDLE",
               "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
               "AWS_PROFILE", "AWS_CONFIG_FILE")  # fmt: skip


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    return make_private_ca(tmp_path_factory.mktemp("ca"), HOST, "127.0.0.1")


@pytest.fixture
def uri(s3: SeaweedFS, bucket: str) -> str:
    put_raster(s3, bucket)
    return f"s3://{bucket}/a.tif"


def put_raster(store: SeaweedFS | Store, bucket: str, values: Any = VALUES) -> None:
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint16"}
    with MemoryFile() as file:
        with file.open(**profile, crs="EPSG:32610", transform=rasterio.Affine.scale(10)) as raster:
            raster.write(values, 1)
        store.client().put_object(Bucket=bucket, Key="a.tif", Body=file.read())


@pytest.fixture
def relay(s3: SeaweedFS, ca: PrivateCA) -> Iterator[S3Relay]:
    """The store over TLS with a certificate of a private CA."""
    with s3_relay_to(s3.endpoint_url, context=ca.server_context()) as running:
        yield running


@pytest.fixture
def far_relay(s3: SeaweedFS, ca: PrivateCA) -> Iterator[S3Relay]:
    """The same, by a name that only a proxy knows."""
    with s3_relay_to(s3.endpoint_url, context=ca.server_context(), host=HOST) as running:
        yield running


def connect(
    monkeypatch: pytest.MonkeyPatch, store: SeaweedFS | Store, endpoint_url: str, **extra: Any
) -> None:
    connection = json.loads(store.airflow_connection)
    connection["extra"] |= {"endpoint_url": endpoint_url, **extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))


def assert_opens(uri: str) -> None:
    with open_raster(uri) as raster:
        assert (raster.read(1) == VALUES).all()


def test_a_ca_that_the_connection_names_is_trusted(
    relay: S3Relay, s3: SeaweedFS, ca: PrivateCA, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, s3, relay.url, verify=str(ca.ca))
    assert_opens(uri)
    assert relay.operations <= {"GetObject", "HeadObject"}


def test_a_ca_of_the_environment_or_of_the_profile_is_trusted(
    relay: S3Relay, s3: SeaweedFS, ca: PrivateCA, uri: str, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    connect(monkeypatch, s3, relay.url)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(ca.ca))
    assert_opens(uri)
    monkeypatch.delenv("AWS_CA_BUNDLE")
    (tmp_path / "config").write_text(f"[default]\nca_bundle = {ca.ca}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert_opens(uri)


@pytest.mark.slow
def test_a_ca_that_nobody_names_is_not_trusted_unless_the_connection_says_so(
    relay: S3Relay, s3: SeaweedFS, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, s3, relay.url)
    with pytest.raises(RasterioIOError, match="certificate"), open_raster(uri):
        pass
    assert relay.requests == []
    connect(monkeypatch, s3, relay.url, verify=False)
    assert_opens(uri)


@pytest.mark.parametrize("place", ["environment", "connection"])
def test_the_proxy_is_that_of_the_s3_client(
    far_relay: S3Relay, s3: SeaweedFS, ca: PrivateCA, uri: str, place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with forward_proxy(password="SECRETSECRET") as proxy:
        url = f"http://user:SECRETSECRET@{proxy.address}"
        extra: dict[str, Any] = {"verify": str(ca.ca)}
        if place == "connection":
            extra["config_kwargs"] = {"proxies": {"https": url}}
        else:
            monkeypatch.setenv("HTTPS_PROXY", url)
        connect(monkeypatch, s3, far_relay.url, **extra)
        assert_opens(uri)
        assert set(proxy.targets) == {far_relay.url.removeprefix("https://")}


def test_a_host_of_no_proxy_is_reached_directly(
    relay: S3Relay, s3: SeaweedFS, ca: PrivateCA, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with forward_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        connect(monkeypatch, s3, relay.url, verify=str(ca.ca))
        assert_opens(uri)
        assert proxy.targets == []


@pytest.fixture
def ministack_uri(ministack_store: Store) -> str:
    """A raster in a store that takes any session's token."""
    ministack_store.client().create_bucket(Bucket="rasters")
    put_raster(ministack_store, "rasters")
    return "s3://rasters/a.tif"


def test_a_sessions_token_is_sent(
    ministack_store: Store, ministack_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_relay_to(ministack_store.endpoint_url) as relay:
        connect(monkeypatch, ministack_store, relay.url, aws_session_token="A-SESSIONS-TOKEN")
        assert_opens(ministack_uri)
        tokens = {request.headers.get("x-amz-security-token") for request in relay.requests}
        assert tokens == {"A-SESSIONS-TOKEN"}


def test_a_role_is_assumed_and_its_keys_are_used(
    ministack_store: Store, ministack_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_relay_to(ministack_store.endpoint_url) as relay:
        connect(
            monkeypatch, ministack_store, relay.url,
            role_arn="arn:aws:iam::000000000000:role/reader",
            service_config={"sts": {"endpoint_url": ministack_store.endpoint_url}},
        )  # fmt: skip
        assert_opens(ministack_uri)
        for request in relay.requests:
            assert request.headers["x-amz-security-token"]
            assert "Credential=ASIA" in request.headers["authorization"]


def test_an_unsigned_connection_signs_nothing(
    ministack_store: Store, ministack_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_relay_to(ministack_store.endpoint_url) as relay:
        connect(
            monkeypatch, ministack_store, relay.url,
            config_kwargs={"signature_version": "unsigned"},
        )  # fmt: skip
        assert_opens(ministack_uri)
        assert all("authorization" not in request.headers for request in relay.requests)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        (["s3://a/b.tif", "s3://a/c.tif"], "uri is a list, .*expand the task over the URIs"),
        (("s3://a/b.tif",), "uri is a tuple, .*expand the task"),
        (None, "uri is a NoneType"),
        ("/etc/passwd", "write s3://bucket/key"),
        ("/vsicurl/http://example.com/a.tif", "write s3://bucket/key"),
    ],
)
def test_what_is_no_uri_says_what_to_do(uri: Any, words: str) -> None:
    with pytest.raises(DownloadParamsError, match=words), open_raster(uri):
        pass


def test_a_connection_that_cannot_be_used_is_named(
    s3: SeaweedFS, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, s3, "not an endpoint")
    with pytest.raises(ConnectionConfigError, match="aws_default"), open_raster(uri):
        pass
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws"}))
    with pytest.raises(AccessDeniedError, match="aws_default has no credentials"), open_raster(uri):
        pass


def test_a_raster_that_was_replaced_is_read_anew(
    s3: SeaweedFS, bucket: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, s3, s3.endpoint_url)
    absent = f"s3://{bucket}/b.tif"
    with pytest.raises(RasterioIOError), open_raster(absent):
        pass
    s3.client().copy_object(Bucket=bucket, Key="b.tif", CopySource=f"{bucket}/a.tif")
    assert_opens(absent)
    put_raster(s3, bucket, VALUES + 1)
    s3.client().copy_object(Bucket=bucket, Key="b.tif", CopySource=f"{bucket}/a.tif")
    with open_raster(absent) as raster:
        assert (raster.read(1) == VALUES + 1).all()
