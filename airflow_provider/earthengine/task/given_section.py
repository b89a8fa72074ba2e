"""What the task plan of a group tells the tasks that follow, through XCom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError
from airflow_provider.earthengine.exceptions import SectionsOutdatedError

FORMAT = 1
"""Of what the task plan tells the others."""


@dataclass(frozen=True)
class GivenSection:
    """What the task plan tells about a section.

    :param count: of all sections.
    :param generation: of the task plan.
    :param version: of the image, as planned.
    :param left: the ETag of the record that an earlier run left of the section.
    """

    plan_id: str
    section: int
    count: int
    generation: str
    version: int | None
    left: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for XCom."""
        return {
            "format": FORMAT,
            "plan_id": self.plan_id,
            "section": self.section,
            "count": self.count,
            "generation": self.generation,
            "version": self.version,
            "left": self.left,
        }


def read_given(value: Any) -> GivenSection:
    """Return what the task plan told.

    :raises SectionsOutdatedError: if it is of another version of this package.
    """
    given = Foreign(value, "section")
    try:
        if given.at("format").whole() != FORMAT:
            given.at("format").refuse(f"format {FORMAT}")
        version, left = given.at("version"), given.at("left")
        return GivenSection(
            given.at("plan_id").text(),
            given.at("section").whole(0),
            given.at("count").whole(1),
            given.at("generation").text(),
            None if version.is_absent else version.whole(),
            None if left.is_absent else left.text(),
        )
    except ForeignValueError as error:
        raise SectionsOutdatedError(
            f"The task plan was run by another version of this package ({error}); clear it with "
            "its downstream tasks, and use the same version on all workers."
        ) from None
