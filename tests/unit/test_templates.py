"""Every field of the operator comes out of a template as what was meant, as text and natively."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider.earthengine.download.fields.download_limits import DownloadLimits
from airflow_provider.earthengine.download.fields.job import Job, Worker, read_job
from airflow_provider.earthengine.download.fields.on_empty import read_recheck_days
from airflow_provider.earthengine.download.fields.values import read_boolean
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from tests.support.airflow_task import task_context

REGION = {"type": "Polygon", "coordinates": [[[5, 43], [5.1, 43], [5.1, 43.1], [5, 43]]]}
FIELDS = {"image": "A/{{ params.asset }}", "download_params": {}, "s3_bucket": "demo"}


def job_of(native: bool, params: dict[str, Any], **fields: Any) -> tuple[Any, Job]:
    """Render the fields as Airflow does, with the DAG's params, and read them."""
    with DAG("a_dag", render_template_as_native_obj=native, schedule=None):
        operator = EarthEngineToS3Operator(task_id="download", **{**FIELDS, **fields})
    context = {**task_context(), "params": {"asset": "B", **params}, "ds": "2026-01-01"}
    operator.render_template_fields(context)  # type: ignore[arg-type]  # a stand-in
    worker = Worker(lambda: None, lambda uri: uri.encode(), context)
    job = read_job(operator._fields(), "a_dag/run/0", worker)
    return operator, job


PARAMS = [
    ("name", "scene-{{ ds }}", None, "scene-2026-01-01"),
    ("bands", "{{ params.it | tojson }}", ["B3", "B8"], ["B3", "B8"]),
    ("bands", "B3,{{ params.it }}", "B8", ["B3", "B8"]),
    ("bands", ["{{ params.it }}"], "B3", ["B3"]),
    ("bands", [{"id": "B3", "scale": "{{ params.it }}"}], 10, [{"id": "B3", "scale": 10}]),
    ("crs", "EPSG:{{ params.it }}", 32610, "EPSG:32610"),
    ("dimensions", "{{ params.it }}", [10, 20], [10, 20]),
    ("dimensions", ["{{ params.it }}", "20"], 10, [10, 20]),
    ("dimensions", "{{ params.it }}x20", 10, [10, 20]),
    ("scale", "{{ params.it }}", 20, 20),
    ("scale", "{{ params.it }}", 0.5, 0.5),
    ("region", "{{ params.it | tojson }}", REGION, REGION),
    ("region", ["{{ params.it }}", 43, "5.1", "43.1"], 5, [5, 43, 5.1, 43.1]),
    ("format", "{{ params.it }}", "GEO_TIFF", "GEO_TIFF"),
]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(("key", "template", "it", "wanted"), PARAMS)
def test_a_parameter_of_the_download_is_what_was_meant(
    native: bool, key: str, template: Any, it: Any, wanted: Any
) -> None:
    _, job = job_of(native, {"it": it}, download_params={key: template})
    assert job.params.to_request()[key] == wanted


@pytest.mark.parametrize("native", [False, True])
def test_a_transform_is_what_was_meant(native: bool) -> None:
    params = {"crs": "EPSG:32610", "crs_transform": "{{ params.it | tojson }}"}
    transform = [30, 0, 254220, 0, -30, 6273760]
    _, job = job_of(native, {"it": transform}, download_params=params)
    assert job.params.to_request()["crs_transform"] == transform


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(("it", "file_format"), [(True, "_PER_BAND"), (False, "")])
def test_a_boolean_is_what_was_meant(native: bool, it: bool, file_format: str) -> None:
    _, job = job_of(native, {"it": it}, download_params={"filePerBand": "{{ params.it }}"})
    assert job.params.file_format == f"ZIPPED_GEO_TIFF{file_format}"


