"""Refusals on the wire: Google's error format, and the texts of the real service.

Every refusal of the emulator is an :class:`ApiError`; whether to refuse is decided elsewhere.

Source: https://cloud.google.com/apis/design/errors (google.rpc.Status as JSON), 2025-08.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SIGN_IN_URL = "https://developers.google.com/identity/sign-in/web/devconsole-project"
CREDENTIAL_HINT = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    f"See {SIGN_IN_URL}."
)


class ApiError(Exception):
    """A refusal in the API's format.

    :param code: HTTP status.
    :param status: name of the google.rpc code, for example ``INVALID_ARGUMENT``.
    :param message: the text that clients show.
    :param details: google.rpc detail messages, each with its ``@type``.
    """

    def __init__(
        self, code: int, status: str, message: str, details: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.details = tuple(details)

    def body(self) -> dict[str, Any]:
        """Return the JSON object for the response body."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "status": self.status,
        }
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


def invalid_argument(message: str, details: Sequence[Mapping[str, Any]] = ()) -> ApiError:
    """Return the 400 for a request that can never succeed."""
    return ApiError(400, "INVALID_ARGUMENT", message, details)


def unsupported(what: str) -> ApiError:
    """Return the 400 for something that the real service may know but the emulator does not.

    :param what: the name of the function, field, argument or format.
    """
    return invalid_argument(f"The Earth Engine emulator does not support {what}.")


def bad_field(field: str, message: str) -> ApiError:
    """Return the 400 for a malformed JSON payload; its details name the field.

    Source: https://github.com/OSGeo/gdal/issues/805 (a full body of the real service, 2018).

    :param field: path of the field in snake case; empty for the payload itself.
    :param message: what is wrong with it.
    """
    violation = {"field": field, "description": message} if field else {"description": message}
    detail = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [violation],
    }
    return invalid_argument(message, [detail])


def unknown_field(name: str, parent: str = "") -> ApiError:
    """Return the 400 for a JSON field that the message does not have."""
    where = f" at '{parent}'" if parent else ""
    return bad_field(
        parent,
        f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.',
    )


def not_found(message: str) -> ApiError:
    """Return the 404 for a resource that does not exist, or no longer does."""
    return ApiError(404, "NOT_FOUND", message)


def unauthenticated(message: str) -> ApiError:
    """Return the 401 for missing or unknown credentials."""
    return ApiError(401, "UNAUTHENTICATED", f"{message} {CREDENTIAL_HINT}")


def project_denied(project: str) -> ApiError:
    """Return the 403 for a caller that may not use a project (or a project that does not exist).

    Source: https://github.com/nasaharvest/street2sat/issues/51 (text and details).
    """
    console = f"https://console.developers.google.com/iam-admin/iam/project?project={project}"
    message = (
        f"Caller does not have required permission to use project {project}. Grant the caller "
        "the roles/serviceusage.serviceUsageConsumer role, or a custom role with the "
        f"serviceusage.services.use permission, by visiting {console} and then retry. "
        "Propagation of the new permission may take a few minutes."
    )
    link = {"description": "Google developer console IAM admin", "url": console}
    details: list[Mapping[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.Help", "links": [link]},
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "USER_PROJECT_DENIED",
            "domain": "googleapis.com",
            "metadata": {
                "service": "earthengine.googleapis.com",
                "consumer": f"projects/{project}",
            },
        },
    ]
    return ApiError(403, "PERMISSION_DENIED", message, details)
