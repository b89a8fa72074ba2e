"""What a refusal looks like on the wire: Google's error shape, and the texts of the real service.

Every refusal of the emulator is an :class:`ApiError`; nothing here decides whether to refuse.

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
    """A refusal, as the API states it.

    :param code: HTTP status.
    :param status: name of the google.rpc code, for example ``INVALID_ARGUMENT``.
    :param message: the sentence that clients show.
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
        """Returns the JSON object that stands in the response body."""
        error: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "status": self.status,
        }
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


def invalid_argument(message: str, details: Sequence[Mapping[str, Any]] = ()) -> ApiError:
    """Returns the 400 of a request that can never succeed."""
    return ApiError(400, "INVALID_ARGUMENT", message, details)


def unsupported(what: str) -> ApiError:
    """Returns the 400 for something that the real service may know and the emulator does not.

    :param what: the function, field, argument or format by its name.
    """
    return invalid_argument(f"The Earth Engine emulator does not support {what}.")


def bad_field(field: str, message: str) -> ApiError:
    """Returns the 400 of a malformed JSON payload, with the field named in its details.

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
    """Returns the 400 of a JSON field that the message does not have."""
    where = f" at '{parent}'" if parent else ""
    return bad_field(
        parent,
        f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.',
    )


def not_found(message: str) -> ApiError:
    """Returns the 404 of a resource that does not exist, or no longer."""
    return ApiError(404, "NOT_FOUND", message)


def unauthenticated(message: str) -> ApiError:
    """Returns the 401 of missing or unknown credentials."""
    return ApiError(401, "UNAUTHENTICATED", f"{message} {CREDENTIAL_HINT}")


def project_denied(project: str) -> ApiError:
    """Returns the 403 of a caller who may not use a project (or a project that does not exist).

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