@pytest.mark.parametrize("native", [False, True])
def test_all_parameters_may_come_as_one_json_text(native: bool) -> None:
    params = {"scale": 20, "region": REGION, "format": "GEO_TIFF"}
    _, job = job_of(native, {"it": params}, download_params="{{ params.it | tojson }}")
    assert job.params.to_request() == params


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("field", "template", "wanted"),
    [
        ("image", "A/{{ params.asset }}", "A/B"),
        ("image_kwargs", {"band": "{{ params.asset }}"}, {"band": "B"}),
        ("s3_bucket", "bucket-{{ params.asset }}", "bucket-B"),
        ("s3_prefix", "x/{{ ds }}", "x/2026-01-01"),
        ("s3_key", "{{ ds[:4] }}/{{ ds }}/{base}.{band}.tif", "2026/2026-01-01/{base}.{band}.tif"),
        ("align_to", "s3://b/{{ ds }}.tif", "s3://b/2026-01-01.tif"),
        (
            "grid",
            {"crs": "EPSG:{{ 32610 }}", "resolution": 10},
            {"crs": "EPSG:32610", "resolution": 10},
        ),
        ("layout", "{{ 'zip' }}", "zip"),
        ("compression", "{{ 'zstd' }}", "zstd"),
        ("limits", {"resume": "{{ 'never' }}"}, {"resume": "never"}),
        ("if_exists", "{{ 'fail' }}", "fail"),
        ("on_empty", "{{ 'skip' }}", "skip"),
        ("record", {"licence": "{{ 'CC-BY-4.0' }}"}, {"licence": "CC-BY-4.0"}),
        ("s3_extra_args", {"Tagging": {"day": "{{ ds }}"}}, {"Tagging": {"day": "2026-01-01"}}),
        ("earthengine_conn_id", "ee_{{ params.asset }}", "ee_B"),
        ("aws_conn_id", "aws_{{ params.asset }}", "aws_B"),
    ],
)
def test_every_other_field_is_templated(
    native: bool, field: str, template: Any, wanted: Any
) -> None:
    fields: dict[str, Any] = {field: template}
    with DAG("a_dag", render_template_as_native_obj=native, schedule=None):
        operator = EarthEngineToS3Operator(task_id="download", **{**FIELDS, **fields})
    context = {**task_context(), "params": {"asset": "B"}, "ds": "2026-01-01"}
    operator.render_template_fields(context)  # type: ignore[arg-type]  # a stand-in
    assert getattr(operator, field) == wanted


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(("it", "wanted"), [(0, 0), (-9999, -9999), (0.5, 0.5)])
def test_a_nodata_value_is_what_was_meant(native: bool, it: float, wanted: float) -> None:
    _, job = job_of(native, {"it": it}, nodata="{{ params.it }}")
    assert job.nodata == wanted


@pytest.mark.parametrize("native", [False, True])
def test_limits_are_what_was_meant(native: bool) -> None:
    limits = {"max_requests": 100, "total_seconds": 60.5, "max_byte_count": 10**9}
    _, job = job_of(native, {"it": limits}, limits="{{ params.it | tojson }}")
    assert job.limits == DownloadLimits(max_requests=100, total_seconds=60.5, max_byte_count=10**9)


@pytest.mark.parametrize("native", [False, True])
def test_whether_only_a_plan_is_wanted_is_what_was_meant(native: bool) -> None:
    operator, _ = job_of(native, {"it": True}, plan_only="{{ params.it }}")
    assert read_boolean("plan_only", operator.plan_only) is True


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("it", [False, True])
def test_whether_a_picture_is_wanted_is_what_was_meant(native: bool, it: bool) -> None:
    _, job = job_of(native, {"it": it}, quicklook="{{ params.it }}")
    assert job.quicklook is it


@pytest.mark.parametrize("native", [False, True])
def test_the_days_until_a_marker_is_due_are_what_was_meant(native: bool) -> None:
    operator, _ = job_of(native, {"it": 3}, recheck_days="{{ params.it }}")
    assert read_recheck_days(operator.recheck_days) == 3


def test_what_a_listing_said_is_never_rendered() -> None:
    source = {"name": "x", "images": [["A/{{ params.asset }}", 1]]}
    _, job = job_of(False, {}, source=source)
    assert job.source.images[0].asset_id == "A/{{ params.asset }}"
    assert job.destination.base == "x"


def make_image(band: str) -> None:
    raise AssertionError("called while the field is rendered")


@pytest.mark.parametrize("native", [False, True])
def test_a_function_is_not_called_while_the_fields_are_rendered(native: bool) -> None:
    with DAG("a_dag", render_template_as_native_obj=native, schedule=None):
        operator = EarthEngineToS3Operator(
            task_id="download",
            **{**FIELDS, "image": make_image, "image_kwargs": {"band": "{{ ds }}"}},
        )
        mapped = EarthEngineToS3Operator.partial(
            task_id="mapped", **{**FIELDS, "image": make_image}
        ).expand(image_kwargs=[{"band": "B3"}])
    context = {**task_context(), "params": {}, "ds": "2026-01-01"}
    operator.render_template_fields(context)  # type: ignore[arg-type]  # a stand-in
    assert str(operator.image).endswith("test_templates.make_image")
    assert operator.image_kwargs == {"band": "2026-01-01"}
    unmapped = mapped.unmap({"image_kwargs": {"band": "B3"}})
    mapped._do_render_template_fields(
        unmapped, mapped.template_fields, context, mapped.get_template_env(), set()
    )
    assert str(unmapped.image).endswith("test_templates.make_image")


def test_every_field_is_covered() -> None:
    tested = {
        *("download_params", "nodata", "image", "image_kwargs", "s3_bucket", "s3_prefix"),
        *("layout", "compression", "limits", "plan_only", "if_exists", "on_empty", "quicklook"),
        *("recheck_days", "record", "s3_extra_args", "earthengine_conn_id", "aws_conn_id"),
        *("s3_key", "grid", "align_to", "asset_events", "collection"),
    }
    assert set(EarthEngineToS3Operator.template_fields) == tested


def test_a_field_that_ends_like_a_file_is_not_read_as_one() -> None:
    operator, _ = job_of(False, {}, download_params={"name": "x.json"}, s3_prefix="x.sql")
    assert operator.s3_prefix == "x.sql"


def test_a_python_repr_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"tojson.*render_template_as_native_obj"):
        job_of(False, {"it": ["B3"]}, download_params={"bands": "{{ params.it }}"})
