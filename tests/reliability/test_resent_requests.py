"""Which request is sent again after which answer, by the request log of the emulator."""

from __future__ import annotations

import pytest

from airflow_provider.earthengine.emulator.faults import Expire, Fault, Reset, Status
from tests.reliability.workplace import STORED, Workplace

pytestmark = pytest.mark.slow

DISCOVERY, ALGORITHMS = "discovery", "algorithms"
INFO, CREATE, PIXELS = "value:compute", "thumbnails.create", "thumbnails.getPixels"
PASSING: dict[str, Fault] = {
    "503": Status(503),
    "429": Status(429, retry_after="1"),
    "400 internal error": Status(400, message="An internal error has occurred"),
    "403 rateLimitExceeded": Status(403, reason="rateLimitExceeded"),
    "reset": Reset(),
}


def usual(workplace: Workplace) -> list[str]:
    """Return what a download asks when nothing goes wrong."""
    workplace.begin()
    assert workplace.attempt("NPY", s3_prefix="usual") == STORED
    return operations(workplace)


def operations(workplace: Workplace) -> list[str]:
    return [request.operation for request in workplace.emulator.requests]


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("operation", [INFO, CREATE, PIXELS])
def test_only_the_request_that_failed_is_sent_again(
    workplace: Workplace, operation: str, name: str
) -> None:
    wanted = usual(workplace)
    place = wanted.index(operation)
    workplace.begin()
    with workplace.emulator.fault(operation, PASSING[name], times=2):
        assert workplace.attempt("NPY") == STORED
    assert operations(workplace) == [*wanted[:place], operation, operation, *wanted[place:]]
    again = [each.path for each in workplace.emulator.requests if each.operation == operation]
    # Pixels: the same id, as long as it is valid.
    assert len(set(again)) == 1


@pytest.mark.parametrize("operation", [DISCOVERY, ALGORITHMS])
def test_a_session_that_failed_to_open_is_opened_from_its_start(
    workplace: Workplace, operation: str
) -> None:
    wanted = usual(workplace)
    failed = wanted[: wanted.index(operation) + 1]
    workplace.begin()
    with workplace.emulator.fault(operation, Status(503)):
        assert workplace.attempt("NPY") == STORED
    assert operations(workplace) == failed + wanted


@pytest.mark.parametrize("fault", [Expire(), Status(404)])
def test_an_id_that_is_gone_is_replaced_once(workplace: Workplace, fault: Fault) -> None:
    wanted = usual(workplace)
    workplace.begin()
    with workplace.emulator.fault(PIXELS, fault):
        assert workplace.attempt("NPY") == STORED
    assert operations(workplace) == [*wanted, CREATE, PIXELS]
    first, second = [each.path for each in workplace.emulator.requests if each.operation == PIXELS]
    assert first != second
    workplace.begin()
    with workplace.emulator.fault(PIXELS, fault, times=2):
        assert workplace.attempt("NPY", s3_prefix="again") == "DownloadIdExpiredError"
    assert operations(workplace) == [*wanted, CREATE, PIXELS]


@pytest.mark.parametrize("code", [400, 401, 403, 418])
@pytest.mark.parametrize("operation", [INFO, CREATE, PIXELS])
def test_what_stays_is_sent_once_and_nothing_after_it(
    workplace: Workplace, operation: str, code: int
) -> None:
    wanted = usual(workplace)
    workplace.begin()
    with workplace.emulator.fault(operation, Status(code)):
        assert workplace.attempt("NPY") != STORED
    assert operations(workplace) == wanted[: wanted.index(operation) + 1]


@pytest.mark.parametrize("operation", [INFO, CREATE, PIXELS])
def test_an_answer_that_asks_for_an_hour_is_left_to_airflow(
    workplace: Workplace, operation: str
) -> None:
    wanted = usual(workplace)
    workplace.begin()
    with workplace.emulator.fault(operation, Status(429, retry_after="3600")):
        assert workplace.attempt("NPY") == "QuotaExceededError"
    assert operations(workplace) == wanted[: wanted.index(operation) + 1]
