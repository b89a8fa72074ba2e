"""The summaries that tasks left in XCom, as the pages may show them.

XCom holds what any task pushed, maybe of another version of this package: what is not as it should
be is left out. Nothing but XCom is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider.earthengine.download.foreign import Foreign, ForeignValueError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

KEY = "summary"
KNOWN_VERSION = 1

_PICTURE = re.compile(r"data:image/(?:png|webp);base64,[A-Za-z0-9+/]+={0,2}\Z")
_MOST_PICTURE = 64 << 10
_LINK = re.compile(r"https?://[^\s\"'<>\\]+\Z")
_LISTS = ("warnings", "all_masked", "files", "bands", "bbox")
_OBJECTS = ("footprint", "datetime", "asked", "left_out")
_VALUES = ("item", "seconds", "requests", "byte_count", "published_before")


def find_summary(
    session: Session, dag_id: str, run_id: str, task_id: str, map_index: int
) -> dict[str, Any] | None:
    """Return the summary that a task left; None if it left none."""
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    found = session.execute(
        select(XComModel.value).where(
            XComModel.key == KEY,
            XComModel.dag_id == dag_id,
            XComModel.run_id == run_id,
            XComModel.task_id == task_id,
            XComModel.map_index == map_index,
        )
    ).scalar()
    return read_summary(found)


def list_summaries(
    session: Session, dag_id: str, run_id: str, offset: int, limit: int
) -> dict[str, Any]:
    """Return some of a run's summaries in short, by task and map index, and how many there are.

    :param offset: how many to skip.
    """
    from airflow.models.xcom import XComModel
    from sqlalchemy import func, select

    where = (XComModel.key == KEY, XComModel.dag_id == dag_id, XComModel.run_id == run_id)
    count = session.execute(select(func.count()).select_from(XComModel).where(*where)).scalar()
    rows = session.execute(
        select(XComModel.task_id, XComModel.map_index, XComModel.value)
        .where(*where)
        .order_by(XComModel.task_id, XComModel.map_index)
        .offset(offset)
        .limit(limit)
    ).all()
    shown = [
        {"task_id": task_id, "map_index": map_index, **_in_short(summary)}
        for task_id, map_index, value in rows
        if (summary := read_summary(value)) is not None
    ]
    return {"pictures": shown, "next": offset + len(rows), "count": count}


def read_summary(value: Any) -> dict[str, Any] | None:
    """Return what is known of a summary, each field of its type; None if it is none of ours."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    try:
        given = Foreign(value).plain()
    except ForeignValueError:
        return None
    if not isinstance(given, Mapping) or not isinstance(given.get("warnings"), list):
        return None
    version = given.get("version", 0)
    if isinstance(version, bool) or not isinstance(version, int):
        return None
    return {
        "version": version,
        "is_newer": version > KNOWN_VERSION,
        "picture": _picture(given.get("picture")),
        "links": _links(given.get("links")),
        **{name: _of_type(list, given.get(name)) or [] for name in _LISTS},
        **{name: _of_type(dict, given.get(name)) for name in _OBJECTS},
        **{name: _of_type((str, int, float), given.get(name)) for name in _VALUES},
    }


def _in_short(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "picture": summary["picture"],
        "item": summary["item"],
        "warnings": len(summary["warnings"]),
        "all_masked": bool(summary["all_masked"]),
    }


def _of_type(kind: Any, value: Any) -> Any:
    return value if isinstance(value, kind) else None


def _picture(value: Any) -> str | None:
    is_picture = isinstance(value, str) and len(value) <= _MOST_PICTURE and _PICTURE.match(value)
    return value if is_picture else None


def _links(value: Any) -> dict[str, str]:
    """Return the addresses of pages, by name; anything else would be run or fetched."""
    given = value if isinstance(value, Mapping) else {}
    return {
        name: each for name, each in given.items() if isinstance(each, str) and _LINK.match(each)
    }
