"""The token endpoints: proof of identity -> bearer token.

A service account signs an assertion (RFC 7523), a user has a refresh token, a workload exchanges a
token of its own issuer (RFC 8693), and anyone with a token may request one of a service account
that allows it.

Sources (2025-08): https://developers.google.com/identity/protocols/oauth2/service-account and
/web-server (grant types, claims, error texts),
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token,
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from airflow_provider.earthengine.emulator.access.identities import Identities, WorkloadPool
from airflow_provider.earthengine.emulator.replies import ApiError, bad_field

REFRESH_TOKEN = "refresh_token"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
_SUBJECT_TYPES = (
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# The audience that clients put into the assertion even if they use another endpoint.
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
TOKEN_SECONDS = 3600
_CLOCK_SKEW_SECONDS = 300


class GrantError(Exception):
    """A refusal of the token endpoint, whose shape differs from the API's.

    :param error: OAuth's error code, for example ``invalid_grant``.
    :param code: HTTP status.
    """

    def __init__(self, error: str, description: str, code: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.error = error
        self.description = description

    def body(self) -> dict[str, str]:
        return {"error": self.error, "error_description": self.description}


class TokenIssuer:
    """Issue tokens and look up their owners; safe to use from any thread.

    :param clock: seconds since 1970.
    """

    def __init__(self, identities: Identities, clock: Callable[[], float]) -> None:
        self._identities = identities
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def issue(self, form: Mapping[str, str], audience: str) -> dict[str, Any]:
        """Return the answer of the OAuth endpoint.

        :param audience: this endpoint's own URL.
        :raises GrantError: if the request does not prove an identity.
        """
        grant = form.get("grant_type", "")
        if grant == JWT_BEARER:
            email = self._verify(form.get("assertion", ""), audience)
        elif grant == REFRESH_TOKEN:
            email = self._refresh(form)
        else:
            raise GrantError("unsupported_grant_type", f"Invalid grant_type: {grant}")
        token = self._new_token(email, TOKEN_SECONDS)
        return {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the answer of the Security Token Service: a pool's subject gets a token."""
        if form.get("grant_type") != TOKEN_EXCHANGE:
            grant = form.get("grant_type", "")
            raise GrantError("unsupported_grant_type", f"Invalid grant_type: {grant}")
        if form.get("requested_token_type") != ACCESS_TOKEN_TYPE:
            raise GrantError("invalid_request", 'Invalid value for "requested_token_type".')
        if form.get("subject_token_type") not in _SUBJECT_TYPES:
            raise GrantError("invalid_request", 'Invalid value for "subject_token_type".')
        audience = form.get("audience", "")
        pool = next((pool for pool in self._identities.pools if pool.audience == audience), None)
        if pool is None:
            raise GrantError("invalid_target", 'Invalid value for "audience".')
        subject = self._verify_subject(form.get("subject_token", ""), pool)
        principal = f"principal:{audience.partition('/providers/')[0]}/subject/{subject}"
        return {
            "access_token": self._new_token(principal, TOKEN_SECONDS),
            "issued_token_type": ACCESS_TOKEN_TYPE,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
        }

    def impersonate(self, caller: str | None, email: str, body: Mapping[str, Any]) -> Any:
        """Return the answer of the IAM Credentials API: a service account's token.

        :raises ApiError: 403 if the account does not allow the caller.
        """
        if caller is None or caller not in self._identities.impersonators.get(email, ()):
            raise _may_not_impersonate()
        if not body.get("scope"):
            raise bad_field("scope", "Invalid value at 'scope': at least one scope is required.")
        lifetime = str(body.get("lifetime", f"{TOKEN_SECONDS}s"))
        seconds = lifetime.removesuffix("s")
        if not seconds.isdigit() or not 0 < int(seconds) <= TOKEN_SECONDS:
            raise bad_field("lifetime", f"Invalid value at 'lifetime': {lifetime}")
        expires = datetime.fromtimestamp(int(self._clock()) + int(seconds), UTC)
        return {
            "accessToken": self._new_token(email, int(seconds)),
            "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _new_token(self, email: str, seconds: int) -> str:
        token = f"ya29.{secrets.token_urlsafe(48)}"
        with self._lock:
            self._tokens[token] = (email, self._clock() + seconds)
        return token

    def email_of(self, token: str) -> str | None:
        """Return the token's owner; None if it was never issued or has expired."""
        with self._lock:
            email, expires_at = self._tokens.get(token, (None, 0.0))
        return email if expires_at > self._clock() else None

    def _refresh(self, form: Mapping[str, str]) -> str:
        """Return the e-mail of the refresh token's owner."""
        client, secret = form.get("client_id"), form.get("client_secret")
        users = [user for user in self._identities.users if user.client_id == client]
        if not users:
            raise GrantError("invalid_client", "The OAuth client was not found.", 401)
        users = [user for user in users if user.client_secret == secret]
        if not users:
            raise GrantError("invalid_client", "The provided client secret is invalid.", 401)
        for user in users:
            if user.refresh_token == form.get("refresh_token"):
                return user.email
        raise GrantError("invalid_grant", "Token has been expired or revoked.")

    def _verify_subject(self, token: str, pool: WorkloadPool) -> str:
        """Return the subject of a token of the pool's issuer."""
        try:
            signed, signature, header, claims = _parse(token)
            issuer, subject = claims["iss"], claims["sub"]
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise GrantError("invalid_request", "Unable to parse the ID Token.") from None
        if issuer != pool.issuer:
            raise GrantError(
                "invalid_grant",
                "The issuer in ID Token does not match the expected ones.",
            )
        if header.get("alg") != "RS256" or not _is_signed(pool.public_key, signed, signature):
            raise GrantError("invalid_grant", "Error verifying the ID Token signature.")
        expires = claims.get("exp")
        if not isinstance(expires, (int, float)) or expires <= self._clock():
            raise GrantError("invalid_grant", "ID Token is stale to sign-in.")
        return str(subject)

    def _verify(self, assertion: str, audience: str) -> str:
        """Return the e-mail that a JWT proves."""
        try:
            signed, signature, header, claims = _parse(assertion)
            algorithm, email = header["alg"], claims["iss"]
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise GrantError("invalid_grant", "Invalid JWT: Failed to parse.") from None
        key = self._identities.public_keys.get(email) if isinstance(email, str) else None
        if key is None:
            raise GrantError("invalid_grant", "Invalid grant: account not found")
        if algorithm != "RS256" or not _is_signed(key, signed, signature):
            raise GrantError("invalid_grant", "Invalid JWT Signature.")
        self._check_claims(claims, audience)
        return str(email)

    def _check_claims(self, claims: Mapping[str, Any], audience: str) -> None:
        if claims.get("aud") not in {GOOGLE_AUDIENCE, audience}:
            raise GrantError(
                "invalid_grant",
                f"Invalid JWT: Failed audience check. The right audience is {GOOGLE_AUDIENCE}",
            )
        issued, expires, now = claims.get("iat"), claims.get("exp"), self._clock()
        if (
            not isinstance(issued, (int, float))
            or not isinstance(expires, (int, float))
            or expires <= now
            or issued > now + _CLOCK_SKEW_SECONDS
            or expires - issued > TOKEN_SECONDS
        ):
            raise GrantError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )
        if not claims.get("scope"):
            raise GrantError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")


def _may_not_impersonate() -> ApiError:
    """Source: public error reports of google-auth, and the API's reference (2025-08)."""
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": "iam.googleapis.com",
        "metadata": {"permission": "iam.serviceAccounts.getAccessToken"},
    }
    message = (
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
    )
    return ApiError(403, "PERMISSION_DENIED", message, [detail])


def _parse(token: str) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Return the signed text, the signature, the header and the claims of a JWT."""
    signed, _, signature = token.rpartition(".")
    header, claims = (json.loads(_decode(part)) for part in signed.split("."))
    return signed, signature, header, claims


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_signed(public_key: str, signed: str, signature: str) -> bool:
    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        key.verify(_decode(signature), signed.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
