"""JSON text is bounded as the values are that it stands for."""

from __future__ import annotations

import pytest

from airflow_provider.earthengine.download.fields.values import read_json
from airflow_provider.earthengine.exceptions import DownloadParamsError


@pytest.mark.parametrize("value", ["[[1]]", [[1]]])
def test_lists_of_the_depth_that_is_allowed_are_read(value: object) -> None:
    assert read_json("limits", value, 2) == [[1]]


@pytest.mark.parametrize("value", ["[[[1]]]", [[[1]]], '["\\ud800"]', ["\ud800"]])
def test_what_is_deeper_or_no_text_is_refused_whatever_it_came_as(value: object) -> None:
    with pytest.raises(DownloadParamsError, match=r"^limits ") as caught:
        read_json("limits", value, 2)
    assert caught.value.facts["field"] == "limits"
