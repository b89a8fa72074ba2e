"""Airflow's AWS connection -> how GDAL, which has an HTTP client of its own, reaches S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_provider.earthengine.exceptions import AccessDeniedError
from airflow_provider.earthengine.hooks.s3 import explaining_connection


@dataclass(frozen=True)
class GdalAccess:
    """What a ``rasterio.Env`` is made of.

    :param session: a ``rasterio.session.AWSSession``; it holds the credentials as they are now.
    :param options: GDAL's configuration options.
    """

    session: Any
    options: dict[str, str]


def gdal_access(aws_conn_id: str) -> GdalAccess:
    """Return how GDAL reaches S3 by the connection: endpoint, credentials, CA and proxy.

    :raises AccessDeniedError: it has no credentials, or its role may not be assumed.
    :raises ConnectionConfigError: it cannot be used.
    """
    from botocore import UNSIGNED
    from rasterio.session import AWSSession

    from airflow_provider.earthengine.hooks.named_s3 import NamedS3Hook

    with explaining_connection(aws_conn_id):
        hook = NamedS3Hook(aws_conn_id=aws_conn_id)
        client: Any = hook.get_conn()
        session: Any = hook.get_session(region_name=client.meta.region_name)
        credentials = session.get_credentials()
    client.close()
    is_unsigned = client.meta.config.signature_version is UNSIGNED
    if credentials is None and not is_unsigned:
        raise AccessDeniedError(f"The AWS connection {aws_conn_id} has no credentials.")
    own_endpoint = _own_endpoint(client)
    return GdalAccess(
        AWSSession(session, aws_unsigned=is_unsigned, endpoint_url=own_endpoint),
        {
            **_addressing(client, own_endpoint),
            **_trust(hook.verify, session),
            **_proxy(client),
        },
    )


@contextmanager
def gdal_environment(aws_conn_id: str, path: str) -> Iterator[None]:
    """Have GDAL read from S3 by the connection in the block.

    :param path: of what is read: the bucket, and the beginning of the keys.
    """
    import rasterio

    access = gdal_access(aws_conn_id)
    options: dict[str, Any] = {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        # GDAL would remember a name that was absent, and the bytes of one that was replaced.
        "CPL_VSIL_CURL_NON_CACHED": f"/vsis3/{path}",
        **access.options,
    }
    with rasterio.Env(session=access.session, **options):
        yield


def _own_endpoint(client: Any) -> str | None:
    """Return the endpoint as GDAL wants it; None for AWS, whose endpoints it knows."""
    endpoint = urlsplit(client.meta.endpoint_url)
    is_aws = (endpoint.hostname or "").endswith(".amazonaws.com")
    return None if is_aws else f"{endpoint.netloc}{endpoint.path}".rstrip("/")


def _addressing(client: Any, own_endpoint: str | None) -> dict[str, str]:
    if own_endpoint is None:
        return {}
    is_https = client.meta.endpoint_url.startswith("https:")
    # The S3 client, too, puts the bucket into the path of an endpoint that is not AWS's.
    is_virtual = (client.meta.config.s3 or {}).get("addressing_style") == "virtual"
    return {
        "AWS_HTTPS": "YES" if is_https else "NO",
        "AWS_VIRTUAL_HOSTING": "TRUE" if is_virtual else "FALSE",
    }


def _trust(verify: Any, session: Any) -> dict[str, str]:
    """Return which certificates are trusted.

    :param verify: as in the connection: the file of a CA, or False; None: the environment's.
    """
    if verify is None:
        # AWS_CA_BUNDLE, or ca_bundle in the profile.
        verify = session._session.get_config_variable("ca_bundle")
    if verify is False:
        return {"GDAL_HTTP_UNSAFESSL": "YES"}
    # rasterio's wheels name their own bundle so, which goes before curl's own variable.
    return {"GDAL_CURL_CA_BUNDLE": verify} if isinstance(verify, str) else {}


def _proxy(client: Any) -> dict[str, str]:
    """Return the proxy that the S3 client goes through."""
    from botocore.utils import get_environ_proxies

    endpoint = client.meta.endpoint_url
    proxies = client.meta.config.proxies
    if proxies is None:
        proxies = get_environ_proxies(endpoint)
    proxy = proxies.get(urlsplit(endpoint).scheme)
    return {"GDAL_HTTP_PROXY": proxy, "GDAL_HTTPS_PROXY": proxy} if proxy else {}
