"""Which URLs of a connection are valid, and which of them may receive credentials."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from airflow_provider.earthengine.hooks.connection_errors import refuse


def read_endpoint_url(conn_id: str, name: str, text: str, *, with_credentials: bool) -> str:
    """Return the URL without trailing slashes.

    :param name: the URL's key in the extra.
    :param with_credentials: whether requests to it carry credentials; if so, ``http://`` is allowed
        only for this machine.
    :raises ConnectionConfigError: if it is not such a URL.
    """
    try:
        url = urlsplit(text)
        host = url.hostname  # this and the port are parsed on access
        _ = url.port
    except ValueError:
        url, host = urlsplit(""), None
    if url.scheme not in ("http", "https") or not host or url.query or url.fragment or url.username:
        # Not quoted: it may hold a password.
        refuse(
            conn_id,
            f"{name} is not of the form https://host or https://host:port; leave it out for "
            "Google's own",
        )
    if with_credentials and not is_safe_for_credentials(text):
        refuse(
            conn_id,
            f"{name} {text} is http:// on another machine, which would expose the credentials to "
            "the network; use https://, or auth anonymous",
        )
    return text.rstrip("/")


def is_safe_for_credentials(url: str) -> bool:
    """Return whether nobody on the network can read what is sent there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
