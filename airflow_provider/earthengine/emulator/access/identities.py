"""Who can prove who they are, and how: the accounts, users and pools of a catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider.earthengine.emulator.strict_json import Description

ACCOUNTS_FILE = "service_accounts.json"


@dataclass(frozen=True)
class AuthorizedUser:
    """A user who has consented once: a refresh token for one client.

    :param email: whom its access tokens stand for.
    """

    email: str
    client_id: str
    client_secret: str
    refresh_token: str


@dataclass(frozen=True)
class WorkloadPool:
    """A pool of workloads whose own issuer says who they are.

    :param audience: the pool provider's name, ``//iam.googleapis.com/projects/...``.
    :param issuer: the ``iss`` of the subjects' tokens.
    :param public_key: the issuer's key (PEM).
    """

    audience: str
    issuer: str
    public_key: str


@dataclass(frozen=True)
class Identities:
    """What the token endpoints know.

    :param public_keys: the service accounts' public keys (PEM) by e-mail.
    :param impersonators: by service account, who may ask for its tokens: e-mails, or subjects of
        a pool as ``principal://...`` names them.
    """

    public_keys: Mapping[str, str] = field(default_factory=dict)
    impersonators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    users: tuple[AuthorizedUser, ...] = ()
    pools: tuple[WorkloadPool, ...] = ()

    def joined(self, other: Identities) -> Identities:
        """Returns both together; of one account, the other's."""
        return Identities(
            {**self.public_keys, **other.public_keys},
            {**self.impersonators, **other.impersonators},
            self.users + other.users,
            self.pools + other.pools,
        )


def read_identities(description: Description) -> Identities:
    """Returns what the file of accounts describes."""
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
