"""What Airflow's user interface shows of downloads: names that people know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from airflow_provider.earthengine.download.fields.image import ImageFunction
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator


def mosaic() -> None:
    """Stand for a function that returns an image."""


@pytest.mark.parametrize(
    ("module", "shown"),
    [
        ("my_dag", "my_dag.mosaic"),
        (f"unusual_prefix_{'0a' * 20}_my_dag", "my_dag.mosaic"),
        (f"unusual_prefix_{'0a' * 20}_unusual_prefix_my_dag", "unusual_prefix_my_dag.mosaic"),
        ("package.of_mine", "package.of_mine.mosaic"),
    ],
)
def test_a_function_is_shown_with_the_name_of_its_file(
    module: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosaic, "__module__", module)
    assert str(ImageFunction(mosaic)) == shown


def test_airflows_own_name_of_a_dag_file_is_recognised() -> None:
    from airflow.utils.file import get_unique_dag_module_name

    name = get_unique_dag_module_name("/dags/my_dag.py")
    function = SimpleNamespace(__module__=name, __qualname__="mosaic")
    assert str(ImageFunction(function)) == "my_dag.mosaic"  # type: ignore[arg-type]


SCENE = "COPERNICUS/S2_SR/20210109T185751"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"source": {"name": "2021-01-09"}, "download_params": {"name": "b"}}, "2021-01-09"),
        ({"download_params": {"name": "b"}, "image": SCENE}, "b"),
        ({"image": SCENE}, "20210109T185751"),
        ({"image": SCENE, "source": {}}, "20210109T185751"),
        ({"image": SCENE, "download_params": '{"name": "b"}'}, "20210109T185751"),
        ({"image": '{"result": "0", "values": {}}'}, "7"),
        ({"image": {"result": "0", "values": {}}}, "7"),
        ({"image": ImageFunction(mosaic)}, "7"),
    ],
)
def test_a_mapped_download_is_shown_by_its_name(fields: dict[str, Any], shown: str) -> None:
    task = SimpleNamespace(**{"source": None, "download_params": {}, **fields})
    text = EarthEngineToS3Operator.default_map_index_template
    assert text is not None
    # As Airflow does unless a DAG says otherwise.
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)
    assert template.render(task=task, ti=SimpleNamespace(map_index=7)) == shown


@pytest.mark.parametrize("given", [{}, {"map_index_template": "{{ task.s3_prefix }}"}])
def test_the_template_of_a_dag_takes_precedence(given: dict[str, str]) -> None:
    mapped = EarthEngineToS3Operator.partial(
        task_id="download", download_params={}, s3_bucket="b", **given
    ).expand(image=[SCENE])
    wanted = given.get("map_index_template", EarthEngineToS3Operator.default_map_index_template)
    assert mapped.map_index_template == wanted
