"""Which task may replace what another one wrote."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.destination import Identity, IfExists
from airflow_provider.earthengine.download.publish.writers import (
    Writer,
    check_no_rival,
    task_metadata,
    writer_of,
)
from airflow_provider.earthengine.exceptions import ObjectExistsError

RUN = "a_dag/scheduled__2026-01-02T00:00:00+00:00"
ONE, TWO = frozenset({"COPERNICUS/S2"}), frozenset({"LANDSAT/LC08"})


def identity(**changes: Any) -> Identity:
    facts: dict[str, Any] = {
        "fingerprint": "v1:b", "generation": f"{RUN}/0", "if_exists": IfExists.REPLACE_CHANGED,
        "task_id": "download", "map_index": 1,
    }  # fmt: skip
    return Identity(**{**facts, **changes})


@pytest.mark.parametrize(
    ("writer", "changes", "is_rival"),
    [
        (Writer("v1:a", f"{RUN}/0", "download", 0), {}, True),
        (Writer("v1:a", f"{RUN}/0", "other", 1), {}, True),
        (Writer("v1:a", f"{RUN}/0", "download"), {}, True),
        (Writer("v1:a", f"{RUN}/1", "download", 0), {}, True),
        (Writer("v1:a", f"{RUN}/0", "download", 1), {}, False),
        (Writer("v1:b", f"{RUN}/0", "download", 0), {}, False),
        (Writer("v1:a", f"{RUN}/0"), {}, False),
        (Writer("v1:a", f"{RUN}/0", "download", 0), {"task_id": ""}, False),
        (Writer("v1:a", "a_dag/manual/0", "download", 0), {}, False),
        (Writer("v1:a", f"other_{RUN}/0", "download", 0), {}, False),
        (Writer("v1:a", f"{RUN}/0", "download", 0, ONE), {"collections": ONE}, True),
        (Writer("v1:a", f"{RUN}/1", "download", 0, ONE), {"collections": ONE}, False),
        (Writer("v1:a", f"{RUN}/1", "download", 0, ONE), {"collections": TWO}, True),
        (Writer("v1:a", f"{RUN}/1", "download", 0, ONE), {}, True),
    ],
)
def test_another_task_of_the_run_with_another_download_is_a_rival(
    writer: Writer, changes: dict[str, Any], is_rival: bool
) -> None:
    assert writer.is_rival_of(identity(**changes)) == is_rival


@pytest.mark.parametrize("task_id", ["download", "group.téléchargement-1", "a/b"])
@pytest.mark.parametrize("map_index", [-1, 0, 1023])
def test_an_object_says_in_ascii_which_task_wrote_it(task_id: str, map_index: int) -> None:
    mine = identity(task_id=task_id, map_index=map_index)
    metadata = {
        "fingerprint": mine.fingerprint, "generation": mine.generation, **task_metadata(mine)
    }  # fmt: skip
    assert all(each.isascii() for each in metadata.values())
    assert Writer.of_object(metadata) == writer_of(mine)


@pytest.mark.parametrize("task", ["", "x", "x/", "/1", "x/y", "x/1e3", "x/" + "9" * 30])
def test_metadata_that_says_no_task_is_nobodys(task: str) -> None:
    assert Writer.of_object({"task": task}) == Writer("", "")


def test_the_error_names_the_other_task_and_the_way_out() -> None:
    rival = Writer("v1:a", f"{RUN}/0", "download", 0)
    with pytest.raises(ObjectExistsError) as caught:
        check_no_rival("s3://b/k", rival, identity())
    assert str(caught.value) == (
        "s3://b/k was written by another task of this run (download, map index 0), and this one "
        "(download, map index 1) would replace it: both have the same name; give each task its own "
        "name in download_params, or its own s3_prefix, for example 'regions/{{ ti.map_index }}' "
        "in a mapped task."
    )
    assert caught.value.facts == {"task_id": "download", "map_index": 0}
