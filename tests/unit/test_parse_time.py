"""What can never be right fails while the DAG file is parsed; the rest is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, TaskGroup, task

from airflow_provider.earthengine.exceptions import DownloadParamsError
from airflow_provider.earthengine.operators.drift import EarthEngineDriftOperator
from airflow_provider.earthengine.operators.list_due_markers import (
    EarthEngineListDueMarkersOperator,
)
from airflow_provider.earthengine.operators.list_images import EarthEngineListImagesOperator
from airflow_provider.earthengine.sensors.image_collection import EarthEngineImageCollectionSensor
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

PARAMS: dict[str, Any] = {"bands": ["B1"], "scale": 10}
DOWNLOAD: dict[str, Any] = {"image": "A/B", "download_params": PARAMS, "s3_bucket": "demo"}
LIST: dict[str, Any] = {"collection": "A/B"}
MARKERS: dict[str, Any] = {"s3_bucket": "demo"}
KINDS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "download": (EarthEngineToS3Operator, DOWNLOAD),
    "list": (EarthEngineListImagesOperator, LIST),
    "drift": (EarthEngineDriftOperator, MARKERS),
    "markers": (EarthEngineListDueMarkersOperator, MARKERS),
    "sensor": (EarthEngineImageCollectionSensor, LIST),
}


def make(kind: str, **fields: Any) -> Any:
    operator, usual = KINDS[kind]
    return operator(task_id="a_task", **{**usual, **fields})


def make_ndvi(tile: str) -> None:
    """Stand in for a function that makes an image."""


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("download", {"download_params": {"scal": 10}}, "unknown key 'scal'; did you mean 'scale'"),
    ("download", {"download_params": {**PARAMS, "dimensions": [1, 1]}}, "dimensions and scale"),
    ("download", {"download_params": '{"scal": 10}'}, "unknown key 'scal'"),
    ("download", {"download_params": "{'scale': 10}"}, "tojson"),
    ("download", {"download_params": ["B1"]}, "write a dict"),
    ("download", {"download_params": None}, "write a dict"),
    ("download", {"download_params": {"scale": np.int64(10)}}, "contains a numpy.int64"),
    ("download", {"download_params": {"region": [5, 43, 6]}}, "region"),
    ("download", {"download_params": {"region": {"type": "Point"}}}, "of type 'Point'"),
    ("download", {"download_params": {"region": [6, 43, 5, 44]}}, "west, south, east, north"),
    ("download", {"layout": "coq"}, "layout is 'coq'; use one of cog"),
    ("download", {"layout": 5}, "layout is 5"),
    ("download", {"layout": "cog", "download_params": {"format": "NPY"}}, "NPY is an array"),
    ("download", {"compression": "gzip"}, "compression is 'gzip'"),
    ("download", {"layout": "zip", "compression": "zstd"}, "leave compression out"),
    ("download", {"nodata": "none"}, "nodata is 'none'"),
    ("download", {"layout": "zip", "nodata": 0}, "nodata is given, but layout 'zip'"),
    ("download", {"if_exists": "overwrite"}, "if_exists is 'overwrite'"),
    ("download", {"on_empty": "skipp"}, "on_empty is 'skipp'"),
    ("download", {"recheck_days": -1}, "recheck_days is -1"),
    ("download", {"image": None}, "image is None; write an asset id"),
    ("download", {"image": ""}, "image is ''; write an asset id"),
    ("download", {"image": "no asset"}, "write an asset id"),
    ("download", {"image": {"values": {}}}, "result is not among its values"),
    ("download", {"image_kwargs": {"a": 1}}, "image is not a function"),
    ("download", {"image": make_ndvi, "image_kwargs": {"tyle": 1}}, "has tyle, which the image"),
    ("download", {"s3_bucket": "s3://demo"}, "write only the bucket's name, 'demo'"),
    ("download", {"s3_prefix": "a//b"}, "write the prefix of the keys"),
    ("download", {"s3_prefix": "a\\b"}, "a backslash as a slash"),
    ("download", {"limits": {"max_request": 5}}, "did you mean max_requests"),
    ("download", {"limits": {"resume": "maybe"}}, "['resume'] is 'maybe'"),
    ("download", {"limits": {"max_requests": 0}}, "above 0"),
    ("download", {"limits": {"staging_prefix": "a/b"}, "s3_prefix": "a"}, "inside s3_prefix"),
    ("download", {"record": {"license": "x"}}, "any of the keys licence"),
    ("download", {"s3_extra_args": {"Metadata": {}}}, "has the key 'Metadata'"),
    ("download", {"source": {"images": [[1, 2]]}}, "source is"),
    ("download", {"source": 5}, "source is 5"),
    ("download", {"plan_only": "perhaps"}, "write true or false"),
    ("list", {"collection": "no collection"}, "write the asset id of an image collection"),
    ("list", {"collection": None}, "collection is None"),
    ("list", {"start": "yesterday"}, "start is 'yesterday'"),
    ("list", {"start": "2021-01-02", "end": "2021-01-01"}, "after its end"),
    ("list", {"start": "2021-01-01", "end": "2021-01-01"}, "has no length"),
    ("list", {"region": "area.geojson"}, "the name of a file"),
    ("list", {"region": [5, 43]}, "region"),
    ("list", {"filters": {"CLOUDS": {"below": 5}}}, "compares CLOUDS by 'below'"),
    ("list", {"filters": {"CLOUDS": None}}, "compares CLOUDS with None"),
    ("list", {"min_coverage_percent": 101, "region": [5, 43, 6, 44]}, "from 0 to 100"),
    ("list", {"min_coverage_percent": 50}, "without region"),
    ("list", {"sort": "-"}, "sort is '-'"),
    ("list", {"limit": 0}, "limit is 0"),
    ("list", {"by": "month"}, "by is 'month'"),
    ("list", {"s3_prefix": "a/%q"}, "'%q'"),
    ("drift", {"s3_bucket": "s3://demo/a"}, "write only the bucket's name, 'demo'"),
    ("drift", {"by": "day"}, "by is 'day'"),
    ("drift", {"s3_prefix": "a/%q"}, "'%q'"),
    ("drift", {"collection": "no collection"}, "collection is 'no collection'"),
    ("drift", {"filters": 5}, "filters is 5"),
    ("markers", {"s3_bucket": 5}, "s3_bucket is 5"),
    ("markers", {"s3_prefix": "../x"}, "write the prefix of the keys"),
    ("sensor", {"collection": ""}, "collection is ''"),
    ("sensor", {"min_images": 0}, "min_images is 0"),
    ("sensor", {"quiet_period": -1}, "quiet_period is -1"),
    ("sensor", {"quiet_period": timedelta(days=-1)}, "quiet_period is datetime.timedelta"),
    ("sensor", {"quiet_period": 60, "deferrable": False, "mode": "reschedule"}, "not remember"),
    ("sensor", {"end": object()}, "end is <object"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "words"), WRONG)
def test_a_literal_that_can_never_be_right_is_refused_when_the_task_is_made(
    kind: str, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(DownloadParamsError) as caught:
        make(kind, **fields)
    assert words in str(caught.value)
    # Made on a worker, as mapped tasks are, it fails without a retry.
    assert isinstance(caught.value, AirflowFailException)


TEMPLATE = "{{ params.x }}"
LATER: list[tuple[str, dict[str, Any]]] = [
    ("download", dict.fromkeys(
        ("image", "download_params", "s3_bucket", "s3_prefix", "layout", "compression", "if_exists",
         "on_empty", "recheck_days", "nodata", "record", "s3_extra_args", "limits", "plan_only",
         "image_kwargs"), TEMPLATE)),
    ("download", {"download_params": {"scale": TEMPLATE, "bands": ["{% if a %}B1{% endif %}"]}}),
    ("download", {"download_params": {"crs_transform": [1, 0, 0, 0, -1, 0], "crs": TEMPLATE}}),
    ("download", {"download_params": {"scale": 10, "dimensions": TEMPLATE}}),
    ("download", {"download_params": {"bands": [{"id": "B1", "crs": TEMPLATE}]}}),
    ("download", {"download_params": {"region": {"type": TEMPLATE, "coordinates": [[1]]}}}),
    ("download", {"download_params": '{"region": {{ params.region | tojson }}, "scal": 5}'}),
    ("download", {"download_params": {"region": "s3://bucket/area.geojson"}}),
    ("download", {"download_params": {"region": "/no/such/area.geojson"}}),
    ("download", {"download_params": {"region": "projects/a/assets/areas"}}),
    ("download", {"download_params": {"format": TEMPLATE}, "layout": "zip"}),
    ("download", {"download_params": {"format": "NPY"}, "layout": TEMPLATE}),
    ("download", {"layout": TEMPLATE, "compression": "zstd", "nodata": 5}),
    ("download", {"limits": {"resume": TEMPLATE, "max_requests": 5}}),
    ("download", {"record": {"licence": TEMPLATE, "start_datetime": "2021-01-01"}}),
    ("download", {"s3_extra_args": {"Tagging": {"team": TEMPLATE}}}),
    ("download", {"image": "projects/a/assets/x_{{ ds_nodash }}"}),
    ("download", {"image": make_ndvi, "image_kwargs": {"tile": TEMPLATE}}),
    ("download", {"image": make_ndvi, "image_kwargs": {"tile": datetime(2021, 1, 1, tzinfo=UTC)}}),
    ("download", {"source": {"name": "x", "images": [["A/{{ params.asset }}", 1]]}}),
    ("list", dict.fromkeys(("collection", "start", "end", "region", "filters",
                            "min_coverage_percent", "sort", "limit", "by", "s3_prefix"), TEMPLATE)),
    ("list", {"start": "{{ ds }}", "end": "2021-01-01"}),
    ("list", {"start": None, "end": ""}),
    ("list", {"filters": {"CLOUDS": {"lt": TEMPLATE}, "TILE": TEMPLATE, "ORBIT": ["{{ 5 }}", 6]}}),
    ("list", {"min_coverage_percent": 50, "region": TEMPLATE}),
    ("list", {"region": [TEMPLATE, 43, 6, 44]}),
    ("drift", {"collection": None, "start": None}),
    ("drift", dict.fromkeys(("collection", "s3_bucket", "s3_prefix", "by"), TEMPLATE)),
    ("markers", dict.fromkeys(("s3_bucket", "s3_prefix"), TEMPLATE)),
    ("sensor", {"min_images": TEMPLATE, "start": "{{ data_interval_start }}"}),
    ("sensor", {"quiet_period": timedelta(hours=1), "deferrable": False}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields"), LATER)
def test_what_is_decided_when_the_task_runs_is_left_alone(
    kind: str, fields: dict[str, Any]
) -> None:
    make(kind, **fields)


def test_the_results_of_tasks_and_parameters_of_the_dag_are_left_alone() -> None:
    @task
    def decide() -> Any:
        """Stand in for a task whose result is a field."""

    with DAG("a_dag", params={"layout": "coq"}) as dag:
        decided = decide()
        for kind, (operator, usual) in KINDS.items():
            operator(task_id=kind, **dict.fromkeys(usual, decided))
        make("download", layout=dag.param("layout"), download_params={"region": decided["region"]})


def test_a_literal_next_to_a_template_is_checked() -> None:
    for kind, fields, words in (
        ("download", {"download_params": {"scal": 10, "region": TEMPLATE}}, "unknown key 'scal'"),
        ("download", {"download_params": {"scale": "fine", "crs": TEMPLATE}}, "scale is 'fine'"),
        ("download", {"limits": {"max_request": TEMPLATE}}, "unknown key 'max_request'"),
        ("download", {"limits": {"max_requests": -1, "resume": TEMPLATE}}, "requests'] is -1"),
        ("download", {"s3_extra_args": {"Metadata": TEMPLATE}}, "has the key 'Metadata'"),
        ("download", {"record": {"license": TEMPLATE}}, "any of the keys licence"),
        ("list", {"filters": {"CLOUDS": {"below": TEMPLATE}}}, "by 'below'"),
        ("list", {"filters": {"CLOUDS": {"lt": TEMPLATE}, "ORBIT": {"like": 1}}}, "by 'like'"),
    ):  # fmt: skip
        with pytest.raises(DownloadParamsError) as caught:
            make(kind, **fields)
        assert words in str(caught.value)


def test_text_is_left_alone_in_a_dag_with_delimiters_of_its_own() -> None:
    own = {"variable_start_string": "[[", "variable_end_string": "]]"}
    with DAG("a_dag", jinja_environment_kwargs=own):
        make("download", layout="[[ params.layout ]]")
        operator, usual = KINDS["download"]
        operator.partial(task_id="mapped", layout="[[ x ]]", **usual).expand(s3_prefix=["a"])
    with (
        DAG("another", jinja_environment_kwargs={"trim_blocks": True}),
        pytest.raises(DownloadParamsError),
    ):
        make("download", layout="[[ params.layout ]]")


# What is left out of a mapped task may be what it is expanded over.
ALONE = [each for each in WRONG if each[2] != "without region"]


@pytest.mark.parametrize(("kind", "fields", "words"), ALONE)
def test_what_is_fixed_of_a_mapped_task_is_checked(
    kind: str, fields: dict[str, Any], words: str
) -> None:
    operator, usual = KINDS[kind]
    with DAG("a_dag"):
        partial = operator.partial(task_id="a_task", **{**usual, **fields})
        with pytest.raises(DownloadParamsError) as caught:
            partial.expand(doc=["a", "b"])
    assert words in str(caught.value)


@pytest.mark.parametrize(("kind", "fields", "words"), [each for each in ALONE if len(each[1]) == 1])
def test_each_literal_that_a_task_is_expanded_over_is_checked(
    kind: str, fields: dict[str, Any], words: str
) -> None:
    operator, usual = KINDS[kind]
    ((name, value),) = fields.items()
    fixed = {key: each for key, each in usual.items() if key != name}
    good = usual.get(name, TEMPLATE)
    with DAG("a_dag"):
        with pytest.raises(DownloadParamsError) as caught:
            operator.partial(task_id="one", **fixed).expand(**{name: [good, value]})
        assert words in str(caught.value)
        with pytest.raises(DownloadParamsError) as caught:
            operator.partial(task_id="two", **fixed).expand_kwargs([{name: good}, {name: value}])
        assert words in str(caught.value)


def test_a_literal_that_contradicts_what_is_fixed_is_refused() -> None:
    formats = [{"format": "GEO_TIFF"}, {"format": "NPY"}]
    fixed = {"image": "A/B", "s3_bucket": "demo", "layout": "cog"}
    with DAG("a_dag"), pytest.raises(DownloadParamsError, match="NPY is an array"):
        EarthEngineToS3Operator.partial(task_id="a", **fixed).expand(download_params=formats)


def test_what_a_mapped_task_lacks_is_named_unless_the_dag_or_its_group_gives_it() -> None:
    fixed = {"download_params": PARAMS}
    with DAG("a_dag", default_args={"s3_bucket": "demo"}):
        with pytest.raises(DownloadParamsError, match="image is missing; pass it to partial"):
            EarthEngineToS3Operator.partial(task_id="a", **fixed).expand(s3_prefix=["a"])
        with TaskGroup("group", default_args={"image": "A/B"}):
            EarthEngineToS3Operator.partial(task_id="b", **fixed).expand(s3_prefix=["a"])
        with pytest.raises(DownloadParamsError, match="image is missing"):
            EarthEngineToS3Operator.partial(task_id="c", **fixed).expand_kwargs(
                [{"image": "A/B"}, {"s3_prefix": "b"}]
            )


def test_a_mapped_task_over_the_results_of_others_is_made_as_ever() -> None:
    @task
    def listed() -> list[Any]:
        """Stand in for a listing."""
        return []

    with DAG("a_dag") as dag:
        results = listed()
        download = EarthEngineToS3Operator.partial(
            task_id="one", download_params={"scale": TEMPLATE}, s3_bucket="demo"
        ).expand_kwargs(results)
        EarthEngineToS3Operator.partial(task_id="two", **DOWNLOAD).expand(s3_prefix=results)
        EarthEngineToS3Operator.partial(task_id="three", **DOWNLOAD).expand(s3_prefix=["a", "b"])
    assert download.task_id == "one"
    assert {"one", "two", "three"} <= set(dag.task_ids)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"download_params": {"scal": 10}, "s3_bucket": "demo"}, "unknown key 'scal'"),
        ({"download_params": {}, "s3_bucket": "s3://demo"}, "only the bucket's name"),
        ({"download_params": {}, "s3_bucket": "demo", "layout": "coq"}, "layout is 'coq'"),
        ({"download_params": {}, "s3_bucket": "demo", "image_kwargs": {"a": 1}}, "has a, which"),
    ],
)
def test_the_decorator_checks_its_fields_whether_or_not_the_task_is_mapped(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(DownloadParamsError) as caught, DAG("a_dag"):
        task.earthengine_to_s3(**fields)(make_ndvi)("T10SEG")
    assert words in str(caught.value)


def test_a_decorated_function_with_good_fields_becomes_a_task_or_many() -> None:
    with DAG("a_dag") as dag:
        decorate = task.earthengine_to_s3(download_params={"scale": TEMPLATE}, s3_bucket="demo")
        decorate(make_ndvi)("T10SEG")
        decorate(make_ndvi).override(task_id="mapped").expand(tile=["T10SEG", "T11SEG"])
    assert set(dag.task_ids) == {"make_ndvi", "mapped"}


_COST = """
import json, sys, time
from airflow.sdk import DAG
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from airflow_provider.earthengine.task.parse_time import ParseTimeChecks
before = set(sys.modules)
field = {"type": "Polygon", "coordinates": [[[x / 1000, 43] for x in range(200)] + [[0.1, 44]]]}
def make(number):
    return EarthEngineToS3Operator(
        task_id=f"t{number}", image="A/B", s3_bucket="demo", limits={"max_requests": 5},
        download_params={"bands": ["B1", "B2"], "region": field, "scale": 10, "crs": "EPSG:32610"},
    )
def seconds(count=100):
    started = time.process_time()
    with DAG("a_dag"):
        for number in range(count):
            make(number)
    return (time.process_time() - started) / count
make(0)
checked = min(seconds() for _ in range(3))
ParseTimeChecks.check_literals = lambda self: None
unchecked = min(seconds() for _ in range(3))
print(json.dumps([checked - unchecked, sorted(set(sys.modules) - before)]))
"""


@pytest.mark.slow
def test_checking_costs_little_and_loads_nothing(airflow_home: Path) -> None:
    """A task with a region of 200 points takes a millisecond or so more."""
    ran = subprocess.run(
        [sys.executable, "-c", _COST], capture_output=True, text=True, timeout=120, check=True
    )
    seconds, loaded = json.loads(ran.stdout.strip().splitlines()[-1])
    assert seconds < 0.02
    heavy = {"boto3", "botocore", "ee", "numpy", "pystac", "rasterio", "requests", "shapely"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)
