"""What the user says of the bands: under STAC's names, or refused with the band's."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.record import read_band_records
from airflow_provider.earthengine.exceptions import DownloadParamsError


def test_everything_that_can_be_said_of_a_band_is_read() -> None:
    said = {"scale": "0.0001", "offset": -1, "unit": "1", "description": "Red"}
    assert read_band_records({"bands": {"B4": said}}) == {
        "B4": {
            "raster:scale": 0.0001, "raster:offset": -1.0, "unit": "1", "description": "Red",
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (5, "record['bands']['B4'] is 5; write a dict with any of the keys"),
        ({"gain": 2}, "record['bands']['B4'] is {'gain': 2}; write a dict with any of the keys"),
        ({"scale": 0}, "record['bands']['B4'] has the scale 0"),
        ({"scale": "x"}, "record['bands']['B4']['scale'] is 'x'; write a number."),
        ({"unit": 5}, "record['bands']['B4']['unit'] is 5; write text"),
    ],
)
def test_what_is_odd_is_refused_with_the_name_of_the_band(said: Any, sentence: str) -> None:
    with pytest.raises(DownloadParamsError) as caught:
        read_band_records({"bands": {"B4": said}})
    assert str(caught.value).startswith(sentence)
    assert caught.value.facts["field"].startswith("record")
