"""The identities of a catalog: accounts, users and pools, and how they prove who they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider.earthengine.emulator.strict_json import Description

ACCOUNTS_FILE = "service_accounts.json"

# The accounts whose names contain their project; those of a domain's project have it in two parts.
# Source: https://cloud.google.com/iam/docs/service-account-types (2026-11).
_OF_PROJECT = re.compile(
    r"[^@]+@([a-z0-9-]+)(?:\.([a-z0-9.-]+))?\.iam\.gserviceaccount\.com"
    r"|([^@]+)@appspot\.gserviceaccount\.com"
)


def project_of_account(email: str) -> str | None:
    """Return the project that a service account belongs to; None if its name does not say."""
    match = _OF_PROJECT.fullmatch(email)
    if match is None:
        return None
    name, domain, application = match.groups()
    return application or (f"{domain}:{name}" if domain else name)


@dataclass(frozen=True)
class AuthorizedUser:
    """A user who has given consent: a refresh token for one client.

    :param email: the owner of its access tokens.
    """

    email: str
    client_id: str
    client_secret: str
    refresh_token: str


@dataclass(frozen=True)
class WorkloadPool:
    """A pool of workloads that an external issuer identifies.

    :param audience: the pool provider's name, ``//iam.googleapis.com/projects/...``.
    :param issuer: the ``iss`` of the subjects' tokens.
    :param public_key: the issuer's key (PEM).
    """

    audience: str
    issuer: str
    public_key: str


@dataclass(frozen=True)
class Identities:
    """The identities that the token endpoints know.

    :param public_keys: the service accounts' public keys (PEM) by e-mail.
    :param impersonators: by service account, who may request its tokens: e-mails, or subjects of
        a pool in the form ``principal://...``.
    """

    public_keys: Mapping[str, str] = field(default_factory=dict)
    impersonators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    users: tuple[AuthorizedUser, ...] = ()
    pools: tuple[WorkloadPool, ...] = ()

    def joined(self, other: Identities) -> Identities:
        """Return both combined; for an account in both, the other's entry wins."""
        return Identities(
            {**self.public_keys, **other.public_keys},
            {**self.impersonators, **other.impersonators},
            self.users + other.users,
            self.pools + other.pools,
        )


def read_identities(description: Description) -> Identities:
    """Return the identities in the accounts file."""
    keys: dict[str, str] = {}
    impersonators: dict[str, tuple[str, ...]] = {}
    for account in description.take_objects("accounts", []):
        email = account.take_text("email")
        # An account that is only impersonated has no key.
        if account.has("public_key") or not account.has("impersonators"):
            keys[email] = _take_key(account)
        impersonators[email] = account.take_texts("impersonators", []) or ()
        account.finish()
    users = tuple(_read_user(fields) for fields in description.take_objects("users", []))
    pools = tuple(_read_pool(fields) for fields in description.take_objects("pools", []))
    description.finish()
    return Identities(keys, impersonators, users, pools)


def _take_key(fields: Description) -> str:
    key = fields.take_text("public_key")
    if not key.startswith("-----BEGIN PUBLIC KEY-----"):
        raise fields.error("public_key", "must be a public key in PEM")
    return key


def _read_user(fields: Description) -> AuthorizedUser:
    names = ("email", "client_id", "client_secret", "refresh_token")
    texts: dict[str, Any] = {name: fields.take_text(name) for name in names}
    fields.finish()
    return AuthorizedUser(**texts)


def _read_pool(fields: Description) -> WorkloadPool:
    pool = WorkloadPool(fields.take_text("audience"), fields.take_text("issuer"), _take_key(fields))
    fields.finish()
    return pool
