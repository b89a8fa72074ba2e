"""The cells of the fault matrix, generated: every fault x every stage x every format.

What a cell shall end with is said here by rules over faults and stages, from what the answers mean,
not from what the code does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from airflow_provider.earthengine.emulator import faults as ee_faults
from tests.reliability import s3_proxy
from tests.reliability.workplace import FORMATS, STORED

GEO_TIFF, PER_BAND, NPY = FORMATS
TRIES = 3
# One fault that a repeated request survives, and one that stays until the tries are used up.
ONCE, ALWAYS = "once", "always"

Fault = ee_faults.Fault | s3_proxy.Fault


@dataclass(frozen=True)
class Stage:
    """One request of a download.

    :param operation: what the emulator or the proxy calls it.
    :param skip: how many requests of that operation come before.
    :param formats: those in which there is such a request.
    :param replaces: whether an older download is there, which is replaced.
    """

    name: str
    operation: str
    skip: int = 0
    formats: tuple[str, ...] = FORMATS
    replaces: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a fault shall lead to.

    :param once: when it happens once: "stored", or a class of error.
    :param always: when it happens to each try; None for a fault that is not tried again.
    :param tries: how often it then happens.
    """

    once: str
    always: str | None = None
    tries: int = TRIES


@dataclass(frozen=True)
class Cell:
    """One run of the matrix.

    :param times: how often the fault is armed; it has to happen as often.
    """

    side: str
    fault_name: str
    fault: Fault
    stage: Stage
    file_format: str
    mode: str
    times: int
    expected: str

    @property
    def id(self) -> str:
        name = f"{self.fault_name}-{self.stage.name}-{self.file_format}-{self.mode}"
        return name.replace(" ", "_")


def passes(error: str) -> Outcome:
    """Return that of a fault that passes: tried again, or told as this error."""
    return Outcome(STORED, error)


def stays(error: str) -> Outcome:
    """Return that of a fault that waiting does not mend: told at once."""
    return Outcome(error)


def expand(
    side: str,
    faults: Mapping[str, Fault],
    stages: tuple[Stage, ...],
    expect: Mapping[tuple[str, str, str], Outcome],
) -> Iterator[Cell]:
    """Yield every cell; a fault that stays happens in one format a stage, by turns.

    :param expect: by fault, stage and format; what is not in it cannot happen.
    """
    turn = 0
    for fault_name, fault in faults.items():
        for stage in stages:
            found = {
                f: expect[k] for f in stage.formats if (k := (fault_name, stage.name, f)) in expect
            }
            turn += 1
            for place, (file_format, outcome) in enumerate(found.items()):
                cell = (side, fault_name, fault, stage, file_format)
                yield Cell(*cell, ONCE, 1, outcome.once)
                if outcome.always and (turn + place) % len(found) == 0:
                    yield Cell(*cell, ALWAYS, outcome.tries, outcome.always)
