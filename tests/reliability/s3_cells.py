"""What shall come of every fault of the object store, at every request of a download."""

from __future__ import annotations

from tests.reliability.cells import (
    NPY,
    PER_BAND,
    TRIES,
    Cell,
    Outcome,
    Stage,
    expand,
    passes,
    stays,
)
from tests.reliability.s3_proxy import (
    Answer,
    Fault,
    LoseAnswer,
    LoseRequest,
    Stall,
    WrongChecksum,
)
from tests.reliability.workplace import STORED

READ_ITEM, LIST, LOOK = "read item", "list", "head object"
OPEN, PART, PART_2 = "open upload", "part 1", "part of file 2"
ASK, CLAIM = "ask to delete", "claim old item"
COMPLETE, COMPLETE_2 = "complete 1", "complete 2"
LIST_AGAIN, ITEM = "list again", "write item"
STAGES = (
    Stage(READ_ITEM, "GetObject", replaces=True),
    Stage(LIST, "ListObjectsV2"),
    Stage(LOOK, "HeadObject", replaces=True),
    Stage(OPEN, "CreateMultipartUpload"),
    Stage(PART, "UploadPart"),
    Stage(PART_2, "UploadPart", skip=1, formats=(PER_BAND,)),
    # Deleting what is left over, once it is overwritten, is a stage of tests/reliability/
    # test_crash_stages.py: a fault then leaves a claim.
    Stage(ASK, "DeleteObject", formats=(PER_BAND,), replaces=True),
    Stage(CLAIM, "PutObject", replaces=True),
    Stage(COMPLETE, "CompleteMultipartUpload"),
    Stage(COMPLETE_2, "CompleteMultipartUpload", skip=1, formats=(PER_BAND,)),
    Stage(LIST_AGAIN, "ListObjectsV2", skip=1),
    Stage(ITEM, "PutObject"),
)
_SENT = {OPEN, PART, PART_2, CLAIM, COMPLETE, COMPLETE_2, ITEM}
_DOWN, _DENIED = passes("ServiceUnavailableError"), stays("AccessDeniedError")
_GONE, _DAMAGED = stays("BucketNotFoundError"), stays("ServiceUnavailableError")
_PASSING = {
    "503 SlowDown": passes("QuotaExceededError"), "silence": passes("FetchTimeoutError")
}  # fmt: skip
_CHECKED = {PART, PART_2, CLAIM, ITEM}

DENIED_ON, GONE_ON = "403 for good", "bucket gone for good"
ANSWER_LOST = "answer lost"
FAULTS: dict[str, Fault] = {
    "500": Answer(500, "InternalError"),
    "503 SlowDown": Answer(503, "SlowDown"),
    "error with 200": Answer(200, "InternalError"),
    "request lost": LoseRequest(),
    "reset during the body": LoseRequest(0.5),
    ANSWER_LOST: LoseAnswer(),
    "answer cut": LoseAnswer(0.5),
    "silence": Stall(),
    "400 BadDigest": Answer(400, "BadDigest"),
    "wrong checksum in the answer": WrongChecksum(),
    "412": Answer(412, "PreconditionFailed"),
    "409": Answer(409, "ConditionalRequestConflict"),
    "403": Answer(403, "AccessDenied"),
    DENIED_ON: Answer(403, "AccessDenied", goes_on=True),
    "bucket gone": Answer(404, "NoSuchBucket"),
    GONE_ON: Answer(404, "NoSuchBucket", goes_on=True),
}


def expectations() -> dict[tuple[str, str, str], Outcome]:
    """Return what shall come of it, by fault, stage and format."""
    found = {}
    for stage in STAGES:
        for name in FAULTS:
            outcome = _expect(name, stage.name)
            for file_format in stage.formats if outcome else ():
                found[name, stage.name, file_format] = outcome
    return {key: outcome for key, outcome in found.items() if outcome}


def _expect(fault: str, stage: str) -> Outcome | None:
    """Return what shall come of a fault; None where it cannot happen."""
    match fault:
        case "500" | "request lost" | "answer lost" | "503 SlowDown" | "silence":
            # An answer to HEAD has no text that could say SlowDown.
            is_mute = fault == "503 SlowDown" and stage == LOOK
            return _DOWN if is_mute else _PASSING.get(fault, _DOWN)
        case "error with 200":
            # Only this answer begins before the work is done, so that S3 can only say it late.
            return _DOWN if stage in (COMPLETE, COMPLETE_2) else None
        case "reset during the body":
            return _DOWN if stage in _SENT else None
        case "400 BadDigest":
            return _DAMAGED if stage in _CHECKED else None
        case "wrong checksum in the answer":
            return stays("StoredObjectMismatchError") if stage in _CHECKED else None
        case "403" | "403 for good":
            return _DENIED
        case "412" | "409":
            return _expect_of_condition(stage)
        case _:
            return _expect_of_the_rest(fault, stage)


def _expect_of_condition(stage: str) -> Outcome | None:
    if stage in (CLAIM, COMPLETE, COMPLETE_2):
        return Outcome(STORED, "ServiceUnavailableError", tries=3)
    if stage == ITEM:
        return Outcome(STORED, "ServiceUnavailableError", tries=5)
    if stage == ASK:
        return Outcome(STORED)  # It is what the answer should be.
    return None


def _expect_of_the_rest(fault: str, stage: str) -> Outcome | None:
    if fault == "answer cut":
        # Half of an error's or of a small answer's text; the next try reads it whole.
        return _DOWN if stage in (LIST, LIST_AGAIN) else None
    # A HEAD says 404 for both, and has no text; the next request tells.
    if stage == LOOK:
        return _GONE if fault == GONE_ON else None
    return _GONE


def left_uploads(cell: Cell) -> tuple[int, ...]:
    """Return how many open uploads, one of these numbers, nobody can know of, or may abort; a
    lifecycle rule does.
    """
    if cell.stage.name == OPEN and cell.fault_name == ANSWER_LOST:
        return (cell.times,)
    files = 2 if cell.file_format == PER_BAND else 1
    if cell.fault_name not in (DENIED_ON, GONE_ON):
        return (0,)
    if cell.stage.name == PART:
        return tuple(range(1, files + 1))  # The second file may have begun.
    # COGs are uploaded while they are written, before anybody looks at what is to be replaced.
    looked = 0 if cell.file_format == NPY else files
    with_tombstone = files + (cell.file_format == PER_BAND)
    opened = {
        LOOK: looked, PART_2: 2, ASK: with_tombstone, CLAIM: with_tombstone,
        COMPLETE: files, COMPLETE_2: 1,
    }  # fmt: skip
    return (opened.get(cell.stage.name, 0),)


def writes_item(cell: Cell) -> bool:
    """Return whether the item is there although the download failed: only the answers are lost."""
    lost = (ANSWER_LOST, "wrong checksum in the answer")
    return cell.stage.name == ITEM and cell.fault_name in lost


def s3_cells() -> list[Cell]:
    assert TRIES == 3
    return list(expand("the object store", FAULTS, STAGES, expectations()))
