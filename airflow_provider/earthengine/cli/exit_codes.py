"""Errors -> exit codes, for scripts."""

from __future__ import annotations

from airflow_provider.earthengine.exceptions import (
    AccessDeniedError,
    AssetNotFoundError,
    BucketNotFoundError,
    ConnectionConfigError,
    DownloadParamsError,
    EarthEngineProviderError,
    EmptyImageError,
    ObjectExistsError,
    PlanError,
    RasterMismatchError,
    RequestRejectedError,
    SectionsOutdatedError,
    StoredObjectMismatchError,
    TransientError,
)

FAILED = 1
USAGE = 2
MISMATCH = 6
INTERRUPTED = 130
# The more special class first.
EXIT_CODES: dict[type[EarthEngineProviderError], int] = {
    DownloadParamsError: USAGE,
    ConnectionConfigError: USAGE,
    PlanError: 3,
    RequestRejectedError: 3,
    AccessDeniedError: 4,
    EmptyImageError: 8,
    AssetNotFoundError: 5,
    BucketNotFoundError: 5,
    RasterMismatchError: MISMATCH,
    StoredObjectMismatchError: MISMATCH,
    SectionsOutdatedError: MISMATCH,
    ObjectExistsError: 7,
    # EX_TEMPFAIL of sysexits.h: the same command may succeed later.
    # Source: https://man.openbsd.org/sysexits.3, 2026-11.
    TransientError: 75,
}


def exit_code_of(error: EarthEngineProviderError) -> int:
    """Return the exit code for an error; 1 for one that has none of its own."""
    codes = (code for cls, code in EXIT_CODES.items() if isinstance(error, cls))
    return next(codes, FAILED)
