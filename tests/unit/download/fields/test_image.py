from typing import Any

import pytest

from airflow_provider.earthengine.download.fields.image import read_image
from airflow_provider.earthengine.exceptions import DownloadParamsError

EXPRESSION = {
    "result": "0",
    "values": {
        "0": {
            "functionInvocationValue": {
                "functionName": "Image.load",
                "arguments": {"id": {"constantValue": "USGS/SRTMGL1_003"}},
            }
        }
    },
}


def test_an_asset_id_is_the_program_that_loads_it() -> None:
    image = read_image("USGS/SRTMGL1_003")
    assert (image.asset_id, image.name) == ("USGS/SRTMGL1_003", "SRTMGL1_003")
    assert image.expression == EXPRESSION


def test_an_expression_may_be_a_dict_or_json_text() -> None:
    import json

    assert read_image(EXPRESSION).expression == EXPRESSION
    assert read_image(json.dumps(EXPRESSION)).expression == EXPRESSION
    assert read_image(EXPRESSION).name == "SRTMGL1_003"
    computed = {"result": "0", "values": {"0": {"constantValue": 1}}}
    assert read_image(computed).name == "download"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "write an asset id"),
        ("no spaces please", "write an asset id"),
        ("/absolute", "write an asset id"),
        ("a//b", "write an asset id"),
        (5, "write an asset id"),
        (None, "write an asset id"),
        ("<ee.image.Image object>", "write an asset id"),
        ({"result": "1", "values": {}}, "result is not among"),
        ({"type": "Image"}, "result is not among"),
        ("{'result': '0'}", "tojson"),
    ],
)
def test_what_is_no_image_is_refused(value: Any, words: str) -> None:
    with pytest.raises(DownloadParamsError, match=words):
        read_image(value)
