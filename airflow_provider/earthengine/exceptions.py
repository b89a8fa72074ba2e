"""Every error of this package, and what waiting does for it.

::

    EarthEngineProviderError
    ├── PermanentError                               waiting will not help
    │   ├── DownloadParamsError       (ValueError)       unknown or contradictory parameter
    │   ├── PlanError                 (ValueError)       no legal request exists
    │   ├── ConnectionConfigError     (ValueError)       the Airflow connection cannot be used
    │   ├── RequestRejectedError      (ValueError)       400
    │   │   ├── RequestTooLargeError  (ValueError)       more bytes or pixels than it takes
    │   │   └── ComputationTooLargeError (ValueError)    more memory or time than it gives
    │   ├── AccessDeniedError         (PermissionError)  401, 403
    │   ├── AssetNotFoundError        (LookupError)      404, or Earth Engine's "not found"
    │   ├── EmptyImageError           (LookupError)      no bands, or no pixels in the region
    │   ├── BucketNotFoundError       (LookupError)      the bucket does not exist
    │   ├── RasterMismatchError       (ValueError)       a complete file that is not what was asked
    │   ├── ObjectExistsError         (FileExistsError)  the key holds something else
    │   └── StoredObjectMismatchError (OSError)          the bucket holds something else
    └── TransientError                               waiting may help
        ├── QuotaExceededError        (OSError)          429, with Retry-After if any
        ├── ServiceUnavailableError   (OSError)          500, 502, 503, 504, connection lost
        ├── DownloadIdExpiredError    (OSError)          404 for an id that was created
        ├── DownloadCancelledError    (InterruptedError) somebody stopped it
        ├── SourceChangedError        (OSError)          the asset was replaced meanwhile
        ├── FetchTimeoutError         (TimeoutError)     no answer in time
        ├── ScratchError              (OSError)          no room on the worker's disk
        └── TruncatedBodyError        (OSError)          the body ended early or does not decode

The two main branches are the contract with the operator: a :class:`PermanentError` fails the task
without a retry, a :class:`TransientError` passes through, so that Airflow's retries apply.

No message holds a token, a key or a download URL; whoever raises an error with a server's text
cleans that text first.
"""

from __future__ import annotations

from typing import Any, NoReturn

SERVER_TEXT_LENGTH = 500


class EarthEngineProviderError(Exception):
    """The root: one sentence for people, facts by name for programs.

    :param message: one sentence: what failed, on what, wanted and got with units, what to do.
    :param server_text: the server's own words, already free of secrets; cut to 500 characters.
    :param facts: what a caller may want to look at, for example ``status=429``.
    """

    def __init__(self, message: str, /, *, server_text: str = "", **facts: Any) -> None:
        self.message = message
        self.server_text = server_text[:SERVER_TEXT_LENGTH]
        self.facts = facts
        super().__init__(
            f"{message} The server said: {self.server_text}" if self.server_text else message
        )

    def __str__(self) -> str:
        """Return the sentence; an OSError would otherwise format itself by its arguments."""
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by message and facts: exceptions cross process borders in executors."""
        return _rebuild, (type(self), self.message, self.server_text, self.facts)


def raise_alone(error: EarthEngineProviderError) -> NoReturn:
    """Raise the error without the one that is being handled, whose text may hold a capability.

    ``from None`` only keeps that from being printed: where a library such as tblib has taught
    pickle to carry exceptions whole, it would cross process borders all the same.
    """
    try:
        raise error from None
    finally:
        error.__context__ = None


def _rebuild(
    cls: type[EarthEngineProviderError], message: str, server_text: str, facts: dict[str, Any]
) -> EarthEngineProviderError:
    return cls(message, server_text=server_text, **facts)


class PermanentError(EarthEngineProviderError):
    """Waiting will not help: somebody has to change something."""


class DownloadParamsError(PermanentError, ValueError):
    """A download parameter is unknown, contradictory, or not of its form."""


class PlanError(PermanentError, ValueError):
    """No request that Earth Engine accepts makes this download."""


class ConnectionConfigError(PermanentError, ValueError):
    """The Airflow connection lacks something, or holds something that cannot be used."""


class RequestRejectedError(PermanentError, ValueError):
    """Earth Engine answered 400: the request itself is wrong."""


class RequestTooLargeError(RequestRejectedError):
    """Earth Engine refused the size; facts ``byte_count``, ``max_byte_count``, ``max_side``."""


class ComputationTooLargeError(RequestRejectedError):
    """Computing the pixels takes more memory or time than a request gets; fewer pixels may do."""


class AccessDeniedError(PermanentError, PermissionError):
    """The credentials are not accepted, or not allowed to do this."""


class AssetNotFoundError(PermanentError, LookupError):
    """The asset does not exist, or these credentials may not see it."""


class EmptyImageError(PermanentError, LookupError):
    """There is nothing to download: no bands, or no pixels in the region."""


class BucketNotFoundError(PermanentError, LookupError):
    """The bucket does not exist."""


class RasterMismatchError(PermanentError, ValueError):
    """A complete file that is not what was asked for; facts ``field``, ``wanted``, ``got``."""


class ObjectExistsError(PermanentError, FileExistsError):
    """The key holds another download, or an object that this package did not write."""


class StoredObjectMismatchError(PermanentError, OSError):
    """The bucket holds something else than was sent."""


class TransientError(EarthEngineProviderError):
    """Waiting may help."""

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the server asked to wait, or None."""
        value = self.facts.get("retry_after_seconds")
        return None if value is None else float(value)


class QuotaExceededError(TransientError, OSError):
    """Too many requests at once or per minute."""


class ServiceUnavailableError(TransientError, OSError):
    """The service failed, or the connection to it was lost."""


class DownloadIdExpiredError(TransientError, OSError):
    """The service no longer knows a download id that it gave out: ask for a new one."""


class DownloadCancelledError(TransientError, InterruptedError):
    """The download was stopped from outside; another attempt may complete it."""


class SourceChangedError(TransientError, OSError):
    """The source was replaced meanwhile: pieces of two versions do not go together."""


class FetchTimeoutError(TransientError, TimeoutError):
    """No answer in time."""


class ScratchError(TransientError, OSError):
    """The worker's disk has no room, or may not be written to; another worker's may."""


class TruncatedBodyError(TransientError, OSError):
    """The body ended early, or what arrived does not decode."""
