"""Which tests answer for which room: those of the mirrored folder, and what is named here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
_PACKAGE = "airflow_provider/earthengine"


@dataclass(frozen=True)
class Room:
    """A folder whose modules promise something.

    :param folder: below the package.
    :param also: tests outside of the mirrored folder that are the nearest to a promise.
    :param marks: which of these tests are run, as pytest's ``-m`` says it.
    """

    folder: str
    also: tuple[str, ...] = ()
    marks: str = "not live"

    @property
    def name(self) -> str:
        return self.folder.rpartition("/")[2]

    @property
    def source(self) -> str:
        """Its path, from the project's folder."""
        return f"{_PACKAGE}/{self.folder}"

    @property
    def tests(self) -> tuple[str, ...]:
        """Return the paths of its tests, from the project's folder."""
        return f"tests/unit/{self.folder}", *self.also


ROOMS = (
    Room("download/fields", also=("tests/unit/download/test_foreign.py",)),
    Room("download/plan"),
    Room("download/bucket"),
    Room("download/raster"),
    Room("download/fetch"),
    Room(
        "download/publish",
        also=("tests/reliability/test_commit_model.py",),
        marks="not slow and not live",  # the model's slow cases take minutes each
    ),
    Room("catalog"),
    Room("triggers"),
)
