"""Every error of this package, and whether waiting helps.

::

    EarthEngineProviderError
    ├── PermanentError                               waiting will not help
    │   ├── DownloadParamsError       (ValueError)       unknown or contradictory parameter
    │   ├── PlanError                 (ValueError)       no legal request exists
    │   ├── ConnectionConfigError     (ValueError)       the Airflow connection cannot be used
    │   ├── RequestRejectedError      (ValueError)       400
    │   │   ├── RequestTooLargeError  (ValueError)       more bytes or pixels than allowed
    │   │   └── ComputationTooLargeError (ValueError)    more memory or time than allowed
    │   ├── AccessDeniedError         (PermissionError)  401, 403
    │   ├── AssetNotFoundError        (LookupError)      404, or Earth Engine's "not found"
    │   ├── EmptyImageError           (LookupError)      no bands, or no pixels in the region
    │   │   └── AllMaskedError        (LookupError)      pixels, and not one of them is valid
    │   ├── BucketNotFoundError       (LookupError)      the bucket does not exist
    │   ├── RasterMismatchError       (ValueError)       a complete file, but not what was requested
    │   ├── ObjectExistsError         (FileExistsError)  the key holds something else
    │   ├── SectionsOutdatedError     (OSError)          sections that do not go together
    │   └── StoredObjectMismatchError (OSError)          the bucket holds something else
    └── TransientError                               waiting may help
        ├── QuotaExceededError        (OSError)          429, with Retry-After if any
        ├── ServiceUnavailableError   (OSError)          500, 502, 503, 504, connection lost
        ├── DownloadIdExpiredError    (OSError)          404 for an id that was created
        ├── DownloadCancelledError    (InterruptedError) the download was stopped
        ├── SourceChangedError        (OSError)          the asset was replaced during the download
        ├── FetchTimeoutError         (TimeoutError)     no answer in time
        ├── ScratchError              (OSError)          the worker lacks disk, memory or files
        └── TruncatedBodyError        (OSError)          the body is truncated or damaged

The two main branches are the contract with the operator: a :class:`PermanentError` fails the task
without a retry, a :class:`TransientError` passes through, so that Airflow's retries apply.

No message holds a token, a key or a download URL; code that raises an error with a server's text
removes secrets from that text first.
"""

from __future__ import annotations

from typing import Any, NoReturn

from airflow_provider.earthengine.one_line import one_line

MESSAGE_LENGTH = 4_000
SERVER_TEXT_LENGTH = 500


class EarthEngineProviderError(Exception):
    """The root of the tree: one sentence for people, named facts for programs.

    :param message: one sentence: what failed, on what, wanted and got with units, what to do.
        Whatever it quotes, it becomes one line of at most 4,000 characters.
    :param server_text: the server's own text, already free of secrets; likewise, of 500 characters.
    :param facts: details that a caller may need, for example ``status=429``.
    """

    def __init__(self, message: str, /, *, server_text: str = "", **facts: Any) -> None:
        self.message = message = _cut(one_line(message[: MESSAGE_LENGTH + 1]))
        self.server_text = one_line(server_text[:SERVER_TEXT_LENGTH])[:SERVER_TEXT_LENGTH]
        self.facts = facts
        super().__init__(
            f"{message} The server said: {self.server_text}" if self.server_text else message
        )

    def __str__(self) -> str:
        """Return the sentence; an OSError would otherwise format its arguments."""
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by message and facts: executors send exceptions between processes."""
        return _rebuild, (type(self), self.message, self.server_text, self.facts)


def _cut(text: str) -> str:
    return text if len(text) <= MESSAGE_LENGTH else f"{text[: MESSAGE_LENGTH - 3]}..."


def raise_alone(error: EarthEngineProviderError) -> NoReturn:
    """Raise the error without the one being handled, whose text may hold a capability.

    ``from None`` only keeps that one from being printed: if a library such as tblib has taught
    pickle to keep the context of exceptions, it would still be sent to other processes.
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
    """Waiting will not help: something has to be changed."""


class DownloadParamsError(PermanentError, ValueError):
    """A download parameter is unknown, contradictory or malformed."""


class PlanError(PermanentError, ValueError):
    """Earth Engine accepts no request for this download, or the object store no object of it."""


class ConnectionConfigError(PermanentError, ValueError):
    """The Airflow connection is incomplete, or holds a value that cannot be used."""


class RequestRejectedError(PermanentError, ValueError):
    """Earth Engine answered 400: the request itself is wrong."""


class RequestTooLargeError(RequestRejectedError):
    """Earth Engine refused the size; facts ``byte_count``, ``max_byte_count``, ``max_side``."""


class ComputationTooLargeError(RequestRejectedError):
    """Computing the pixels exceeds a request's memory or time; fewer pixels may succeed."""


class AccessDeniedError(PermanentError, PermissionError):
    """The credentials are invalid or lack permission."""


class AssetNotFoundError(PermanentError, LookupError):
    """The asset does not exist, or the credentials have no access to it."""


class EmptyImageError(PermanentError, LookupError):
    """There is nothing to download: no bands, or no pixels in the region."""


class AllMaskedError(EmptyImageError):
    """Not one pixel is valid, and ``on_empty`` does not publish such rasters."""


class BucketNotFoundError(PermanentError, LookupError):
    """The bucket does not exist."""


class RasterMismatchError(PermanentError, ValueError):
    """A complete file differs from the request; facts ``field``, ``wanted``, ``got``."""


class ObjectExistsError(PermanentError, FileExistsError):
    """The key holds another download, or an object that this package did not write."""


class SectionsOutdatedError(PermanentError, OSError):
    """Sections of a raster cannot be put together: they have to be planned again."""


class StoredObjectMismatchError(PermanentError, OSError):
    """The bucket holds something other than what was sent."""


class TransientError(EarthEngineProviderError):
    """Waiting may help."""

    @property
    def retry_after_seconds(self) -> float | None:
        """The wait that the server requested, or None."""
        value = self.facts.get("retry_after_seconds")
        return None if value is None else float(value)


class QuotaExceededError(TransientError, OSError):
    """Too many requests at once or per minute."""


class ServiceUnavailableError(TransientError, OSError):
    """The service failed, or the connection to it was lost."""


class DownloadIdExpiredError(TransientError, OSError):
    """The service no longer knows a download id that it issued: request a new one."""


class DownloadCancelledError(TransientError, InterruptedError):
    """The download was stopped from outside; another attempt may complete it."""


class SourceChangedError(TransientError, OSError):
    """The source was replaced during the download: pieces of two versions must not be mixed."""


class FetchTimeoutError(TransientError, TimeoutError):
    """No answer in time."""


class ScratchError(TransientError, OSError):
    """The worker's disk, memory or open files do not suffice; another worker's may."""


class TruncatedBodyError(TransientError, OSError):
    """The body ended early, or cannot be decoded."""
