"""What shall come of every fault of Earth Engine, at every request of a download."""

from __future__ import annotations

from airflow_provider.earthengine.emulator.faults import (
    Cut,
    Damage,
    Empty,
    Expire,
    Fault,
    Flip,
    Html,
    Latency,
    Refuse,
    Reset,
    Stall,
    Status,
)
from tests.reliability.cells import (
    GEO_TIFF,
    NPY,
    PER_BAND,
    Cell,
    Outcome,
    Stage,
    expand,
    passes,
    stays,
)
from tests.reliability.workplace import FORMATS, STORED

PIXELS = "get pixels"
STAGES = (
    Stage("initialise: discovery", "discovery"),
    Stage("initialise: algorithms", "algorithms"),
    Stage("info", "value:compute"),
    Stage("create id", "thumbnails.create"),
    Stage(PIXELS, "thumbnails.getPixels"),
)

_QUOTA, _DOWN = passes("QuotaExceededError"), passes("ServiceUnavailableError")
_DENIED, _REFUSED = stays("AccessDeniedError"), stays("RequestRejectedError")
_SILENT, _CUT = passes("FetchTimeoutError"), passes("TruncatedBodyError")
_MISMATCH, _TOO_LARGE = stays("RasterMismatchError"), stays("ComputationTooLargeError")

STATUSES: dict[str, tuple[Status, Outcome]] = {
    "400": (Status(400), _REFUSED),
    "400 User memory limit exceeded": (
        Status(400, message="User memory limit exceeded."),
        _TOO_LARGE,
    ),
    "400 Computation timed out": (Status(400, message="Computation timed out."), _TOO_LARGE),
    "400 Too many concurrent aggregations": (
        Status(400, message="Quota exceeded: Too many concurrent aggregations."),
        _QUOTA,
    ),
    "400 internal error": (Status(400, message="An internal error has occurred"), _DOWN),
    "401": (Status(401), _DENIED),
    "403": (Status(403), _DENIED),
    "403 rateLimitExceeded": (Status(403, reason="rateLimitExceeded"), _QUOTA),
    "403 userRateLimitExceeded": (Status(403, reason="userRateLimitExceeded"), _QUOTA),
    "404": (Status(404), stays("AssetNotFoundError")),
    "418, unknown": (Status(418), _REFUSED),
    "429": (Status(429), _QUOTA),
    "429, Retry-After: 2": (Status(429, retry_after="2"), _QUOTA),
    # Longer than is slept out: Airflow's retry comes later.
    "429, Retry-After: 3600": (Status(429, retry_after="3600"), stays("QuotaExceededError")),
    "500": (Status(500), _DOWN),
    "502": (Status(502), _DOWN),
    "503, Retry-After: 2": (Status(503, retry_after="2"), _DOWN),
    "504": (Status(504), _DOWN),
}
# Of each: what it means for an answer in JSON, and for pixels.
WIRE: dict[str, tuple[Fault, Outcome, Outcome]] = {
    "connection refused": (Refuse(0.05), _DOWN, _DOWN),
    "reset before the answer": (Reset(), _DOWN, _DOWN),
    "reset at the start of the body": (Reset(0.0), _DOWN, _CUT),
    "reset in the body": (Reset(0.5), _DOWN, _CUT),
    "body cut, full Content-Length": (Cut(0.5), _DOWN, _CUT),
    "body cut, short Content-Length": (Cut(0.5, tells_length=False), _DOWN, _CUT),
    # Longer than the tests wait.
    "silence before the answer": (Latency(1.5), _SILENT, _SILENT),
    "silence in the body": (Stall(0.5), _DOWN, _SILENT),
    "late answer": (Latency(0.2), Outcome(STORED), Outcome(STORED)),
    "one byte flipped": (Flip(1), _DOWN, _CUT),
    "HTML page with 200": (Html(), _DOWN, _CUT),
    "empty body with 200": (Empty(), _DOWN, _CUT),
}
DAMAGES: dict[str, tuple[Damage, tuple[str, ...], Outcome]] = {
    # A type is a prediction: other pixels' type is recorded and warned about.
    "another dtype": (Damage("dtype"), FORMATS, Outcome(STORED)),
    "grid one pixel off": (Damage("grid_shift"), (GEO_TIFF, PER_BAND), _MISMATCH),
    "one column too many": (Damage("grid_size"), FORMATS, _MISMATCH),
    "bands swapped": (Damage("bands"), (GEO_TIFF, NPY), _MISMATCH),
    # Members are told apart by name, so that their order is nothing.
    "members in another order": (Damage("bands"), (PER_BAND,), Outcome(STORED)),
    "one member too many": (Damage("zip_extra"), (PER_BAND,), _MISMATCH),
    "one member missing": (Damage("zip_missing"), (PER_BAND,), _MISMATCH),
    "member named /...": (Damage("zip_absolute"), (PER_BAND,), _MISMATCH),
    "member named ../...": (Damage("zip_parent"), (PER_BAND,), _MISMATCH),
}
EXPIRED = "id expired"
FAULTS: dict[str, Fault] = {
    **{name: fault for name, (fault, _) in STATUSES.items()},
    **{name: fault for name, (fault, _, _) in WIRE.items()},
    **{name: fault for name, (fault, _, _) in DAMAGES.items()},
    EXPIRED: Expire(),
}
# What cannot be told from what was asked for: pixels without a checksum, bands without a name.
UNDETECTABLE = {("one byte flipped", NPY), ("bands swapped", GEO_TIFF)}


def expectations() -> dict[tuple[str, str, str], Outcome]:
    """Return what shall come of it, by fault, stage and format."""
    found: dict[tuple[str, str, str], Outcome] = {}
    for stage in STAGES:
        for file_format in FORMATS:
            for name, (_, outcome) in STATUSES.items():
                # Pixels that cannot be computed together are fetched in four pieces.
                is_cut = outcome is _TOO_LARGE and stage.name in ("create id", PIXELS)
                found[name, stage.name, file_format] = Outcome(STORED) if is_cut else outcome
            for name, (_, of_json, of_pixels) in WIRE.items():
                outcome = of_pixels if stage.name == PIXELS else of_json
                found[name, stage.name, file_format] = outcome
            found["404", "initialise: discovery", file_format] = stays("ConnectionConfigError")
            # A new id is asked for, once.
            expired = Outcome(STORED, "DownloadIdExpiredError", tries=2)
            found["404", PIXELS, file_format] = found[EXPIRED, PIXELS, file_format] = expired
    for name, (_, formats, outcome) in DAMAGES.items():
        found |= {(name, PIXELS, file_format): outcome for file_format in formats}
    found |= {(name, PIXELS, file_format): Outcome(STORED) for name, file_format in UNDETECTABLE}
    return found


def earthengine_cells() -> list[Cell]:
    return list(expand("Earth Engine", FAULTS, STAGES, expectations()))
